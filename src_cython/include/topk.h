/* Exact top-k of products, with the selection fused into the product: no score matrix is stored.
 *
 * Rows are taken in blocks that stay in the second cache while every panel of queries passes over
 * them. A tile's results are compared, still in registers, with the k-th best score that each
 * query has so far; the few that are above it go to the query's shortlist.
 */
#ifndef FASTREC_TOPK_H
#define FASTREC_TOPK_H

#include <math.h>

#include "exp_sums.h"
#include "gemm.h"
#include "shortlist.h"

/* Bytes of rows in a block, a quarter of a small second cache: 32 to 256 kB measure the same. A
 * block has at most TOPK_BLOCK_ROWS rows, and at least those of a tile. */
#define TOPK_BLOCK_BYTES 65536
#define TOPK_BLOCK_ROWS (16 * GEMM_NARROW_ROWS)

/* The highest tile. */
#define TOPK_TILE_ROWS (GEMM_NARROW_ROWS > SIMD_LANES ? GEMM_NARROW_ROWS : SIMD_LANES)

/* How many floats ahead a single panel asks for memory: a tile and a little more into the first
 * cache, 18 kB beyond that into the second. 9 to 24 and 36 to 148 rows measure the same at dim 128
 * (benchmarks.speed, row topk-batch1); without one of the two a batch of 1 takes a tenth to a fifth
 * longer. */
#define TOPK_NEAR (17 * 128)
#define TOPK_FAR (52 * 128)

/* Rows that a gather asks for ahead. */
#define TOPK_GATHER_AHEAD 8

typedef struct {
    int64_t n_items;
    const float *items;  /* row r begins at items + r * stride */
    int64_t stride;      /* floats */
    int64_t dim;
    const float *bias;   /* added to each row's score, or NULL */
    const int32_t *rows; /* ascending rows to score, or NULL: all of a range */
    const float *added;  /* beside `rows`, added to each one's score, or NULL */
    int64_t n_queries;
    const float *panels; /* gemm_pack of the queries */
    float *limits;       /* what a score has to pass; one a lane, +infinity in idle lanes */
    uint64_t *keys;      /* n_queries x capacity */
    int64_t *counts;     /* keys in use, one a query */
    int64_t capacity;
    int64_t k;
    const int32_t *exclude; /* ascending rows that are no answer, or NULL: query q's lie at */
    const int64_t *exclude_begins, *exclude_ends; /* [begins[q * step], ends[q * step]) */
    int64_t exclude_step; /* 1, or 0: one list for all queries */
    float *block;         /* topk_scratch_floats() */
    ExpSums sums;         /* of all scores, a row of lanes for each chunk; or none */
} TopKJob;

/* Rows of a block for tiles of `step` rows. */
static inline int64_t topk_block_rows(int64_t dim, int64_t step) {
    const int64_t fitting = TOPK_BLOCK_BYTES / (dim * (int64_t)sizeof(float));
    const int64_t most = fitting < TOPK_BLOCK_ROWS ? fitting : TOPK_BLOCK_ROWS;
    return most < step ? step : most / step * step;
}

/* Rows gathered into a block never lie a multiple of 2048 bytes apart, where all of them would fall
 * on the same few places of the first cache. */
static inline int64_t topk_block_stride(int64_t dim) {
    const int64_t padded = (dim + 15) / 16 * 16;
    return padded % 512 == 0 ? padded + 16 : padded;
}

/* A block, the rows that a tile may read beyond it, and the bias of both. */
static inline int64_t topk_scratch_floats(int64_t dim) {
    const int64_t rows = topk_block_rows(dim, 1) + 2 * TOPK_TILE_ROWS;
    return rows * (topk_block_stride(dim) + 1);
}

static inline int topk_excludes(const TopKJob *job, int64_t query, int32_t row) {
    const int64_t list = query * job->exclude_step;
    const int64_t begin = job->exclude_begins[list];
    return rows_hold(job->exclude + begin, job->exclude_ends[list] - begin, row);
}

