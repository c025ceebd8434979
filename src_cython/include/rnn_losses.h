/* Losses of events whose targets are compared with K sampled items, and their slopes.
 *
 * s_y is the target's score, s_j those of the samples; a sample that is the target itself counts
 * for nothing. With P = softmax over what is compared:
 *
 *   sampled softmax   -log P_y over y and all j, scores less log(K q), q the chance of being drawn
 *                     (Bengio and Senecal, "Adaptive Importance Sampling to Accelerate Training of a
 *                     Neural Probabilistic Language Model", 2008); less nothing and with every item
 *                     as a sample it is the full softmax
 *   BPR-max           -log sum_j P_j sigmoid(s_y - s_j) + regularization sum_j P_j s_j^2
 *   TOP1-max          sum_j P_j (sigmoid(s_j - s_y) + sigmoid(s_j^2))
 *                     (Hidasi and Karatzoglou, "Recurrent Neural Networks with Top-k Gains for
 *                     Session-based Recommendations", 2018, eq. 9 to 12; P over the samples)
 *
 * Scores lie sample by sample, a column an event, so that every event has a lane of its own. The
 * samples are cut into groups. A group first sums up what the losses need of it, relative to its
 * own largest score (rnn_group_sums); when all groups have, their sums are put together
 * (rnn_all_sums). The scores of a softmax are exponentials by then, and only lack a factor an event;
 * those of the other losses are turned into slopes, in place (rnn_ranking_slopes).
 */
#ifndef FASTREC_RNN_LOSSES_H
#define FASTREC_RNN_LOSSES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "rnn_math.h"

enum { RNN_SAMPLED_SOFTMAX, RNN_SOFTMAX, RNN_BPR_MAX, RNN_TOP1_MAX };

#define RNN_NO_SCORE -1e30f /* of a sample that is the target */
#define RNN_MASKED -1e29f   /* scores below this are none */
#define RNN_LOWEST -1e3f    /* what they are calculated with: their share is nothing all the same */
#define RNN_SMALLEST_CHANCE 1e-24f
#define RNN_SUMS 5

typedef struct {
    int kind;
    float regularization; /* of BPR-max */
    float elu;            /* alpha: scores below 0 become alpha (e^s - 1); 0 leaves them */
} RnnLoss;

/* Sums of one group over its samples, a number an event each: the largest score, and with p =
 * exp(s - most) the sums of p, p u, p s^2 and p u', where u is sigmoid(s_y - s) for BPR-max and
 * sigmoid(s - s_y) + sigmoid(s^2) for TOP1-max, and u' is the slope of the sigmoid of s_y and s. */
typedef struct {
    float *most, *total, *mean, *square, *slope;
} RnnSums;

static inline RnnSums rnn_sums_of(float *at, int64_t events) {
    const RnnSums sums = {at, at + events, at + 2 * events, at + 3 * events, at + 4 * events};
    return sums;
}

/* alpha (e^s - 1) below 0. */
SIMD_INLINE simd_float rnn_elu(simd_float s, float alpha) {
    const simd_float e = rnn_exp_below(simd_min(s, simd_set1(0.0f)), simd_set1(0.0f));
    return simd_if_negative(s, simd_mul(simd_set1(alpha), simd_sub(e, simd_set1(1.0f))), s);
}

SIMD_INLINE simd_float rnn_slope_of_sigmoid(simd_float u) {
    return simd_mul(u, simd_sub(simd_set1(1.0f), u));
}

/* A target's score as the loss takes it. */
static inline float rnn_own_score(const RnnLoss *loss, float y) {
    return loss->kind > RNN_SOFTMAX && loss->elu != 0.0f && y < 0.0f ? loss->elu * expm1f(y) : y;
}

/* Finish the scores of a group and sum them up.
 *
 * scores: count rows of `events` columns (a multiple of SIMD_LANES), written; samples, offsets: item
 * of each row, and what its scores still lack; targets, own: item and score of each event's
 * target. */
