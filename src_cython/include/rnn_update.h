/* How a training step of a recurrent net ends: its gradients move the weights of the layers, in chunks,
 * and the rows of items and features that it has touched, each once. Rows of samples alone, which
 * are most, are updated as soon as their gradients are made.
 */
#ifndef FASTREC_RNN_UPDATE_H
#define FASTREC_RNN_UPDATE_H

#include "rnn_output.h"

static int64_t rnn_dense_chunks(const RnnTrainer *t) {
    return (t->net->dense_floats + RNN_FLOATS_A_CHUNK - 1) / RNN_FLOATS_A_CHUNK;
}

/* What gradients of weights are multiplied with so that their norm is at most `clip`; every thread
 * adds the same numbers in the same order. */
static float rnn_clip_scale(const RnnTrainer *t) {
    double square = 0.0;
    if (t->clip <= 0.0f) return 1.0f;
    for (int64_t i = 0; i < t->net->dense_floats; i += RNN_FLOATS_A_CHUNK) {
        const int64_t left = t->net->dense_floats - i;
        square += rnn_dot(t->dense_gradients + i, t->dense_gradients + i,
                          left < RNN_FLOATS_A_CHUNK ? left : RNN_FLOATS_A_CHUNK);
    }
    const double norm = sqrt(square);
    return norm > t->clip ? (float)(t->clip / norm) : 1.0f;
}

static void rnn_update_dense(RnnTrainer *t, int64_t chunk, float scale) {
    const int64_t first = chunk * RNN_FLOATS_A_CHUNK, left = t->net->dense_floats - first;
    Optimizer o = t->optimizer;
    float *state = t->dense_slots.state;
    if (o.kind == OPTIMIZER_ROW_ADAGRAD) o.kind = OPTIMIZER_ADAGRAD;
    optimizer_update_row(&o, t->net->dense + first, t->dense_gradients + first,
                         state ? state + first : NULL,
                         state ? state + t->net->dense_floats + first : NULL,
                         left < RNN_FLOATS_A_CHUNK ? left : RNN_FLOATS_A_CHUNK, scale);
}

/* Update the bias of an item whose gradient is known. */
static void rnn_update_bias(RnnTrainer *t, int32_t item, float gradient) {
    float g[16] = {gradient}, w[16] = {0}, slot1[16] = {0}, slot2[16] = {0};
    const int64_t slots = t->bias_slots.stride;
    float *bias = t->net->bias + item, *state = t->bias_slots.state + item * slots;
    w[0] = *bias;
    if (slots > 0) slot1[0] = state[0];
    if (slots > 1) slot2[0] = state[1];
    optimizer_update_row(&t->optimizer, w, g, slot1, slot2, 1, 1.0f);
    *bias = w[0];
    if (slots > 0) state[0] = slot1[0];
    if (slots > 1) state[1] = slot2[0];
}

/* The same for groups [start, stop) of the step's plan. */
static void rnn_update_biases(RnnTrainer *t, const RnnStep *s, int64_t start, int64_t stop) {
    const LookupPlan *plan = &s->plan;
    const int64_t outputs = t->samples + s->events;
    for (int64_t k = start; k < stop; k++) {
        float g = 0.0f;
        int is_output = 0;
        for (int64_t i = plan->starts[k]; i < plan->starts[k + 1]; i++)
            if (plan->positions[i] < outputs) g += t->bias_gradients[plan->positions[i]], is_output = 1;
        if (is_output) rnn_update_bias(t, plan->rows[k], g);
    }
}

static LookupMatrix rnn_output_matrix(const RnnTrainer *t) {
    const RnnNet *net = t->net;
    return (LookupMatrix){net->outputs, net->stride, net->units, t->output_slots.state,
                          t->output_slots.stride};
}

/* Make the gradients of a chunk of samples and update their rows, but for those which events touch,
 * too: rnn_update_rows() does these. Equal samples have equal gradients, and follow each other: the
 * first of them stands for all. */