/* A score that passes goes to its query's shortlist, unless its row is excluded. */
static inline void topk_offer(const TopKJob *job, int64_t query, int64_t place, float score) {
    const int32_t row = job->rows ? job->rows[place] : (int32_t)place;
    if (job->exclude && topk_excludes(job, query, row)) return;
    shortlist_add(job->keys + query * job->capacity, job->counts + query, job->capacity, job->k,
                  key_of(score, row), job->limits + query);
}

/* The results of one tile that pass, out of the vectors that hold any: row `first` + r of the job,
 * query `query` + lane. */
static void topk_collect(const TopKJob *job, const float *tile, int64_t width, int vectors,
                         int64_t first, int64_t n_rows, int64_t query) {
    for (int64_t vector = 0; vectors; vector += SIMD_LANES, vectors >>= 1) {
        if (!(vectors & 1)) continue;
        const float *limits = job->limits + query + vector;
        for (int64_t r = 0; r < n_rows; r++) {
            const float *scores = tile + r * width + vector;
            uint32_t passing = simd_above(simd_load(scores), simd_load(limits));
            for (; passing; passing &= passing - 1) {
                const int lane = simd_lowest(passing);
                topk_offer(job, query + vector + lane, first + r, scores[lane]);
            }
        }
    }
}

/* The same for a tile of gemm_few, which lies query by query. */
static void topk_collect_few(const TopKJob *job, const float *tile, int64_t first, int64_t n_rows,
                             int64_t query, int64_t n_queries) {
    for (int64_t q = 0; q < n_queries; q++) {
        float *limit = job->limits + query + q;
        const float *scores = tile + q * SIMD_LANES;
        uint32_t passing = simd_above(simd_load(scores), simd_set1(*limit));
        for (; passing; passing &= passing - 1) {
            const int lane = simd_lowest(passing);
            if (lane >= n_rows) break;
            if (scores[lane] > *limit) topk_offer(job, query + q, first + lane, scores[lane]);
        }
    }
}

/* Which tile serves a panel: the function, its rows, and how its results lie. */
typedef struct {
    int (*run)(const float *, ptrdiff_t, int64_t, const float *, const float *, const float *,
               const float *, const float *, float *, int);
    int64_t rows;
    int64_t width; /* lanes of a row, or 0: query by query */
} TopKTile;

static TopKTile topk_tile(int64_t queries) {
    const TopKTile wide = {gemm_wide, GEMM_WIDE_ROWS, GEMM_PANEL};
    const TopKTile narrow = {gemm_narrow, GEMM_NARROW_ROWS, SIMD_LANES};
    TopKTile few = {gemm_few_8, SIMD_LANES, 0};
    if (queries > SIMD_LANES) return wide;
    if (queries > GEMM_FEW_MOST) return narrow;
    if (queries <= 4) few.run = gemm_few_4;
    if (queries <= 2) few.run = gemm_few_2;
    if (queries <= 1) few.run = gemm_few_1;
    return few;
}

/* All panels over one block of n rows that lie at `rows`, and whose bias lies at `bias`. Memory
 * is asked for `soon` floats ahead, and `later` at the rows that lie there; the first panel does
 * that for all. */
static void topk_block(const TopKJob *job, const float *rows, int64_t stride, const float *bias,
                       int64_t first, int64_t n, int64_t soon, const float *later) {
    static const float zeros[TOPK_TILE_ROWS];
    float tile[TOPK_TILE_ROWS * GEMM_PANEL];
    const ExpSums sums = exp_sums_of(&job->sums, first);
    for (int64_t query = 0; query < job->n_queries; query += GEMM_PANEL) {
        const int64_t left = job->n_queries - query;
        const TopKTile with = topk_tile(left);
        for (int64_t r = 0; r < n; r += with.rows) {
            const float *at = rows + r * stride;
            const int64_t n_rows = n - r < with.rows ? n - r : with.rows;
            const int passing =
                with.run(at, stride, job->dim, job->panels + query * job->dim,
                         bias ? bias + r : zeros, job->limits + query, soon ? at + soon : NULL,
                         later ? later + r * job->stride : NULL, tile, sums.sums != NULL);
            if (sums.sums && with.width)
                exp_sums_tile(&sums, tile, with.width, first + r, n_rows, query);
            else if (sums.sums)
                exp_sums_few(&sums, tile, first + r, n_rows, query, left);
            if (passing && with.width)
                topk_collect(job, tile, with.width, passing, first + r, n_rows, query);
            else if (passing)
                topk_collect_few(job, tile, first + r, n_rows, query, left);
        }
        later = NULL;
    }
}