static void rnn_group_sums(const RnnLoss *loss, float *scores, int64_t count, int64_t events,
                           const int32_t *samples, const float *offsets, const int32_t *targets,
                           const float *own, RnnSums sums) {
    const int is_softmax = loss->kind <= RNN_SOFTMAX;
    float *restrict most = sums.most;
    for (int64_t e = 0; e < events; e++) most[e] = RNN_NO_SCORE;
    memset(sums.total, 0, 4 * events * sizeof(float));
    for (int64_t j = 0; j < count; j++) {
        float *restrict row = scores + j * events;
        const int32_t sample = samples[j];
        const float offset = offsets[j];
        if (!is_softmax && loss->elu != 0.0f)
            for (int64_t e = 0; e < events; e += SIMD_LANES) {
                const simd_float s = simd_add(simd_load(row + e), simd_set1(offset));
                simd_store(row + e, simd_sub(rnn_elu(s, loss->elu), simd_set1(offset)));
            }
        for (int64_t e = 0; e < events; e++) {
            const float s = targets[e] == sample ? RNN_NO_SCORE : row[e] + offset;
            row[e] = s;
            most[e] = s > most[e] ? s : most[e];
        }
    }
    for (int64_t j = 0; j < count; j++) {
        float *row = scores + j * events;
        for (int64_t e = 0; e < events; e += SIMD_LANES) {
            simd_float s = simd_load(row + e), p;
            p = rnn_exp_below(s, simd_load(most + e));
            p = simd_if_negative(simd_sub(s, simd_set1(RNN_MASKED)), simd_set1(0.0f), p);
            simd_store(sums.total + e, simd_add(simd_load(sums.total + e), p));
            if (is_softmax) {
                simd_store(row + e, p);
                continue;
            }
            s = simd_max(simd_set1(RNN_LOWEST), s);
            const simd_float y = simd_load(own + e), square = simd_mul(s, s);
            const int is_bpr = loss->kind == RNN_BPR_MAX;
            const simd_float before = rnn_sigmoid(is_bpr ? simd_sub(y, s) : simd_sub(s, y));
            const simd_float u = is_bpr ? before : simd_add(before, rnn_sigmoid(square));
            const simd_float slope = rnn_slope_of_sigmoid(before);
            simd_store(sums.mean + e, simd_fma(p, u, simd_load(sums.mean + e)));
            simd_store(sums.square + e, simd_fma(p, square, simd_load(sums.square + e)));
            simd_store(sums.slope + e, simd_fma(p, slope, simd_load(sums.slope + e)));
        }
    }
}

/* Put the sums of all groups together: `all` gets the largest score of all (of a softmax that of the
 * target too) and, relative to it, the total, and the other sums divided by it. What the slopes of a
 * group's samples still lack goes to `factors`, a row a group: of a softmax, what makes exp(s - most)
 * of the group a share of the total times the event's weight; of the others nothing, so 1. */
static void rnn_all_sums(const RnnLoss *loss, const float *groups, int64_t count, int64_t events,
                         const float *own, const float *weight, RnnSums all, float *factors) {
    const int is_softmax = loss->kind <= RNN_SOFTMAX;
    for (int64_t e = 0; e < events; e += SIMD_LANES) {
        const simd_float y = simd_load(own + e);
        simd_float most = is_softmax ? y : simd_set1(RNN_NO_SCORE), sums[4];
        for (int64_t g = 0; g < count; g++)
            most = simd_max(simd_load(groups + g * RNN_SUMS * events + e), most);
        for (int i = 0; i < 4; i++) sums[i] = simd_set1(0.0f);
        if (is_softmax) sums[0] = rnn_exp_below(y, most);
        for (int64_t g = 0; g < count; g++) {
            const float *at = groups + g * RNN_SUMS * events + e;
            const simd_float share = rnn_exp_below(simd_load(at), most);
            for (int i = 0; i < 4; i++)
                sums[i] = simd_fma(share, simd_load(at + (i + 1) * events), sums[i]);
        }
        const simd_float inverse = simd_div(simd_set1(1.0f), sums[0]);
        simd_store(all.most + e, most), simd_store(all.total + e, sums[0]);
        simd_store(all.mean + e, simd_mul(sums[1], inverse));
        simd_store(all.square + e, simd_mul(sums[2], inverse));
        simd_store(all.slope + e, simd_mul(sums[3], inverse));
        const simd_float share = simd_mul(simd_load(weight + e), inverse);
        for (int64_t g = 0; g < count; g++) {
            const simd_float top = simd_load(groups + g * RNN_SUMS * events + e);
            simd_store(factors + g * events + e,
                       is_softmax ? simd_mul(share, rnn_exp_below(top, most)) : simd_set1(1.0f));
        }
    }
}

