/* The sum of exponentials of all scores of a query, taken from the tiles of a product while they
 * lie in the first cache.
 *
 * Rows are summed in chunks of EXP_CHUNK; a chunk's result is exp(peak) * sum, and a query's is
 * what its chunks add up to. The peak is the score of the chunk's first row, and is raised to any
 * score that lies EXP_ROOM above it, so no exponential overflows; what underflows is less than
 * 1e-37 of the sum. Within a chunk rows are added in their order, GEMM_NARROW_ROWS of them in
 * float32 and those sums in float64. So a query's sum is the same, bit for bit, in every batch and
 * for any number of threads.
 */
#ifndef FASTREC_EXP_SUMS_H
#define FASTREC_EXP_SUMS_H

#include <math.h>

#include "gemm.h"
#include "simd_math.h"

/* A multiple of the rows of every tile of every level. */
#define EXP_CHUNK 2016
#define EXP_GROUP GEMM_NARROW_ROWS
#define EXP_ROOM 20.0f

typedef struct {
    double *sums; /* one row of `lanes` a chunk, or NULL */
    float *peaks; /* the same */
    float *parts; /* one a lane: what has not been added to the sum yet */
    int64_t lanes;
} ExpSums;

/* The sums of the chunk that holds row `first`. */
static inline ExpSums exp_sums_of(const ExpSums *all, int64_t first) {
    ExpSums own = *all;
    if (own.sums == NULL) return own;
    own.sums += first / EXP_CHUNK * own.lanes;
    own.peaks += first / EXP_CHUNK * own.lanes;
    return own;
}

static inline void exp_sums_begin(const ExpSums *own, int64_t lane, float first_score) {
    own->sums[lane] = 0.0;
    own->parts[lane] = 0.0f;
    own->peaks[lane] = first_score;
}

static inline void exp_sums_flush(const ExpSums *own, int64_t lane) {
    own->sums[lane] += (double)own->parts[lane];
    own->parts[lane] = 0.0f;
}

/* A score beyond the room above the peak becomes the peak. */
static void exp_sums_raise(const ExpSums *own, int64_t lane, float score) {
    exp_sums_flush(own, lane);
    own->sums[lane] *= exp((double)own->peaks[lane] - (double)score);
    own->peaks[lane] = score;
}

/* Add a tile: rows row .. row + n_rows of the matrix, `width` lanes from lane `query` on. */
static void exp_sums_tile(const ExpSums *own, const float *tile, int64_t width, int64_t row,
                          int64_t n_rows, int64_t query) {
    const int64_t place = row % EXP_CHUNK;
    for (int64_t vector = 0; vector < width; vector += SIMD_LANES) {
        const int64_t lane = query + vector;
        const float *scores = tile + vector;
        if (place == 0)
            for (int i = 0; i < SIMD_LANES; i++) exp_sums_begin(own, lane + i, scores[i]);
        simd_float peaks = simd_load(own->peaks + lane), part = simd_load(own->parts + lane);
        simd_float room = simd_add(peaks, simd_set1(EXP_ROOM));
        for (int64_t r = 0; r < n_rows; r++, scores += width) {
            const simd_float score = simd_load(scores);
            uint32_t above = simd_above(score, room);
            if (above) {
                simd_store(own->parts + lane, part);
                for (; above; above &= above - 1) {
                    const int i = simd_lowest(above);
                    exp_sums_raise(own, lane + i, scores[i]);
                }
                peaks = simd_load(own->peaks + lane), part = simd_load(own->parts + lane);
                room = simd_add(peaks, simd_set1(EXP_ROOM));
            }
            simd_float power, factor = simd_exp_parts(simd_sub(score, peaks), &power);
            part = simd_fma(factor, power, part);
        }
        simd_store(own->parts + lane, part);
        if ((place + n_rows) % EXP_GROUP == 0)
            for (int i = 0; i < SIMD_LANES; i++) exp_sums_flush(own, lane + i);
    }
}

/* The same for a tile of gemm_few, which lies query by query with the rows as lanes. */
static void exp_sums_few(const ExpSums *own, const float *tile, int64_t row, int64_t n_rows,
                         int64_t query, int64_t n_queries) {
    const int64_t place = row % EXP_CHUNK;
    for (int64_t q = 0; q < n_queries; q++) {
        const float *scores = tile + q * SIMD_LANES;
        const int64_t lane = query + q;
        float factors[SIMD_LANES], powers[SIMD_LANES], all[SIMD_LANES];
        if (place == 0) exp_sums_begin(own, lane, scores[0]);
        for (int64_t begin = 0; begin < n_rows;) {
            const float peak = own->peaks[lane];
            int64_t end = begin;
            while (end < n_rows && !(scores[end] > peak + EXP_ROOM)) end++;
            simd_float power, factor;
            factor = simd_exp_parts(simd_sub(simd_load(scores), simd_set1(peak)), &power);
            simd_store(factors, factor), simd_store(powers, power);
            /* Whole vectors, since their sums keep the order in which they are written. */
            simd_float part = simd_set1(own->parts[lane]);
            for (int64_t r = begin; r < end; r++) {
                part = simd_fma(simd_set1(factors[r]), simd_set1(powers[r]), part);
                if ((place + r + 1) % EXP_GROUP == 0) {
                    simd_store(all, part);
                    own->parts[lane] = all[0];
                    exp_sums_flush(own, lane);
                    part = simd_set1(0.0f);
                }
            }
            simd_store(all, part);
            own->parts[lane] = all[0];
            if (end < n_rows) exp_sums_raise(own, lane, scores[end]);
            begin = end;
        }
    }
}

/* End a chunk, or the rows, with those that lie at first .. first + n. */
static inline void exp_sums_end(const ExpSums *all, int64_t first, int64_t n, int64_t n_rows,
                                int64_t n_queries) {
    if ((first + n) % EXP_CHUNK && first + n < n_rows) return;
    const ExpSums own = exp_sums_of(all, first);
    for (int64_t lane = 0; lane < n_queries; lane++) exp_sums_flush(&own, lane);
}

#endif