/* Where the bias of a gathered block lies: behind its rows. */
static inline float *topk_block_bias(const TopKJob *job) {
    return job->block +
           topk_scratch_floats(job->dim) / (topk_block_stride(job->dim) + 1) *
               topk_block_stride(job->dim);
}

/* Copy rows first .. first + n of the job, and their bias, to its block. The first time zeros
 * follow, as many rows as a tile may read beyond the last one; later those of the block before. */
static void topk_gather(const TopKJob *job, int64_t first, int64_t n, int is_first) {
    const int64_t stride = topk_block_stride(job->dim), dim = job->dim;
    float *bias = topk_block_bias(job);
    for (int64_t r = 0; r < n; r++) {
        const int64_t row = job->rows ? job->rows[first + r] : first + r;
        if (job->rows && r + TOPK_GATHER_AHEAD < n) {
            const int64_t coming = job->rows[first + r + TOPK_GATHER_AHEAD];
            for (int64_t k = 0; k < dim; k += GEMM_LINE)
                SIMD_PREFETCH(job->items + coming * job->stride + k);
        }
        memcpy(job->block + r * stride, job->items + row * job->stride, dim * sizeof(float));
        bias[r] = (job->bias ? job->bias[row] : 0.0f) + (job->added ? job->added[first + r] : 0.0f);
    }
    if (!is_first) return;
    memset(job->block + n * stride, 0, TOPK_TILE_ROWS * stride * sizeof(float));
    memset(bias + n, 0, TOPK_TILE_ROWS * sizeof(float));
}

/* Rows (or places of job->rows) [start, stop) into the shortlists. A tile may read a little beyond
 * its rows; the last rows of the matrix, which nothing follows, are copied first. */
static void topk_scan(const TopKJob *job, int64_t start, int64_t stop) {
    const int is_single = job->n_queries <= GEMM_PANEL;
    const int64_t step = is_single ? topk_tile(job->n_queries).rows : GEMM_NARROW_ROWS;
    const int64_t block_rows = topk_block_rows(job->dim, step);
    const int64_t last = job->n_items - TOPK_TILE_ROWS - SIMD_LANES;
    const int is_spread = job->stride % 1024 == 0; /* see topk_block_stride */
    int has_gathered = 0;
    const int is_dense = job->rows == NULL && job->stride <= job->dim + GEMM_LINE;
    int64_t n;
    for (int64_t first = start; first < stop; first += n) {
        n = stop - first < block_rows ? stop - first : block_rows;
        if (job->sums.sums && n > EXP_CHUNK - first % EXP_CHUNK) n = EXP_CHUNK - first % EXP_CHUNK;
        const float *rows = job->items + first * job->stride;
        const float *next = is_dense ? rows + block_rows * job->stride : NULL;
        if (job->rows || is_spread || first + n > last) {
            topk_gather(job, first, n, !has_gathered);
            has_gathered = 1;
            topk_block(job, job->block, topk_block_stride(job->dim), topk_block_bias(job), first,
                       n, 0, next);
        } else {
            if (is_dense && is_single) next = rows + TOPK_FAR;
            topk_block(job, rows, job->stride, job->bias ? job->bias + first : NULL, first, n,
                       is_dense ? TOPK_NEAR : 0, next);
        }
        if (job->sums.sums) exp_sums_end(&job->sums, first, n, job->n_items, job->n_queries);
    }
}

/* Sort the shortlist of each query in [start, stop) into its k columns of rows and scores, best
 * first, and write how many there are; what is missing stays as it is. */
