/* Training a recurrent net, step by step, by threads that meet between the phases of a step:
 *
 *   1  events are laid out and samples drawn; weights are packed for the products
 *   2  tiles of rows run forward through time; samples are gathered and packed
 *   3  tiles of events are scored against the samples, and their losses and slopes taken
 *   4  tiles of rows run backward through time; samples get their gradients
 *   5  weights get theirs
 *   6  everything is updated, each touched row once
 *
 * The full back-propagation through time is that of Werbos (1990). A step's gradient is that of the
 * mean loss of its events. The state in which a row begins is a constant.
 */
#ifndef FASTREC_RNN_TRAIN_H
#define FASTREC_RNN_TRAIN_H

#include "rnn_step.h"

#define RNN_INPUT_STREAM 2
#define RNN_STATE_STREAM 3

/* Event e of the step drops out by a key that depends on its row and its time, not on tiles. */
static inline uint64_t rnn_event_key(const RnnTrainer *t, int64_t stream, int64_t event) {
    const int64_t row = t->row_of[event], time = t->token[event] - t->starts[row];
    return random_substream(random_substream(t->step_key, (uint64_t)stream),
                            (uint64_t)row << 32 | (uint64_t)time);
}

static inline void rnn_drop(const RnnTrainer *t, int64_t stream, int64_t event, uint32_t keep,
                            float *row, int64_t stride) {
    if (keep < 65536)
        rnn_dropout(row, stride, rnn_event_key(t, stream, event), keep, 65536.0f / (float)keep);
}

static void rnn_pack_weights(RnnTrainer *t, int64_t ticket) {
    const RnnNet *net = t->net;
    const RnnLayer *layer = &net->layer[ticket / 4];
    const int64_t l = ticket / 4, width = net->width, units = net->units;
    const int64_t joined = net->cell == RNN_GRU ? 2 * net->stride : width;
    switch (ticket % 4) {
    case 0: product_pack_nn(width, layer->in, layer->w, width, t->w[l]); break;
    case 1: product_pack_nt(layer->in, width, layer->w, width, t->w_back[l]); break;
    case 2:
        product_pack_nn(joined, units, layer->u, width, t->u[l]);
        if (joined < width)
            product_pack_nn(width - joined, units, layer->u + joined, width,
                            t->u[l] + product_packed_floats(joined, units));
        break;
    default:
        product_pack_nt(units, joined, layer->u, width, t->u_back[l]);
        if (joined < width)
            product_pack_nt(units, width - joined, layer->u + joined, width,
                            t->u_back[l] + product_packed_floats(units, joined));
    }
}

/* Phase 2 */

static void rnn_read_inputs(RnnTrainer *t, const RnnBatches *b, int64_t from, int64_t to) {
    const RnnNet *net = t->net;
    const int32_t *inputs = t->ids + t->samples + t->events;
    for (int64_t e = from; e < to; e++) {
        float *x = t->x + e * net->in_stride;
        if (e + 4 < to) {
            const float *later = net->inputs + inputs[e + 4] * net->in_stride;
            for (int64_t i = 0; i < net->in_stride; i += 16) SIMD_PREFETCH(later + i);
        }
        t->input_inverse[e] = rnn_input_row(net, inputs[e], x);
        rnn_drop(t, RNN_INPUT_STREAM, e, t->input_keep, x, net->in_stride);
        if (b->feature_ids) {
            const int64_t at = t->token[e] * b->n_features;
            rnn_add_features(net, b->feature_ids + at,
                             b->feature_values ? b->feature_values + at : NULL, b->n_features, x);
        }
    }
}