static void rnn_update_samples(RnnTrainer *t, const RnnStep *s, int64_t chunk, RnnAll all) {
    const LookupMatrix matrix = rnn_output_matrix(t);
    const int64_t first = chunk * RNN_SAMPLES_A_CHUNK, left = t->samples - first;
    const int64_t count = left < RNN_SAMPLES_A_CHUNK ? left : RNN_SAMPLES_A_CHUNK;
    const int64_t width = matrix.stride, slots = optimizer_slots(&t->optimizer, matrix.n);
    const int64_t ahead = lookup_rows_ahead(width + slots);
    float *gradients = all.rest, *work = gradients + RNN_SAMPLES_A_CHUNK * width;
    rnn_sample_gradients(t, s, first, count, all, gradients, work);
    for (int64_t j = first; j < first + count; j++, gradients += width) {
        const int32_t row = s->ids[j];
        float *state = matrix.state + row * matrix.state_stride, equal = 1.0f;
        if (j + ahead < t->samples) {
            const int64_t later = s->ids[j + ahead];
            lookup_ask_for(matrix.rows + later * width, width);
            lookup_ask_for(matrix.state + later * matrix.state_stride, slots);
        }
        if (s->is_shared[j]) {
            memcpy(t->output_gradients + j * width, gradients, width * sizeof(float));
            continue;
        }
        if (j > 0 && s->ids[j - 1] == row) continue;
        for (int64_t i = j + 1; i < t->samples && s->ids[i] == row; i++) equal += 1.0f;
        optimizer_update_row(&t->optimizer, matrix.rows + row * width, gradients, state,
                             state + width, matrix.n, equal);
        if (t->net->bias) rnn_update_bias(t, row, equal * t->bias_gradients[j]);
    }
}

static int64_t rnn_chunks_of(const LookupPlan *plan) {
    return (plan->groups + RNN_GROUPS_A_CHUNK - 1) / RNN_GROUPS_A_CHUNK;
}

/* Update one chunk of the rows of `plan`; gradients of positions from `split` on lie in `second`. */
static void rnn_update_chunk(RnnTrainer *t, const LookupPlan *plan, int64_t chunk,
                             LookupMatrix matrix, LookupGradient first, LookupGradient second,
                             int64_t split, float *buffer) {
    const LookupGradients gradients = {{first, second}, split};
    const int64_t start = chunk * RNN_GROUPS_A_CHUNK;
    const int64_t stop =
        start + RNN_GROUPS_A_CHUNK < plan->groups ? start + RNN_GROUPS_A_CHUNK : plan->groups;
    lookup_update(&t->optimizer, &matrix, plan, &gradients, 1.0f, buffer, start, stop);
}

static int64_t rnn_row_chunks(const RnnTrainer *t, const RnnStep *s, const RnnBatches *b) {
    return rnn_chunks_of(&s->plan) + (t->net->is_tied ? 0 : rnn_chunks_of(&s->input_plan)) +
           (b->feature_ids ? rnn_chunks_of(&s->feature_plan) : 0);
}

static void rnn_update_rows(RnnTrainer *t, const RnnStep *s, int64_t chunk, float *buffer) {
    const RnnNet *net = t->net;
    const int64_t in = net->one_hot ? net->width : net->in;
    const LookupGradient of_outputs = {t->output_gradients, net->stride, NULL, NULL};
    const LookupGradient of_inputs = {t->input_gradients, net->in_stride, NULL, NULL};
    const LookupGradient of_features = {t->feature_gradients, net->in_stride, s->feature_events,
                                        s->feature_scales};
    if (chunk < rnn_chunks_of(&s->plan)) {
        const int64_t start = chunk * RNN_GROUPS_A_CHUNK, groups = s->plan.groups;
        rnn_update_chunk(t, &s->plan, chunk, rnn_output_matrix(t), of_outputs, of_inputs,
                         t->samples + s->events, buffer);
        if (net->bias)
            rnn_update_biases(t, s, start,
                              start + RNN_GROUPS_A_CHUNK < groups ? start + RNN_GROUPS_A_CHUNK
                                                                  : groups);
        return;
    }
    chunk -= rnn_chunks_of(&s->plan);
    if (!net->is_tied && chunk < rnn_chunks_of(&s->input_plan)) {
        const LookupMatrix inputs = {net->inputs, net->in_stride, in, t->input_slots.state,
                                     t->input_slots.stride};
        rnn_update_chunk(t, &s->input_plan, chunk, inputs, of_inputs, of_inputs, s->events, buffer);
        return;
    }
    if (!net->is_tied) chunk -= rnn_chunks_of(&s->input_plan);
    const LookupMatrix features = {net->features, net->in_stride, in, t->feature_slots.state,
                                   t->feature_slots.stride};
    rnn_update_chunk(t, &s->feature_plan, chunk, features, of_features, of_features, INT64_MAX,
                     buffer);
}

#endif