/* The loss of event e, and the slope of its target's score. */
static float rnn_event_loss(const RnnLoss *loss, RnnSums all, const float *own, int64_t e,
                            float *slope) {
    const float y = own[e], most = all.most[e];
    if (loss->kind <= RNN_SOFTMAX) {
        *slope = expf(y - most) / all.total[e] - 1.0f;
        return logf(all.total[e]) + most - y;
    }
    *slope = 0.0f;
    if (most < RNN_MASKED) return 0.0f; /* every sample is the target */
    const float of_elu = loss->elu != 0.0f && y < 0.0f ? y + loss->elu : 1.0f;
    if (loss->kind == RNN_TOP1_MAX) {
        *slope = -all.slope[e] * of_elu;
        return all.mean[e];
    }
    const float chance = all.mean[e] > RNN_SMALLEST_CHANCE ? all.mean[e] : RNN_SMALLEST_CHANCE;
    *slope = -all.slope[e] / chance * of_elu;
    return loss->regularization * all.square[e] - (all.mean[e] != all.mean[e] ? all.mean[e]
                                                                              : logf(chance));
}

/* Turn the scores of a group into slopes of a ranking loss, `weight` times those of the events. */
static void rnn_ranking_slopes(const RnnLoss *loss, float *scores, int64_t count, int64_t events,
                               RnnSums all, const float *own, const float *weight) {
    const simd_float one = simd_set1(1.0f), regularization = simd_set1(loss->regularization);
    const int is_bpr = loss->kind == RNN_BPR_MAX;
    for (int64_t j = 0; j < count; j++) {
        float *row = scores + j * events;
        for (int64_t e = 0; e < events; e += SIMD_LANES) {
            const simd_float real = simd_load(row + e), masked = simd_sub(real, simd_set1(RNN_MASKED));
            const simd_float s = simd_max(simd_set1(RNN_LOWEST), real), y = simd_load(own + e);
            const simd_float p = simd_div(rnn_exp_below(s, simd_load(all.most + e)),
                                          simd_load(all.total + e));
            const simd_float mean = simd_load(all.mean + e), square = simd_mul(s, s);
            const simd_float twice = simd_add(s, s);
            simd_float slope;
            if (is_bpr) {
                const simd_float u = rnn_sigmoid(simd_sub(y, s));
                const simd_float chance = simd_max(simd_set1(RNN_SMALLEST_CHANCE), mean);
                const simd_float of_u = simd_sub(simd_sub(u, mean), rnn_slope_of_sigmoid(u));
                const simd_float of_s =
                    simd_add(simd_sub(square, simd_load(all.square + e)), twice);
                slope = simd_sub(simd_mul(regularization, of_s), simd_div(of_u, chance));
            } else {
                const simd_float u = rnn_sigmoid(simd_sub(s, y)), v = rnn_sigmoid(square);
                slope = simd_add(simd_sub(simd_add(u, v), mean), rnn_slope_of_sigmoid(u));
                slope = simd_fma(twice, rnn_slope_of_sigmoid(v), slope);
            }
            slope = simd_mul(slope, simd_mul(p, simd_load(weight + e)));
            if (loss->elu != 0.0f)
                slope = simd_mul(slope, simd_if_negative(s, simd_add(s, simd_set1(loss->elu)), one));
            simd_store(row + e, simd_if_negative(masked, simd_set1(0.0f), slope));
        }
    }
}

#endif
