/* Training a recurrent net, step by step, by threads that meet between the phases of a step:
 *
 *   1  weights are packed for the products
 *   2  tiles of rows run forward through time; rows of samples are gathered
 *   3  groups of samples are scored, summed up for the losses and, in part, make the gradients of
 *      queries; those of a ranking loss need what all groups know for that, and so a phase more
 *   4  tiles of rows run backward through time; samples get their gradients, and their rows are
 *      updated; the next step is laid out
 *   5  weights get their gradients, and the other touched rows are updated
 *   6  weights are updated
 *
 * The full back-propagation through time is that of Werbos (1990). A step's gradient is that of the
 * mean loss of its events. The state in which a row begins is a constant.
 */
#ifndef FASTREC_RNN_TRAIN_H
#define FASTREC_RNN_TRAIN_H

#include "rnn_update.h"

#define RNN_INPUT_STREAM 2
#define RNN_STATE_STREAM 3

/* Event e of the step drops out by a key that depends on its row and its time, not on tiles. */
static inline void rnn_drop(const RnnStep *s, int64_t stream, int64_t event, uint32_t keep,
                            float *row, int64_t stride) {
    if (keep >= 65536) return;
    const int64_t number = s->row_of[event], time = s->token[event] - s->starts[number];
    const uint64_t key = random_substream(random_substream(s->key, (uint64_t)stream),
                                          (uint64_t)number << 32 | (uint64_t)time);
    rnn_dropout(row, stride, key, keep, 65536.0f / (float)keep);
}

/* Phase 1 */

/* Of a GRU the gates that are summed with those of the input, else all. */
static inline int64_t rnn_joined(const RnnNet *net) {
    return net->cell == RNN_GRU ? 2 * net->stride : net->width;
}

/* Whether forward products read weights as they lie. Where no row of a step is longer than one event,
 * weights are used once, and only W needs to be packed, to be multiplied with from the other side.
 * Numbers that have to be rounded are always packed, so that they are so once for all tiles. */
static inline int rnn_reads_in_place(const RnnTrainer *t, const RnnStep *s) {
    return s->lengths[0] == 1 && !t->is_bf16;
}

/* c = or += a times columns [from, from + n) of U, which are packed unless they are read in place. */
static inline void rnn_state_product(const RnnTrainer *t, int64_t l, int in_place, int64_t count,
                                     const float *a, int64_t from, int64_t n, float *c,
                                     int64_t ldc, int accumulate, float *scratch) {
    const RnnNet *net = t->net;
    const RnnLayer *layer = &net->layer[l];
    if (in_place)
        product_nn(count, n, net->units, a, net->stride, layer->u + from, net->width, c, ldc,
                   accumulate, scratch);
    else
        product_any_packed(t->is_bf16, count, n, net->units, a, net->stride,
                           t->u[l] + product_any_floats(t->is_bf16, from, net->units), c, ldc,
                           accumulate, scratch);
}

static void rnn_pack_weights(RnnTrainer *t, int in_place, int64_t ticket) {
    const RnnNet *net = t->net;
    const RnnLayer *layer = &net->layer[ticket / 4];
    const int64_t l = ticket / 4, width = net->width, units = net->units, joined = rnn_joined(net);
    const int is_bf16 = t->is_bf16;
    if (in_place && ticket % 4 != 0) return;
    switch (ticket % 4) {
    case 0: product_any_pack_nt(is_bf16, layer->in, width, layer->w, width, t->w_back[l]); break;
    case 1: product_any_pack_nn(is_bf16, width, layer->in, layer->w, width, t->w[l]); break;
    case 2:
        product_any_pack_nn(is_bf16, joined, units, layer->u, width, t->u[l]);
        if (joined < width)
            product_any_pack_nn(is_bf16, width - joined, units, layer->u + joined, width,
                                t->u[l] + product_any_floats(is_bf16, joined, units));
        break;
    default:
        product_any_pack_nt(is_bf16, units, joined, layer->u, width, t->u_back[l]);
        if (joined < width)
            product_any_pack_nt(is_bf16, units, width - joined, layer->u + joined, width,
                                t->u_back[l] + product_any_floats(is_bf16, units, joined));
    }
}

/* Phase 2 */

