/* The output layer of a training step. Group by group of samples, their rows are gathered, then scored,
 * and the scores become slopes, of which the gradients of queries are made. Those of the samples are
 * made chunk by chunk, as rnn_update.h uses them up at once.
 */
#ifndef FASTREC_RNN_OUTPUT_H
#define FASTREC_RNN_OUTPUT_H

#include "rnn_step.h"

static inline int64_t rnn_samples_of(const RnnTrainer *t, int64_t group) {
    const int64_t left = t->samples - group * t->group_samples;
    return left < t->group_samples ? left : t->group_samples;
}

static void rnn_gather_samples(RnnTrainer *t, const RnnStep *s, int64_t group) {
    const RnnNet *net = t->net;
    const int64_t first = group * t->group_samples, end = first + rnn_samples_of(t, group);
    const int64_t stride = net->stride;
    for (int64_t j = first; j < end; j++) {
        const float *row = net->outputs + s->ids[j] * stride;
        if (j + RNN_GATHERED_AHEAD < end)
            lookup_ask_for(net->outputs + s->ids[j + RNN_GATHERED_AHEAD] * stride, stride);
        t->sample_inverse[j] = net->scale != 0.0f ? rnn_inverse_length(row, stride) : 1.0f;
        rnn_scaled(row, t->sample_inverse[j], t->sampled + j * stride, stride);
        t->sample_offset[j] = net->bias ? net->bias[s->ids[j]] : 0.0f;
        if (t->log_q) t->sample_offset[j] -= t->log_q[s->ids[j]];
    }
}

/* The queries as rnn_score() multiplies by them, product_any_floats() of (events, units). */
static void rnn_pack_queries(const RnnTrainer *t, const RnnStep *s, float *packed) {
    product_any_pack_nt(t->is_bf16, s->events, t->net->units, t->queries, t->net->stride, packed);
}

/* What a group of samples gives to the gradients of queries, as far as the group knows. */
static void rnn_query_sums(RnnTrainer *t, const RnnStep *s, int64_t group, float *work) {
    const int64_t first = group * t->group_samples, stride = t->net->stride;
    product_any_tn(t->is_bf16, s->events, stride, rnn_samples_of(t, group),
                   t->scores + first * s->padded, s->padded, t->sampled + first * stride, stride,
                   t->group_queries + group * s->events * stride, stride, 0, work);
}

static inline int rnn_is_softmax(const RnnTrainer *t) { return t->loss.kind <= RNN_SOFTMAX; }

static void rnn_score(RnnTrainer *t, const RnnStep *s, int64_t group, const float *packed,
                      float *work) {
    const RnnNet *net = t->net;
    const int64_t first = group * t->group_samples, count = rnn_samples_of(t, group);
    const int64_t padded = s->padded;
    float *scores = t->scores + first * padded;
    product_any_packed(t->is_bf16, count, padded, net->units, t->sampled + first * net->stride,
                       net->stride, packed, scores, padded, 0, work);
    rnn_group_sums(&t->loss, scores, count, padded, s->ids + first, t->sample_offset + first,
                   s->ids + t->samples, t->own,
                   rnn_sums_of(t->group_sums + group * RNN_SUMS * padded, padded));
    if (rnn_is_softmax(t)) rnn_query_sums(t, s, group, work);
}

/* What all groups know of the events together; each thread has it for itself. */
typedef struct {
    RnnSums sums;
    float *factors; /* groups x padded events; see rnn_all_sums() */
    float *rest;    /* scratch behind it */
} RnnAll;

static RnnAll rnn_all(const RnnTrainer *t, const RnnStep *s, float *scratch) {
    const int64_t padded = s->padded;
    float *factors = scratch + RNN_SUMS * padded;
    const RnnAll all = {rnn_sums_of(scratch, padded), factors, factors + t->groups * padded};
    rnn_all_sums(&t->loss, t->group_sums, t->groups, padded, t->own, s->event_weight, all.sums,
                 factors);
    return all;
}

/* The slopes of a ranking loss, which need what all groups know. */
static void rnn_slopes(RnnTrainer *t, const RnnStep *s, int64_t group, RnnAll all) {
    rnn_ranking_slopes(&t->loss, t->scores + group * t->group_samples * s->padded,
                       rnn_samples_of(t, group), s->padded, all.sums, t->own, s->event_weight);
    rnn_query_sums(t, s, group, all.rest);
}

/* The losses of events [from, to), and the gradients of their targets. */
static void rnn_finish_events(RnnTrainer *t, const RnnStep *s, RnnSums all, int64_t from,
                              int64_t to) {
    const RnnNet *net = t->net;
    const int64_t stride = net->stride;
    for (int64_t e = from; e < to; e++) {
        const float *q = t->queries + e * stride, *target = t->targets + e * stride;
        float *gradient = t->output_gradients + (t->samples + e) * stride, slope;
        t->event_loss[e] = s->weight * s->event_weight[e] *
                           (double)rnn_event_loss(&t->loss, all, t->own, e, &slope);
        t->own_slope[e] = slope *= s->event_weight[e];
        t->bias_gradients[t->samples + e] = slope;
        rnn_scaled(q, slope, gradient, stride);
        if (net->scale != 0.0f)
            rnn_unit_backward(gradient, target, t->target_inverse[e], stride);
    }
}

/* The gradients of some samples, from slopes that may lack their factors yet. */
static void rnn_sample_gradients(RnnTrainer *t, const RnnStep *s, int64_t first, int64_t count,
                                 RnnAll all, float *gradients, float *work) {
    const RnnNet *net = t->net;
    const int64_t padded = s->padded, stride = net->stride;
    const float *factor = all.factors + first / t->group_samples * padded;
    float *slopes = t->scores + first * padded;
    if (rnn_is_softmax(t))
        for (int64_t j = 0; j < count; j++)
            for (int64_t e = 0; e < padded; e += SIMD_LANES)
                simd_store(slopes + j * padded + e,
                           simd_mul(simd_load(factor + e), simd_load(slopes + j * padded + e)));
    /* What pads queries is zero, and pads the gradients with zeros. */
    product_any_nn(t->is_bf16, count, stride, s->events, slopes, padded, t->queries, stride,
                   gradients, stride, 0, work);
    for (int64_t j = 0; j < count; j++) {
        float sum = 0.0f;
        if (net->scale != 0.0f)
            rnn_unit_backward(gradients + j * stride, t->sampled + (first + j) * stride,
                              t->sample_inverse[first + j], stride);
        if (!net->bias) continue;
        for (int64_t e = 0; e < s->events; e++) sum += slopes[j * padded + e];
        t->bias_gradients[first + j] = sum;
    }
}

#endif
