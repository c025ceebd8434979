/* Losses of one event whose target is compared with K sampled items, and their slopes.
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
 * Scores come in and slopes go out in place, `weight` times the slopes of the loss. Rows of scores
 * are padded to a multiple of 16; what lies in the padding is ignored and set to zero.
 */
#ifndef FASTREC_RNN_LOSSES_H
#define FASTREC_RNN_LOSSES_H

#include <math.h>
#include <stdint.h>

#include "simd_math.h"

enum { RNN_SAMPLED_SOFTMAX, RNN_SOFTMAX, RNN_BPR_MAX, RNN_TOP1_MAX };

#define RNN_NO_SCORE -1e30f /* of a sample that is the target, or padding */
#define RNN_SMALLEST_CHANCE 1e-24f

typedef struct {
    int kind;
    float regularization; /* of BPR-max */
    float elu;            /* alpha: scores below 0 become alpha (e^s - 1); 0 leaves them */
} RnnLoss;

static inline float rnn_lanes_sum(simd_float a) {
    float lanes[SIMD_LANES], sum = 0.0f;
    simd_store(lanes, a);
    for (int i = 0; i < SIMD_LANES; i++) sum += lanes[i];
    return sum;
}

static inline float rnn_lanes_max(simd_float a) {
    float lanes[SIMD_LANES], best;
    simd_store(lanes, a);
    best = lanes[0];
    for (int i = 1; i < SIMD_LANES; i++) best = lanes[i] > best || lanes[i] != lanes[i] ? lanes[i] : best;
    return best;
}

static inline float rnn_sigmoid1(float x) { return 1.0f / (1.0f + expf(-x)); }

/* exp(s - most) for s <= most; what is far below is (nearly) nothing; NaN comes through. */
SIMD_INLINE simd_float rnn_exp_below(simd_float s, simd_float most) {
    return simd_exp_negative(simd_min(simd_set1(87.0f), simd_sub(most, s)));
}

/* Softmax. Returns the loss; *target becomes its slope. */
static float rnn_softmax(float *scores, int64_t padded, float *target, float weight) {
    simd_float best = simd_set1(*target), sums = simd_set1(0.0f);
    for (int64_t j = 0; j < padded; j += SIMD_LANES) best = simd_max(simd_load(scores + j), best);
    const float most = rnn_lanes_max(best);
    const simd_float top = simd_set1(most), floor = simd_set1(most - 87.0f);
    for (int64_t j = 0; j < padded; j += SIMD_LANES) {
        const simd_float s = simd_load(scores + j), e = rnn_exp_below(s, top);
        /* Nothing at all for what is out of reach, such as a masked sample. */
        const simd_float p = simd_if_negative(simd_sub(s, floor), simd_set1(0.0f), e);
        simd_store(scores + j, p);
        sums = simd_add(sums, p);
    }
    const float own = expf(*target - most), total = own + rnn_lanes_sum(sums);
    const simd_float share = simd_set1(weight / total);
    for (int64_t j = 0; j < padded; j += SIMD_LANES)
        simd_store(scores + j, simd_mul(share, simd_load(scores + j)));
    const float loss = logf(total) + most - *target;
    *target = weight * (own / total - 1.0f);
    return loss;
}

/* The two ranking losses; `count` of the scores are real, and masked ones are RNN_NO_SCORE. */
static float rnn_ranking(const RnnLoss *loss, float *scores, int64_t count, int64_t padded,
                         float *target, float weight) {
    const float alpha = loss->elu, raw = *target;
    const float y = alpha != 0.0f && raw < 0.0f ? alpha * expm1f(raw) : raw;
    const float y_slope = alpha != 0.0f && raw < 0.0f ? y + alpha : 1.0f;
    const float masked = 0.5f * RNN_NO_SCORE;
    float most = RNN_NO_SCORE;
    double total = 0.0, mean = 0.0, squares = 0.0, slopes = 0.0;
    for (int64_t j = 0; j < count; j++) {
        if (alpha != 0.0f && scores[j] < 0.0f && scores[j] > masked)
            scores[j] = alpha * expm1f(scores[j]);
        if (scores[j] > most || scores[j] != scores[j]) most = scores[j];
    }
    /* sum P_j u_j, the mean, with u_j = sigmoid(s_y - s_j), or sigmoid(s_j - s_y) + sigmoid(s_j^2) */
    for (int64_t j = 0; j < count; j++) {
        const float s = scores[j];
        if (s <= masked) continue;
        const double p = expf(s - most);
        const float before = loss->kind == RNN_BPR_MAX ? rnn_sigmoid1(y - s) : rnn_sigmoid1(s - y);
        const float u = loss->kind == RNN_BPR_MAX ? before : before + rnn_sigmoid1(s * s);
        total += p, mean += p * u, squares += p * s * s, slopes += p * before * (1.0f - before);
    }
    if (total == 0.0) { /* every sample is the target */
        for (int64_t j = 0; j < padded; j++) scores[j] = 0.0f;
        *target = 0.0f;
        return most == RNN_NO_SCORE ? 0.0f : most;
    }
    mean /= total, squares /= total, slopes /= total;
    const float average = (float)mean, square = (float)squares;
    const float chance = average > RNN_SMALLEST_CHANCE ? average : RNN_SMALLEST_CHANCE;
    const float of_mean = loss->kind == RNN_BPR_MAX ? -1.0f / chance : 1.0f;
    for (int64_t j = 0; j < count; j++) {
        const float s = scores[j];
        if (s <= masked) {
            scores[j] = 0.0f;
            continue;
        }
        const float p = (float)(expf(s - most) / total);
        float slope;
        if (loss->kind == RNN_BPR_MAX) {
            const float u = rnn_sigmoid1(y - s);
            slope = of_mean * p * (u - average - u * (1.0f - u)) +
                    loss->regularization * p * (s * s - square + 2.0f * s);
        } else {
            const float u = rnn_sigmoid1(s - y), v = rnn_sigmoid1(s * s);
            slope = p * (u + v - average + u * (1.0f - u) + 2.0f * s * v * (1.0f - v));
        }
        if (alpha != 0.0f && s < 0.0f) slope *= s + alpha;
        scores[j] = weight * slope;
    }
    for (int64_t j = count; j < padded; j++) scores[j] = 0.0f;
    const float result = loss->kind == RNN_BPR_MAX
                             ? -logf(chance) + loss->regularization * square
                             : average;
    *target = weight * y_slope * (float)slopes * (loss->kind == RNN_BPR_MAX ? of_mean : -1.0f);
    return result;
}

#endif