static void rnn_read_inputs(RnnTrainer *t, const RnnStep *s, const RnnBatches *b, int64_t from,
                            int64_t to) {
    const RnnNet *net = t->net;
    const int32_t *inputs = s->ids + t->samples + s->events;
    for (int64_t e = from; e < to; e++) {
        float *x = t->x + e * net->in_stride;
        if (e + RNN_GATHERED_AHEAD < to)
            lookup_ask_for(net->inputs + inputs[e + RNN_GATHERED_AHEAD] * net->in_stride,
                           net->in_stride);
        t->input_inverse[e] = rnn_input_row(net, inputs[e], x);
        rnn_drop(s, RNN_INPUT_STREAM, e, t->input_keep, x, net->in_stride);
        if (b->feature_ids) {
            const int64_t at = s->token[e] * b->n_features;
            rnn_add_features(net, b->feature_ids + at,
                             b->feature_values ? b->feature_values + at : NULL, b->n_features, x);
        }
    }
}

/* The state in which the rows of a tile begin, at its first slab; 1 where it is zero for all. */
static int rnn_begin_rows(RnnTrainer *t, const RnnStep *s, int64_t layer, int64_t begin,
                          int64_t count, RnnTrace at) {
    const RnnNet *net = t->net;
    const int64_t stride = net->stride, parts = net->cell == RNN_LSTM ? 2 : 1;
    int all_zero = 1;
    for (int64_t i = 0; i < count; i++) {
        const int64_t row = begin + i;
        float *h = at.before + i * stride, *c = parts == 2 ? at.cell_before + i * stride : NULL;
        if (s->fresh[row] || s->slots[row] < 0) {
            memset(h, 0, stride * sizeof(float));
            if (parts == 2) memset(c, 0, stride * sizeof(float));
            continue;
        }
        const float *state =
            t->lane_states + s->slots[row] * net->state_floats + layer * parts * stride;
        memcpy(h, state, stride * sizeof(float));
        if (parts == 2) memcpy(c, state + stride, stride * sizeof(float));
        all_zero = 0;
    }
    return all_zero;
}

/* Keep the states of the rows that end with a slab, where they have a slot. */
static void rnn_end_rows(RnnTrainer *t, const RnnStep *s, int64_t layer, int64_t begin,
                         int64_t count, int64_t time, RnnTrace at) {
    const RnnNet *net = t->net;
    const int64_t stride = net->stride, parts = net->cell == RNN_LSTM ? 2 : 1;
    for (int64_t i = 0; i < count; i++) {
        const int64_t row = begin + i;
        if (s->slots[row] < 0 || time + 1 < s->lengths[row]) continue;
        float *state = t->lane_states + s->slots[row] * net->state_floats + layer * parts * stride;
        memcpy(state, at.out + i * stride, stride * sizeof(float));
        if (parts == 2) memcpy(state + stride, at.cell + i * stride, stride * sizeof(float));
    }
}

/* Run one layer of a tile forward through time, its input products being in the gates. */
static void rnn_forward_layer(RnnTrainer *t, const RnnStep *s, int64_t l, int64_t tile,
                              float *scratch) {
    const RnnNet *net = t->net;
    const RnnLayer *layer = &net->layer[l];
    const RnnTrace all = t->trace[l];
    const int64_t begin = tile * s->tile_rows, stride = net->stride, joined = rnn_joined(net);
    const int64_t first = s->tile_slab[tile];
    const int in_place = rnn_reads_in_place(t, s);
    int64_t previous = 0;
    for (int64_t slab = first; slab < s->tile_slab[tile + 1]; slab++) {
        const int64_t event = s->slab_event[slab], count = s->slab_event[slab + 1] - event;
        const RnnTrace now = rnn_trace_at(net, all, event);
        int is_zero = 0;
        if (slab == first) {
            is_zero = rnn_begin_rows(t, s, l, begin, count, now);
        } else {
            const RnnTrace then = rnn_trace_at(net, all, previous);
            memcpy(now.before, then.out, count * stride * sizeof(float));
            if (net->cell == RNN_LSTM)
                memcpy(now.cell_before, then.cell, count * stride * sizeof(float));
        }
        if (!is_zero)
            rnn_state_product(t, l, in_place, count, now.before, 0, joined, now.gates, net->width,
                              1, scratch);
        if (joined < net->width && is_zero)
            memset(now.hidden, 0, count * stride * sizeof(float));
        else if (joined < net->width)
            rnn_state_product(t, l, in_place, count, now.before, joined, stride, now.hidden,
                              stride, 0, scratch);
        rnn_cell_forward(net, layer, count, now);
        rnn_end_rows(t, s, l, begin, count, slab - first, now);
        previous = event;
    }
}

/* What is compared with the samples for events [from, to): their queries, and their targets with
 * which they have scores of their own. */