/* The state in which the rows of a tile begin, at its first slab; 1 where it is zero for all. */
static int rnn_begin_rows(RnnTrainer *t, int64_t layer, int64_t begin, int64_t count, RnnTrace at) {
    const RnnNet *net = t->net;
    const int64_t stride = net->stride, parts = net->cell == RNN_LSTM ? 2 : 1;
    int all_zero = 1;
    for (int64_t i = 0; i < count; i++) {
        const int64_t row = begin + i;
        float *h = at.before + i * stride, *c = at.cell_before + i * stride;
        if (t->fresh[row] || t->slots[row] < 0) {
            memset(h, 0, stride * sizeof(float));
            if (parts == 2) memset(c, 0, stride * sizeof(float));
            continue;
        }
        const float *state =
            t->lane_states + t->slots[row] * net->state_floats + layer * parts * stride;
        memcpy(h, state, stride * sizeof(float));
        if (parts == 2) memcpy(c, state + stride, stride * sizeof(float));
        all_zero = 0;
    }
    return all_zero;
}

static void rnn_forward(RnnTrainer *t, const RnnBatches *b, int64_t tile) {
    const RnnNet *net = t->net;
    const int64_t begin = tile * t->tile_rows, stride = net->stride, width = net->width;
    const int64_t from = rnn_tile_event(t, tile), to = rnn_tile_event(t, tile + 1);
    const int64_t joined = net->cell == RNN_GRU ? 2 * stride : width, units = net->units;
    const int64_t parts = net->cell == RNN_LSTM ? 2 : 1;
    rnn_read_inputs(t, b, from, to);
    for (int64_t l = 0; l < net->layers; l++) {
        const RnnLayer *layer = &net->layer[l];
        const RnnTrace all = t->trace[l];
        const float *input = l ? t->trace[l - 1].out : t->x;
        if (layer->in)
            product_packed(to - from, width, layer->in, input + from * layer->in_stride,
                           layer->in_stride, t->w[l], all.gates + from * width, width, 0);
        else
            memcpy(all.gates + from * width, t->x + from * width,
                   (to - from) * width * sizeof(float));
        int64_t previous = from;
        for (int64_t slab = t->tile_slab[tile]; slab < t->tile_slab[tile + 1]; slab++) {
            const int64_t event = t->slab_event[slab], count = t->slab_event[slab + 1] - event;
            const RnnTrace now = rnn_trace_at(net, all, event);
            int is_zero = 0;
            if (slab == t->tile_slab[tile]) {
                is_zero = rnn_begin_rows(t, l, begin, count, now);
            } else {
                const RnnTrace then = rnn_trace_at(net, all, previous);
                memcpy(now.before, then.out, count * stride * sizeof(float));
                if (parts == 2)
                    memcpy(now.cell_before, then.cell, count * stride * sizeof(float));
            }
            if (!is_zero)
                product_packed(count, joined, units, now.before, stride, t->u[l], now.gates, width,
                               1);
            if (joined < width && is_zero)
                memset(now.hidden, 0, count * stride * sizeof(float));
            else if (joined < width)
                product_packed(count, stride, units, now.before, stride,
                               t->u[l] + product_packed_floats(joined, units), now.hidden, stride,
                               0);
            rnn_cell_forward(net, layer, count, now);
            for (int64_t i = 0; i < count; i++) {
                const int64_t row = begin + i, time = slab - t->tile_slab[tile];
                if (t->slots[row] < 0 || time + 1 < t->lengths[row]) continue;
                float *state =
                    t->lane_states + t->slots[row] * net->state_floats + l * parts * stride;
                memcpy(state, now.out + i * stride, stride * sizeof(float));
                if (parts == 2)
                    memcpy(state + stride, now.cell + i * stride, stride * sizeof(float));
            }
            previous = event;
        }
    }
}

static int64_t rnn_sample_tiles(const RnnTrainer *t) {
    return (t->samples + RNN_SAMPLES_A_TILE - 1) / RNN_SAMPLES_A_TILE;
}

static inline int64_t rnn_samples_of(const RnnTrainer *t, int64_t tile) {
    const int64_t left = t->samples - tile * RNN_SAMPLES_A_TILE;
    return left < RNN_SAMPLES_A_TILE ? left : RNN_SAMPLES_A_TILE;
}