static void topk_finish(uint64_t *keys, const int64_t *counts, int64_t capacity, int64_t k,
                        int64_t columns, int64_t n_queries, int32_t *rows, float *scores,
                        int32_t *found) {
    for (int64_t q = 0; q < n_queries; q++) {
        uint64_t *own = keys + q * capacity;
        int64_t count = counts[q];
        if (count > k) {
            keys_select(own, count, k);
            count = k;
        }
        keys_sort(own, count);
        for (int64_t i = 0; i < count; i++) {
            rows[q * columns + i] = key_row(own[i]);
            scores[q * columns + i] = key_score(own[i]);
        }
        found[q] = (int32_t)count;
    }
}

/* Queries [start, stop), each over its own list of rows only; `added` lies beside the lists, or is
 * NULL. `job` holds room for one query: panels, limits, keys, counts and block are written, its lists
 * of rows and of exclusions are set from the arrays of all queries. */
static void topk_lists(TopKJob *job, const float *queries, int64_t query_stride,
                       const int32_t *lists, const float *added, const int64_t *begins,
                       const int64_t *ends, int64_t columns, int32_t *rows, float *scores,
                       int32_t *found, int64_t start, int64_t stop) {
    const int64_t *exclude_begins = job->exclude_begins, *exclude_ends = job->exclude_ends;
    float *panel = (float *)job->panels;
    for (int64_t q = start; q < stop; q++) {
        const int64_t n = ends[q] - begins[q];
        gemm_pack(queries + q * query_stride, query_stride, 1, job->dim, panel);
        job->rows = lists + begins[q];
        job->added = added ? added + begins[q] : NULL;
        job->exclude_begins = exclude_begins + q * job->exclude_step;
        job->exclude_ends = exclude_ends + q * job->exclude_step;
        job->limits[0] = -INFINITY;
        for (int lane = 1; lane < SIMD_LANES; lane++) job->limits[lane] = INFINITY;
        job->counts[0] = 0;
        topk_scan(job, 0, n);
        topk_finish(job->keys, job->counts, job->capacity, job->k, columns, 1, rows + q * columns,
                    scores + q * columns, found + q);
    }
}

/* Add the shortlists of one part of the rows to those of another. */
static void topk_merge(uint64_t *keys, int64_t *counts, const uint64_t *other_keys,
                       const int64_t *other_counts, int64_t n_queries, int64_t capacity,
                       int64_t k) {
    for (int64_t q = 0; q < n_queries; q++) {
        float limit = 0.0f; /* not needed any more */
        for (int64_t i = 0; i < other_counts[q]; i++)
            shortlist_add(keys + q * capacity, counts + q, capacity, k,
                          other_keys[q * capacity + i], &limit);
    }
}

/* The k best of n given scores; a NaN ends the search and returns its place, else -1. `allowed`
 * (ascending, or NULL: all) and `excluded` (ascending) are rows. -infinity is no answer. */
static int64_t topk_of_scores(const float *scores, int64_t n, const int32_t *allowed,
                              const int32_t *excluded, int64_t n_excluded, uint64_t *keys,
                              int64_t *count, int64_t capacity, int64_t k) {
    float limit = -INFINITY;
    *count = 0;
    for (int64_t first = 0; first < n; first += SIMD_LANES) {
        float group[SIMD_LANES];
        const float *lanes = scores + first;
        uint32_t passing;
        if (allowed || n - first < SIMD_LANES) {
            for (int lane = 0; lane < SIMD_LANES; lane++) {
                const int64_t place = first + lane;
                group[lane] = place >= n ? -INFINITY : scores[allowed ? allowed[place] : place];
            }
            lanes = group;
        }
        const simd_float values = simd_load(lanes);
        const uint32_t broken = simd_unordered(values, values);
        if (broken) {
            const int64_t place = first + simd_lowest(broken);
            return allowed ? allowed[place] : place;
        }
        for (passing = simd_above(values, simd_set1(limit)); passing; passing &= passing - 1) {
            const int lane = simd_lowest(passing);
            const int32_t row = allowed ? allowed[first + lane] : (int32_t)(first + lane);
            if (lanes[lane] <= limit || rows_hold(excluded, n_excluded, row)) continue;
            shortlist_add(keys, count, capacity, k, key_of(lanes[lane], row), &limit);
        }
    }
    return -1;
}

#endif