static void rnn_make_queries(RnnTrainer *t, const RnnStep *s, int64_t from, int64_t to) {
    const RnnNet *net = t->net;
    const int64_t stride = net->stride;
    const int32_t *targets = s->ids + t->samples;
    const float *out = t->trace[net->layers - 1].out;
    for (int64_t e = from; e < to; e++) {
        float *q = t->queries + e * stride, *target = t->targets + e * stride;
        const float *row = net->outputs + targets[e] * stride;
        if (e + RNN_GATHERED_AHEAD < to)
            lookup_ask_for(net->outputs + targets[e + RNN_GATHERED_AHEAD] * stride, stride);
        memcpy(q, out + e * stride, stride * sizeof(float));
        rnn_drop(s, RNN_STATE_STREAM, e, t->state_keep, q, stride);
        t->query_inverse[e] = t->target_inverse[e] = 1.0f;
        if (net->scale != 0.0f) {
            t->query_inverse[e] = rnn_inverse_length(q, stride);
            t->target_inverse[e] = rnn_inverse_length(row, stride);
            rnn_scaled(q, net->scale * t->query_inverse[e], q, stride);
        }
        rnn_scaled(row, t->target_inverse[e], target, stride);
        t->own[e] = rnn_dot(q, target, stride);
        if (net->bias) t->own[e] += net->bias[targets[e]];
        if (t->log_q) t->own[e] -= t->log_q[targets[e]];
        t->own[e] = rnn_own_score(&t->loss, t->own[e]);
    }
}

static void rnn_forward(RnnTrainer *t, const RnnStep *s, const RnnBatches *b, int64_t tile,
                        float *scratch) {
    const RnnNet *net = t->net;
    const int64_t from = rnn_tile_event(s, tile), to = rnn_tile_event(s, tile + 1);
    const int64_t width = net->width;
    rnn_read_inputs(t, s, b, from, to);
    for (int64_t l = 0; l < net->layers; l++) {
        const RnnLayer *layer = &net->layer[l];
        const float *input = l ? t->trace[l - 1].out : t->x;
        float *gates = t->trace[l].gates + from * width;
        input += from * layer->in_stride;
        if (!layer->in)
            memcpy(gates, t->x + from * width, (to - from) * width * sizeof(float));
        else if (rnn_reads_in_place(t, s))
            product_nn(to - from, width, layer->in, input, layer->in_stride, layer->w, width,
                       gates, width, 0, scratch);
        else
            product_any_packed(t->is_bf16, to - from, width, layer->in, input, layer->in_stride,
                               t->w[l], gates, width, 0, scratch);
        rnn_forward_layer(t, s, l, tile, scratch);
    }
    rnn_make_queries(t, s, from, to);
}

/* Phase 4 */

/* The gradients of the states that are scored, from what the groups have made. */
static void rnn_query_gradients(RnnTrainer *t, const RnnStep *s, RnnAll all, int64_t from,
                                int64_t to) {
    const RnnNet *net = t->net;
    const int64_t stride = net->stride;
    for (int64_t e = from; e < to; e++) {
        const float *q = t->queries + e * stride;
        float *d = t->d_out + e * stride;
        rnn_scaled(t->targets + e * stride, t->own_slope[e], d, stride);
        for (int64_t g = 0; g < t->groups; g++) {
            const float *part = t->group_queries + (g * s->events + e) * stride;
            rnn_add(part, all.factors[g * s->padded + e], d, stride);
        }
        memset(d + net->units, 0, (stride - net->units) * sizeof(float));
        if (net->scale != 0.0f) {
            /* q is `scale` times a unit row u: d q / |..| takes (d . u) u out of d. */
            const float along = rnn_dot(d, q, stride) / (net->scale * net->scale);
            rnn_add(q, -along, d, stride);
            rnn_scaled(d, net->scale * t->query_inverse[e], d, stride);
        }
        rnn_drop(s, RNN_STATE_STREAM, e, t->state_keep, d, stride);
    }
}

/* Run one layer of a tile backward through time: gates become gradients. */
static void rnn_backward_layer(RnnTrainer *t, const RnnStep *s, int64_t l, int64_t tile,
                               float *carry) {
    const RnnNet *net = t->net;
    const int64_t stride = net->stride, units = net->units, joined = rnn_joined(net);
    float *carry_cell = carry + RNN_ROWS_A_TILE * stride;
    float *scratch = carry_cell + RNN_ROWS_A_TILE * stride;
    memset(carry, 0, 2 * RNN_ROWS_A_TILE * stride * sizeof(float));
    for (int64_t slab = s->tile_slab[tile + 1] - 1; slab >= s->tile_slab[tile]; slab--) {
        const int64_t event = s->slab_event[slab], count = s->slab_event[slab + 1] - event;
        const RnnTrace now = rnn_trace_at(net, t->trace[l], event);
        rnn_cell_backward(net, count, now, t->d_out + event * stride, carry, carry_cell);
        if (slab == s->tile_slab[tile]) break;
        product_any_packed(t->is_bf16, count, units, joined, now.gates, net->width, t->u_back[l],
                           carry, stride, 1, scratch);
        if (joined < net->width)
            product_any_packed(t->is_bf16, count, units, stride, now.hidden, stride,
                               t->u_back[l] + product_any_floats(t->is_bf16, units, joined), carry,
                               stride, 1, scratch);
    }
}