/* Gather the rows of one tile of samples, and pack them both ways. */
static void rnn_gather_samples(RnnTrainer *t, int64_t tile) {
    const RnnNet *net = t->net;
    const int64_t first = tile * RNN_SAMPLES_A_TILE, count = rnn_samples_of(t, tile);
    const int64_t stride = net->stride, units = net->units;
    for (int64_t j = first; j < first + count; j++) {
        const float *row = net->outputs + t->ids[j] * stride;
        if (j + 4 < first + count)
            for (int64_t i = 0; i < stride; i += 16)
                SIMD_PREFETCH(net->outputs + t->ids[j + 4] * stride + i);
        t->sample_inverse[j] = net->scale != 0.0f ? rnn_inverse_length(row, stride) : 1.0f;
        rnn_scaled(row, t->sample_inverse[j], t->samples_unit + j * stride, stride);
        t->sample_offset[j] = net->bias ? net->bias[t->ids[j]] : 0.0f;
        if (t->log_q) t->sample_offset[j] -= t->log_q[t->ids[j]];
    }
    const float *rows = t->samples_unit + first * stride;
    product_pack_nt(count, units, rows, stride, t->sample_columns + first * units);
    product_pack_nn(units, count, rows, stride,
                    t->sample_rows + product_packed_floats(units, first));
}

/* Phase 3 */

static void rnn_score(RnnTrainer *t, int64_t tile) {
    const RnnNet *net = t->net;
    const int64_t stride = net->stride, units = net->units, K = t->padded_samples;
    const int64_t from = tile * t->event_tile;
    const int64_t to = from + t->event_tile < t->events ? from + t->event_tile : t->events;
    const int32_t *samples = t->ids, *targets = samples + t->samples;
    const float *out = t->trace[net->layers - 1].out;
    float *scores = t->scores + from * K;
    for (int64_t e = from; e < to; e++) {
        float *q = t->queries + e * stride, *target = t->targets + e * stride;
        const float *row = net->outputs + targets[e] * stride;
        memcpy(q, out + e * stride, stride * sizeof(float));
        rnn_drop(t, RNN_STATE_STREAM, e, t->state_keep, q, stride);
        t->output_inverse[e] = net->scale != 0.0f ? rnn_inverse_length(q, stride) : 1.0f;
        if (net->scale != 0.0f) rnn_scaled(q, net->scale * t->output_inverse[e], q, stride);
        t->target_inverse[e] = net->scale != 0.0f ? rnn_inverse_length(row, stride) : 1.0f;
        rnn_scaled(row, t->target_inverse[e], target, stride);
    }
    for (int64_t part = 0; part < rnn_sample_tiles(t); part++) {
        const int64_t first = part * RNN_SAMPLES_A_TILE;
        product_packed(to - from, rnn_samples_of(t, part), units, t->queries + from * stride,
                       stride, t->sample_columns + first * units, scores + first, K, 0);
    }
    for (int64_t e = from; e < to; e++) {
        float *row = t->scores + e * K;
        const float share = (float)(t->weight > 0.0 ? t->event_weight[e] / t->weight : 0.0);
        float own = rnn_dot(t->queries + e * stride, t->targets + e * stride, stride);
        if (net->bias) own += net->bias[targets[e]];
        if (t->log_q) own -= t->log_q[targets[e]];
        for (int64_t j = 0; j < t->samples; j++)
            row[j] = samples[j] == targets[e] ? RNN_NO_SCORE : row[j] + t->sample_offset[j];
        for (int64_t j = t->samples; j < K; j++) row[j] = RNN_NO_SCORE;
        const float loss = t->loss.kind <= RNN_SOFTMAX
                               ? rnn_softmax(row, K, &own, share)
                               : rnn_ranking(&t->loss, row, t->samples, K, &own, share);
        t->event_loss[e] = (double)t->event_weight[e] * loss;
        t->target_slope[e] = own;
    }
    for (int64_t part = 0; part < rnn_sample_tiles(t); part++) {
        const int64_t first = part * RNN_SAMPLES_A_TILE;
        product_packed(to - from, units, rnn_samples_of(t, part), scores + first, K,
                       t->sample_rows + product_packed_floats(units, first),
                       t->d_out + from * stride, stride, part > 0);
    }
    for (int64_t e = from; e < to; e++) {
        const float *q = t->queries + e * stride, *target = t->targets + e * stride;
        float *d = t->d_out + e * stride, *to_target = t->output_gradients + (t->samples + e) * stride;
        memset(d + units, 0, (stride - units) * sizeof(float));
        rnn_add(target, t->target_slope[e], d, stride);
        rnn_scaled(q, t->target_slope[e], to_target, stride);
        t->bias_gradients[t->samples + e] = t->target_slope[e];
        if (net->scale != 0.0f) {
            rnn_unit_backward(to_target, target, t->target_inverse[e], stride);
            /* q is scale times a unit row: both factors of scale are in the slope's second one */
            const float along = rnn_dot(d, q, stride) / net->scale;
            rnn_add(q, -along / net->scale, d, stride);
            rnn_scaled(d, net->scale * t->output_inverse[e], d, stride);
        }
        rnn_drop(t, RNN_STATE_STREAM, e, t->state_keep, d, stride);
    }
}

