/* What a search does to whole rows before it scores them: check, normalise, sort lists of them. */
#ifndef FASTREC_MATRIX_ROWS_H
#define FASTREC_MATRIX_ROWS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "simd.h"

/* The largest magnitude in rows [0, n) as the bits of a float without its sign: bits above those of
 * the largest float mean infinity or NaN. */
static uint32_t rows_largest_bits(const float *rows, int64_t stride, int64_t n, int64_t dim) {
    int32_t largest = 0;
    if (stride == dim) dim *= n, n = n > 0;
    for (int64_t r = 0; r < n; r++) {
        const float *row = rows + r * stride;
        for (int64_t k = 0; k < dim; k++) {
            int32_t bits;
            memcpy(&bits, row + k, sizeof bits);
            bits &= 0x7FFFFFFF;
            largest = bits > largest ? bits : largest;
        }
    }
    return (uint32_t)largest;
}

/* Rows of length one out of `rows`; a row of zeros stays one. Lengths are summed in double. */
static void rows_normalise(const float *rows, int64_t stride, int64_t n, int64_t dim, float *unit,
                           int64_t unit_stride) {
    for (int64_t r = 0; r < n; r++) {
        const float *row = rows + r * stride;
        double squares = 0.0;
        for (int64_t k = 0; k < dim; k++) squares += (double)row[k] * row[k];
        const double scale = squares > 0.0 ? 1.0 / sqrt(squares) : 0.0;
        for (int64_t k = 0; k < dim; k++) unit[r * unit_stride + k] = (float)(row[k] * scale);
    }
}

/* Read every byte of n floats and do nothing else: the largest of them. Memory is asked for `ahead`
 * floats ahead into the first cache and `far_ahead` floats ahead into the second, or not with 0. */
static float rows_read(const float *values, int64_t n, int64_t ahead, int64_t far_ahead) {
    simd_float best[4] = {simd_set1(0.0f), simd_set1(0.0f), simd_set1(0.0f), simd_set1(0.0f)};
    float lanes[SIMD_LANES], largest = 0.0f;
    const int64_t step = 4 * SIMD_LANES;
    int64_t i = 0;
    for (; i + step <= n; i += step) {
        for (int64_t line = i; line < i + step; line += 16) {
            if (ahead) SIMD_PREFETCH(values + line + ahead);
            if (far_ahead) SIMD_PREFETCH_FAR(values + line + far_ahead);
        }
        best[0] = simd_max(best[0], simd_load(values + i));
        best[1] = simd_max(best[1], simd_load(values + i + SIMD_LANES));
        best[2] = simd_max(best[2], simd_load(values + i + 2 * SIMD_LANES));
        best[3] = simd_max(best[3], simd_load(values + i + 3 * SIMD_LANES));
    }
    simd_store(lanes, simd_max(simd_max(best[0], best[1]), simd_max(best[2], best[3])));
    for (int lane = 0; lane < SIMD_LANES; lane++)
        largest = lanes[lane] > largest ? lanes[lane] : largest;
    for (; i < n; i++) largest = values[i] > largest ? values[i] : largest;
    return largest;
}

static void list_sift(int32_t *list, int64_t root, int64_t n) {
    const int32_t value = list[root];
    for (int64_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && list[child + 1] > list[child]) child++;
        if (list[child] <= value) break;
        list[root] = list[child];
    }
    list[root] = value;
}

/* Sort a list of rows in place and drop what is repeated or negative (padding); return what is
 * left. Lists that come sorted cost one pass. */
static int64_t list_sort_unique(int32_t *list, int64_t n) {
    int64_t kept = 0, ordered = 1;
    for (int64_t i = 0; i < n; i++)
        if (list[i] >= 0) list[kept++] = list[i];
    n = kept;
    while (ordered < n && list[ordered - 1] <= list[ordered]) ordered++;
    if (ordered < n && n <= 32) {
        for (int64_t i = ordered; i < n; i++) {
            const int32_t row = list[i];
            int64_t j = i;
            for (; j > 0 && list[j - 1] > row; j--) list[j] = list[j - 1];
            list[j] = row;
        }
    } else if (ordered < n) {
        for (int64_t root = n / 2; root-- > 0;) list_sift(list, root, n);
        for (int64_t last = n - 1; last > 0; last--) {
            const int32_t row = list[last];
            list[last] = list[0];
            list[0] = row;
            list_sift(list, 0, last);
        }
    }
    kept = n > 0;
    for (int64_t i = 1; i < n; i++)
        if (list[i] != list[kept - 1]) list[kept++] = list[i];
    return kept;
}

#endif