/* From gradients of the input rows of a layer to those of item rows and features. */
static void rnn_input_gradients(RnnTrainer *t, const RnnStep *s, int64_t from, int64_t to,
                                float *unit) {
    const RnnNet *net = t->net;
    const int32_t *inputs = s->ids + t->samples + s->events;
    for (int64_t e = from; e < to; e++) {
        float *d = t->input_gradients + e * net->in_stride;
        if (!net->one_hot) memset(d + net->in, 0, (net->in_stride - net->in) * sizeof(float));
        if (t->feature_gradients)
            memcpy(t->feature_gradients + e * net->in_stride, d, net->in_stride * sizeof(float));
        rnn_drop(s, RNN_INPUT_STREAM, e, t->input_keep, d, net->in_stride);
        if (net->scale != 0.0f && !net->one_hot) {
            /* The unit row is made again: dropout and features have changed x. */
            rnn_input_row(net, inputs[e], unit);
            rnn_unit_backward(d, unit, t->input_inverse[e], net->in_stride);
        }
    }
}

static void rnn_backward(RnnTrainer *t, const RnnStep *s, int64_t tile, RnnAll all) {
    const RnnNet *net = t->net;
    const int64_t stride = net->stride, width = net->width;
    const int64_t from = rnn_tile_event(s, tile), to = rnn_tile_event(s, tile + 1);
    rnn_finish_events(t, s, all.sums, from, to);
    rnn_query_gradients(t, s, all, from, to);
    for (int64_t l = net->layers - 1; l >= 0; l--) {
        const RnnLayer *layer = &net->layer[l];
        const float *gates = t->trace[l].gates + from * width;
        rnn_backward_layer(t, s, l, tile, all.rest);
        if (l)
            product_any_packed(t->is_bf16, to - from, net->units, width, gates, width, t->w_back[l],
                               t->d_out + from * stride, stride, 0, all.rest);
        else if (layer->in)
            product_any_packed(t->is_bf16, to - from, layer->in, width, gates, width, t->w_back[l],
                               t->input_gradients + from * net->in_stride, net->in_stride, 0,
                               all.rest);
        else
            memcpy(t->input_gradients + from * width, gates, (to - from) * width * sizeof(float));
    }
    rnn_input_gradients(t, s, from, to, all.rest);
}

/* Phase 5 */

static int64_t rnn_column_tiles(const RnnTrainer *t) {
    return (t->net->width + RNN_COLUMNS_A_TILE - 1) / RNN_COLUMNS_A_TILE;
}

/* out = the sums of `count` columns of a matrix. */
static void rnn_column_sums(const float *rows, int64_t stride, int64_t n, int64_t count,
                            float *restrict out) {
    memset(out, 0, count * sizeof(float));
    for (int64_t e = 0; e < n; e++)
        for (int64_t i = 0; i < count; i++) out[i] += rows[e * stride + i];
}

/* Gradients of some columns of one layer's W, or of its U and biases. */
static void rnn_weight_gradients(RnnTrainer *t, const RnnStep *s, int64_t l, int is_state,
                                 int64_t tile, float *scratch) {
    const RnnNet *net = t->net;
    const RnnLayer *layer = &net->layer[l];
    const RnnTrace all = t->trace[l];
    const int64_t width = net->width, stride = net->stride, from = tile * RNN_COLUMNS_A_TILE;
    const int64_t end = from + RNN_COLUMNS_A_TILE < width ? from + RNN_COLUMNS_A_TILE : width;
    float *gradients = t->dense_gradients - net->dense + (is_state ? layer->u : layer->w);
    if (!is_state) {
        if (layer->in)
            product_any_tn(t->is_bf16, layer->in, end - from, s->events,
                           l ? t->trace[l - 1].out : t->x, layer->in_stride, all.gates + from,
                           width, gradients + from, width, 0, scratch);
        return;
    }
    const int64_t joined = rnn_joined(net), cut = end < joined ? end : joined > from ? joined : from;
    if (cut > from)
        product_any_tn(t->is_bf16, net->units, cut - from, s->events, all.before, stride,
                       all.gates + from, width, gradients + from, width, 0, scratch);
    rnn_column_sums(all.gates + from, width, s->events, end - from,
                    t->dense_gradients + (layer->b - net->dense) + from);
    if (end == cut) return;
    const float *hidden = all.hidden + (cut - joined);
    product_any_tn(t->is_bf16, net->units, end - cut, s->events, all.before, stride, hidden, stride,
                   gradients + cut, width, 0, scratch);
    rnn_column_sums(hidden, stride, s->events, end - cut,
                    t->dense_gradients + (layer->bu - net->dense) + (cut - joined));
}