/* Phase 4 */

static void rnn_backward(RnnTrainer *t, int64_t tile, float *scratch) {
    const RnnNet *net = t->net;
    const int64_t stride = net->stride, width = net->width, units = net->units;
    const int64_t from = rnn_tile_event(t, tile), to = rnn_tile_event(t, tile + 1);
    const int64_t joined = net->cell == RNN_GRU ? 2 * stride : width;
    float *carry = scratch, *carry_cell = carry + RNN_ROWS_A_TILE * stride;
    for (int64_t l = net->layers - 1; l >= 0; l--) {
        const RnnLayer *layer = &net->layer[l];
        const RnnTrace all = t->trace[l];
        memset(carry, 0, 2 * RNN_ROWS_A_TILE * stride * sizeof(float));
        for (int64_t slab = t->tile_slab[tile + 1] - 1; slab >= t->tile_slab[tile]; slab--) {
            const int64_t event = t->slab_event[slab], count = t->slab_event[slab + 1] - event;
            const RnnTrace now = rnn_trace_at(net, all, event);
            rnn_cell_backward(net, count, now, t->d_out + event * stride, carry, carry_cell);
            if (slab == t->tile_slab[tile]) break;
            product_packed(count, units, joined, now.gates, width, t->u_back[l], carry, stride, 1);
            if (joined < width)
                product_packed(count, units, stride, now.hidden, stride,
                               t->u_back[l] + product_packed_floats(units, joined), carry, stride,
                               1);
        }
        if (l) {
            product_packed(to - from, units, width, all.gates + from * width, width, t->w_back[l],
                           t->d_out + from * stride, stride, 0);
        } else if (layer->in) {
            product_packed(to - from, layer->in, width, all.gates + from * width, width,
                           t->w_back[l], t->input_gradients + from * net->in_stride,
                           net->in_stride, 0);
        } else {
            memcpy(t->input_gradients + from * width, all.gates + from * width,
                   (to - from) * width * sizeof(float));
        }
    }
    for (int64_t e = from; e < to; e++) {
        float *d = t->input_gradients + e * net->in_stride;
        if (!net->one_hot)
            memset(d + net->in, 0, (net->in_stride - net->in) * sizeof(float));
        if (t->feature_gradients)
            memcpy(t->feature_gradients + e * net->in_stride, d, net->in_stride * sizeof(float));
        rnn_drop(t, RNN_INPUT_STREAM, e, t->input_keep, d, net->in_stride);
        if (net->scale != 0.0f && !net->one_hot) {
            /* The unit row is made again: dropout and features have changed x. */
            float *unit = carry;
            const int32_t item = t->ids[t->samples + t->events + e];
            rnn_input_row(net, item, unit);
            rnn_unit_backward(d, unit, t->input_inverse[e], net->in_stride);
        }
    }
}

