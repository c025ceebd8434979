/* How a training step of a recurrent net ends: its gradients move the weights of the layers, in chunks,
 * and the rows of items and features that it has touched, each once.
 */
#ifndef FASTREC_RNN_UPDATE_H
#define FASTREC_RNN_UPDATE_H

#include "rnn_step.h"

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

static void rnn_update_bias(RnnTrainer *t, const RnnStep *s, int64_t start, int64_t stop) {
    const LookupPlan *plan = &s->plan;
    const int64_t outputs = t->samples + s->events, slots = t->bias_slots.stride;
    for (int64_t k = start; k < stop; k++) {
        float g[16] = {0}, w[16] = {0}, slot1[16] = {0}, slot2[16] = {0};
        int is_output = 0;
        for (int64_t i = plan->starts[k]; i < plan->starts[k + 1]; i++)
            if (plan->positions[i] < outputs)
                g[0] += t->bias_gradients[plan->positions[i]], is_output = 1;
        if (!is_output) continue;
        float *bias = t->net->bias + plan->rows[k];
        float *state = t->bias_slots.state + plan->rows[k] * slots;
        w[0] = *bias;
        if (slots > 0) slot1[0] = state[0];
        if (slots > 1) slot2[0] = state[1];
        optimizer_update_row(&t->optimizer, w, g, slot1, slot2, 1, 1.0f);
        *bias = w[0];
        if (slots > 0) state[0] = slot1[0];
        if (slots > 1) state[1] = slot2[0];
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
        const LookupMatrix outputs = {net->outputs, net->stride, net->units, t->output_slots.state,
                                      t->output_slots.stride};
        const int64_t start = chunk * RNN_GROUPS_A_CHUNK, groups = s->plan.groups;
        rnn_update_chunk(t, &s->plan, chunk, outputs, of_outputs, of_inputs,
                         t->samples + s->events, buffer);
        if (net->bias)
            rnn_update_bias(t, s, start,
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