/* Steps */

/* Adam's corrections for a step that is the next one since its state was zero. */
static void rnn_count_step(RnnTrainer *t) {
    Optimizer *o = &t->optimizer;
    const double done = (double)++t->steps_done;
    o->correction1 = o->correction2 = 1.0f;
    if (o->kind != OPTIMIZER_ADAM) return;
    o->correction1 = (float)(1.0 / (1.0 - pow(o->beta1, done)));
    o->correction2 = (float)(1.0 / sqrt(1.0 - pow(o->beta2, done)));
}

#define RNN_PHASES 16

/* Take the tickets of one part of a phase. */
#define RNN_EACH(ticket, part, count)                                                             \
    for (TeamShare share = team_share(team, rank, count, (int32_t)(stamp + (part)));              \
         (ticket = team_take(&share)) >= 0;)

/* Run all steps of `b` as thread `rank`; 0 where the team was aborted. */
static int rnn_train(RnnTrainer *t, const RnnBatches *b, int64_t rank) {
    const RnnNet *net = t->net;
    const int64_t columns = rnn_column_tiles(t), weights = 2 * columns * net->layers;
    const int64_t steps_before = t->steps_done; /* nobody changes it until all have met */
    uint32_t stamp = (uint32_t)((steps_before + 1) * RNN_PHASES);
    float *scratch = t->thread_scratch + rank * t->thread_floats;
    Team *team = &t->team;
    int64_t ticket;
    if (b->steps > 0) RNN_EACH(ticket, -1, 1) rnn_lay_out(t, b, 0);
    for (int64_t step = 0; step < b->steps; step++, stamp += RNN_PHASES) {
        const RnnStep *s = &t->step[step & 1];
        if (!team_meet(team)) return 0;
        const int in_place = rnn_reads_in_place(t, s);
        RNN_EACH(ticket, 0, 1) rnn_count_step(t);
        RNN_EACH(ticket, 1, 4 * net->layers) rnn_pack_weights(t, in_place, ticket);
        if (!in_place && !team_meet(team)) return 0; /* else what is packed is for phase 4 */
        RNN_EACH(ticket, 2, s->tiles) rnn_forward(t, s, b, ticket, scratch);
        RNN_EACH(ticket, 3, t->groups) rnn_gather_samples(t, s, ticket);
        if (!team_meet(team)) return 0;
        rnn_pack_queries(t, s, scratch);
        RNN_EACH(ticket, 4, t->groups)
            rnn_score(t, s, ticket, scratch,
                      scratch + product_any_floats(t->is_bf16, s->events, net->units));
        if (!team_meet(team)) return 0;
        const RnnAll all = rnn_all(t, s, scratch);
        if (!rnn_is_softmax(t)) {
            RNN_EACH(ticket, 5, t->groups) rnn_slopes(t, s, ticket, all);
            if (!team_meet(team)) return 0;
        }
        RNN_EACH(ticket, 6, s->tiles) rnn_backward(t, s, ticket, all);
        if (step + 1 < b->steps) RNN_EACH(ticket, 7, 1) rnn_lay_out(t, b, step + 1);
        RNN_EACH(ticket, 8, t->chunks) rnn_update_samples(t, s, ticket, all);
        if (!team_meet(team)) return 0;
        RNN_EACH(ticket, 9, weights)
            rnn_weight_gradients(t, s, ticket / (2 * columns), ticket % (2 * columns) >= columns,
                                 ticket % columns, scratch);
        RNN_EACH(ticket, 10, rnn_row_chunks(t, s, b)) rnn_update_rows(t, s, ticket, scratch);
        if (!team_meet(team)) return 0;
        const float scale = rnn_clip_scale(t);
        RNN_EACH(ticket, 11, rnn_dense_chunks(t)) rnn_update_dense(t, ticket, scale);
        if (rank == 0) {
            for (int64_t e = 0; e < s->events; e++) t->totals[0] += t->event_loss[e];
            t->totals[1] += s->weight;
        }
    }
    return team_meet(team);
}

#endif