#define RNN_SAMPLES_A_PRODUCT 512

static int64_t rnn_sample_products(const RnnTrainer *t) {
    return (t->samples + RNN_SAMPLES_A_PRODUCT - 1) / RNN_SAMPLES_A_PRODUCT;
}

/* The gradients of some samples: slopes, transposed, by queries. */
static void rnn_sample_gradients(RnnTrainer *t, int64_t tile, float *scratch) {
    const RnnNet *net = t->net;
    const int64_t first = tile * RNN_SAMPLES_A_PRODUCT, stride = net->stride, K = t->padded_samples;
    const int64_t left = t->samples - first;
    const int64_t count = left < RNN_SAMPLES_A_PRODUCT ? left : RNN_SAMPLES_A_PRODUCT;
    float *gradients = t->output_gradients + first * stride;
    product_tn(count, net->units, t->events, t->scores + first, K, t->queries, stride, gradients,
               stride, 0, scratch);
    for (int64_t j = 0; j < count; j++) {
        float *d = gradients + j * stride;
        memset(d + net->units, 0, (stride - net->units) * sizeof(float));
        if (net->scale != 0.0f)
            rnn_unit_backward(d, t->samples_unit + (first + j) * stride,
                              t->sample_inverse[first + j], stride);
    }
    if (!net->bias) return;
    memset(t->bias_gradients + first, 0, count * sizeof(float));
    for (int64_t e = 0; e < t->events; e++)
        for (int64_t j = 0; j < count; j++)
            t->bias_gradients[first + j] += t->scores[e * K + first + j];
}

/* Phase 5 */

static int64_t rnn_column_tiles(const RnnTrainer *t) {
    return (t->net->width + RNN_COLUMNS_A_TILE - 1) / RNN_COLUMNS_A_TILE;
}

/* Gradients of some columns of one layer's matrix, `which` being 0 for W and 1 for U and biases. */
static void rnn_weight_gradients(RnnTrainer *t, int64_t l, int which, int64_t tile,
                                 float *scratch) {
    const RnnNet *net = t->net;
    const RnnLayer *layer = &net->layer[l];
    const RnnTrace all = t->trace[l];
    const int64_t width = net->width, stride = net->stride, E = t->events;
    const int64_t from = tile * RNN_COLUMNS_A_TILE;
    const int64_t end = from + RNN_COLUMNS_A_TILE < width ? from + RNN_COLUMNS_A_TILE : width;
    if (which == 0) {
        float *gradients = t->dense_gradients + (layer->w - net->dense) + from;
        if (layer->in)
            product_tn(layer->in, end - from, E, l ? t->trace[l - 1].out : t->x, layer->in_stride,
                       all.gates + from, width, gradients, width, 0, scratch);
        return;
    }
    const int64_t joined = net->cell == RNN_GRU ? 2 * stride : width;
    const int64_t cut = end < joined ? end : joined > from ? joined : from;
    float *gradients = t->dense_gradients + (layer->u - net->dense);
    float *bias = t->dense_gradients + (layer->b - net->dense);
    if (cut > from)
        product_tn(net->units, cut - from, E, all.before, stride, all.gates + from, width,
                   gradients + from, width, 0, scratch);
    if (end > cut)
        product_tn(net->units, end - cut, E, all.before, stride, all.hidden + (cut - joined),
                   stride, gradients + cut, width, 0, scratch);
    memset(bias + from, 0, (end - from) * sizeof(float));
    for (int64_t e = 0; e < E; e++)
        for (int64_t i = from; i < end; i++) bias[i] += all.gates[e * width + i];
    if (end > cut) {
        float *inner = t->dense_gradients + (layer->bu - net->dense) + (cut - joined);
        memset(inner, 0, (end - cut) * sizeof(float));
        for (int64_t e = 0; e < E; e++)
            for (int64_t i = 0; i < end - cut; i++)
                inner[i] += all.hidden[e * stride + (cut - joined) + i];
    }
}

/* Phase 6 */

static int64_t rnn_dense_chunks(const RnnTrainer *t) {
    return (t->net->dense_floats + RNN_FLOATS_A_CHUNK - 1) / RNN_FLOATS_A_CHUNK;
}

static int64_t rnn_chunk_floats(const RnnTrainer *t, int64_t chunk) {
    const int64_t left = t->net->dense_floats - chunk * RNN_FLOATS_A_CHUNK;
    return left < RNN_FLOATS_A_CHUNK ? left : RNN_FLOATS_A_CHUNK;
}

/* What gradients of weights are multiplied with so that their norm is at most `clip`; every thread
 * adds the same numbers in the same order. */
static float rnn_clip_scale(const RnnTrainer *t) {
    double square = 0.0;
    if (t->clip <= 0.0f) return 1.0f;
    for (int64_t i = 0; i < t->net->dense_floats; i += 16) {
        const float *g = t->dense_gradients + i;
        float sum = 0.0f;
        for (int j = 0; j < 16; j++) sum += g[j] * g[j];
        square += sum;
    }
    const double norm = sqrt(square);
    return norm > t->clip ? (float)(t->clip / norm) : 1.0f;
}

static void rnn_update_dense(RnnTrainer *t, int64_t chunk, float scale) {
    const int64_t first = chunk * RNN_FLOATS_A_CHUNK;
    Optimizer o = t->optimizer;
    if (o.kind == OPTIMIZER_ROW_ADAGRAD) o.kind = OPTIMIZER_ADAGRAD;
    float *state = t->dense_slots.state;
    optimizer_update_row(&o, t->net->dense + first, t->dense_gradients + first,
                         state ? state + first : NULL,
                         state ? state + t->net->dense_floats + first : NULL,
                         rnn_chunk_floats(t, chunk), scale);
}

static void rnn_update_bias(RnnTrainer *t, int64_t start, int64_t stop) {
    const RnnNet *net = t->net;
    const int64_t outputs = t->samples + t->events;
    const Optimizer *o = &t->optimizer;
    for (int64_t k = start; k < stop; k++) {
        float g[16] = {0}, w[16] = {0}, slot1[16] = {0}, slot2[16] = {0};
        int is_output = 0;
        for (int64_t i = t->plan.starts[k]; i < t->plan.starts[k + 1]; i++)
            if (t->plan.positions[i] < outputs)
                g[0] += t->bias_gradients[t->plan.positions[i]], is_output = 1;
        if (!is_output) continue;
        const int64_t row = t->plan.rows[k];
        float *state = t->bias_slots.state + row * t->bias_slots.stride;
        const int64_t slots = t->bias_slots.stride;
        w[0] = net->bias[row];
        if (slots > 0) slot1[0] = state[0];
        if (slots > 1) slot2[0] = state[1];
        optimizer_update_row(o, w, g, slot1, slot2, 1, 1.0f);
        net->bias[row] = w[0];
        if (slots > 0) state[0] = slot1[0];
        if (slots > 1) state[1] = slot2[0];
    }
}

static int64_t rnn_chunks_of(const LookupPlan *plan) {
    return (plan->groups + RNN_GROUPS_A_CHUNK - 1) / RNN_GROUPS_A_CHUNK;
}

static void rnn_update_rows(RnnTrainer *t, const RnnBatches *b, int64_t chunk, float *buffer) {
    const RnnNet *net = t->net;
    const LookupPlan *plan = &t->plan;
    const LookupGradient outputs = {t->output_gradients, net->stride, NULL, NULL};
    const LookupGradient inputs = {t->input_gradients, net->in_stride, NULL, NULL};
    LookupMatrix matrix = {net->outputs, net->stride, net->units, t->output_slots.state,
                           t->output_slots.stride};
    LookupGradients gradients = {{outputs, inputs}, t->samples + t->events};
    int is_output = 1;
    if (chunk >= rnn_chunks_of(plan)) {
        chunk -= rnn_chunks_of(plan), is_output = 0;
        const LookupMatrix in = {net->inputs, net->in_stride,
                                 net->one_hot ? net->width : net->in, t->input_slots.state,
                                 t->input_slots.stride};
        plan = &t->input_plan, matrix = in;
        gradients.part[0] = inputs, gradients.split = t->events;
        if (net->is_tied || chunk >= rnn_chunks_of(plan)) {
            chunk -= net->is_tied ? 0 : rnn_chunks_of(plan);
            const LookupGradient features = {t->feature_gradients, net->in_stride,
                                             t->feature_events, t->feature_scales};
            const LookupMatrix table = {net->features, net->in_stride,
                                        net->one_hot ? net->width : net->in,
                                        t->feature_slots.state, t->feature_slots.stride};
            plan = &t->feature_plan, matrix = table;
            gradients.part[0] = features, gradients.split = t->events * b->n_features;
        }
    }
    const int64_t start = chunk * RNN_GROUPS_A_CHUNK;
    const int64_t stop =
        start + RNN_GROUPS_A_CHUNK < plan->groups ? start + RNN_GROUPS_A_CHUNK : plan->groups;
    lookup_update(&t->optimizer, &matrix, plan, &gradients, 1.0f, buffer, start, stop);
    if (is_output && net->bias) rnn_update_bias(t, start, stop);
}

/* Steps */

/* Run all steps of `b` as thread `rank`; 0 where the team was aborted. */
static int rnn_train(RnnTrainer *t, const RnnBatches *b, int64_t rank) {
    const RnnNet *net = t->net;
    float *scratch = t->thread_scratch + rank * t->thread_floats;
    int64_t ticket;
    for (int64_t step = 0; step < b->steps; step++) {
        if (!team_meet(&t->team)) return 0;
        while ((ticket = team_ticket(&t->team)) < 1 + 4 * net->layers)
            if (ticket == 0)
                rnn_lay_out(t, b, step);
            else
                rnn_pack_weights(t, ticket - 1);
        if (!team_meet(&t->team)) return 0;
        while ((ticket = team_ticket(&t->team)) < t->tiles + rnn_sample_tiles(t))
            if (ticket < t->tiles)
                rnn_forward(t, b, ticket);
            else
                rnn_gather_samples(t, ticket - t->tiles);
        if (!team_meet(&t->team)) return 0;
        while ((ticket = team_ticket(&t->team)) < t->event_tiles) rnn_score(t, ticket);
        if (!team_meet(&t->team)) return 0;
        while ((ticket = team_ticket(&t->team)) < t->tiles + rnn_sample_products(t))
            if (ticket < t->tiles)
                rnn_backward(t, ticket, scratch);
            else
                rnn_sample_gradients(t, ticket - t->tiles, scratch);
        if (!team_meet(&t->team)) return 0;
        const int64_t columns = rnn_column_tiles(t);
        while ((ticket = team_ticket(&t->team)) < 2 * columns * net->layers)
            rnn_weight_gradients(t, ticket / (2 * columns), ticket % (2 * columns) >= columns,
                                 ticket % columns, scratch);
        if (!team_meet(&t->team)) return 0;
        const float scale = rnn_clip_scale(t);
        const int64_t dense = rnn_dense_chunks(t);
        const int64_t chunks = dense + rnn_chunks_of(&t->plan) +
                               (net->is_tied ? 0 : rnn_chunks_of(&t->input_plan)) +
                               (b->feature_ids ? rnn_chunks_of(&t->feature_plan) : 0);
        while ((ticket = team_ticket(&t->team)) < chunks)
            if (ticket < dense)
                rnn_update_dense(t, ticket, scale);
            else
                rnn_update_rows(t, b, ticket - dense, scratch);
        if (rank == 0) {
            for (int64_t e = 0; e < t->events; e++) t->totals[0] += t->event_loss[e];
            t->totals[1] += t->weight;
        }
    }
    return team_meet(&t->team);
}

#endif
