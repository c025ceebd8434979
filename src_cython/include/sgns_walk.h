/* A call's way over its centers: groups of them, the output rows each is trained against, the
 * copies of hot rows, and the scratch memory of all that.
 *
 * Input rows belong to context items and to documents, output rows to centers and noise, or to the
 * nodes of a tree: the context predicts the center, as in the authors' code of word2vec.
 */
#ifndef FASTREC_SGNS_WALK_H
#define FASTREC_SGNS_WALK_H

#include <string.h>

#include "alias.h"
#include "sgns_block.h"
#include "sgns_plan.h"

enum { MAX_GROUP = 8 };

typedef struct {
    int64_t first;
    int count;         /* centers; 0 when there is no group left */
    int64_t low, high; /* union of their windows */
    int columns;       /* output rows */
    int collides;      /* a noise item equals one of the centers */
} Group;

/* Copies of one matrix's hot rows, and what they were when they were last exchanged. */
typedef struct {
    float *rows, *base;
} HotRows;

typedef struct {
    const SgnsPlan *plan;
    Layout layout;
    float **rows[2]; /* output rows of the group at work and of the next */
    int32_t *noise_items[2]; /* of the output rows that are noise */
    float *branches[2]; /* hierarchical softmax: the sign of each output row */
    float **input_rows; /* of each token that is laid out */
    float *score, *weight, *hidden, *error;
    HotRows hot_input, hot_output;
    int64_t unexchanged; /* centers since hot rows were exchanged */
    float learning_rate;
    double loss, pairs;
} Walk;

/* Bring a row close. */
static inline void prefetch_row(const float *row, int64_t floats) {
    for (int64_t i = 0; i < floats; i += 16) SIMD_PREFETCH(row + i);
}

/* ---- Hot rows: every thread writes the rows of frequent items all the time, and each write takes
 * the cache line from the other threads. A call works on copies of its own and adds what they have
 * changed to the matrices every `hot_centers` centers. Two threads that exchange the same line at
 * once may lose a change, as with every other row here. */

static void find_input_rows(Walk *walk) {
    const SgnsPlan *plan = walk->plan;
    for (int64_t i = 0; i < walk->layout.length; i++) {
        int64_t item = walk->layout.item[i];
        float *matrix = item < plan->hot_rows ? walk->hot_input.rows : plan->input;
        walk->input_rows[i] = matrix + item * plan->stride;
    }
}

static inline float *output_row(const Walk *walk, int64_t row) {
    float *matrix = row < walk->plan->hot_rows ? walk->hot_output.rows : walk->plan->output;
    return matrix + row * walk->plan->output_stride;
}

static void copy_hot(HotRows *hot, const float *matrix, int64_t floats) {
    memcpy(hot->rows, matrix, (size_t)floats * sizeof(float));
    memcpy(hot->base, matrix, (size_t)floats * sizeof(float));
}

static void exchange_hot(HotRows *hot, float *matrix, int64_t floats) {
    for (int64_t i = 0; i < floats; i += SIMD_LANES) {
        simd_float change = simd_sub(simd_load(hot->rows + i), simd_load(hot->base + i));
        simd_float now = simd_add(simd_load(matrix + i), change);
        simd_store(matrix + i, now);
        simd_store(hot->rows + i, now);
        simd_store(hot->base + i, now);
    }
}

static void copy_hot_rows(Walk *walk) {
    const SgnsPlan *plan = walk->plan;
    if (!plan->documents_only)
        copy_hot(&walk->hot_input, plan->input, plan->hot_rows * plan->stride);
    copy_hot(&walk->hot_output, plan->output, plan->hot_rows * plan->output_stride);
}

static void exchange_hot_rows(Walk *walk) {
    const SgnsPlan *plan = walk->plan;
    if (!plan->documents_only)
        exchange_hot(&walk->hot_input, plan->input, plan->hot_rows * plan->stride);
    exchange_hot(&walk->hot_output, plan->output, plan->hot_rows * plan->output_stride);
    walk->unexchanged = 0;
}

/* ---- Groups of centers and the output rows that they are trained against. */

static inline uint64_t noise_state(const Walk *walk, int64_t center) {
    return random_substream(walk->plan->noise_key,
                            (uint64_t)(walk->layout.place[center] + walk->layout.base));
}

/* Draw noise for the centers [first, first + count). */
static void add_noise_rows(Walk *walk, Group *group, int64_t first, int count, int side) {
    const SgnsPlan *plan = walk->plan;
    uint64_t state = noise_state(walk, first);
    for (int k = 0; k < plan->negatives; k++) {
        int32_t item = alias_draw(plan->noise, plan->items, &state);
        for (int j = 0; j < count; j++) group->collides |= item == walk->layout.item[first + j];
        walk->noise_items[side][group->columns] = item;
        walk->rows[side][group->columns++] = output_row(walk, item);
    }
}

static void add_center_rows(Walk *walk, Group *group, int64_t first, int count, int side) {
    for (int j = 0; j < count; j++)
        walk->rows[side][group->columns++] = output_row(walk, walk->layout.item[first + j]);
}

static void add_path_rows(Walk *walk, Group *group, int side) {
    const SgnsPlan *plan = walk->plan;
    int32_t item = walk->layout.item[group->first];
    for (int64_t p = plan->paths[item]; p < plan->paths[item + 1]; p++) {
        walk->branches[side][group->columns] = plan->branches[p];
        walk->rows[side][group->columns++] = output_row(walk, plan->nodes[p]);
    }
}

static void add_output_rows(Walk *walk, Group *group, int side) {
    const SgnsPlan *plan = walk->plan;
    if (plan->output_layer == HIERARCHICAL_SOFTMAX) {
        add_path_rows(walk, group, side);
        return;
    }
    if (plan->output_layer == FULL_SOFTMAX) {
        for (int64_t i = 0; i < plan->items; i++)
            walk->rows[side][group->columns++] = output_row(walk, i);
        return; /* too many to be brought close ahead of time */
    }
    /* Each center beside its own noise, or all centers and then the noise that they share. */
    int step = plan->apart ? 1 : group->count;
    for (int j = 0; j < group->count; j += step) {
        add_center_rows(walk, group, group->first + j, step, side);
        if (plan->group) add_noise_rows(walk, group, group->first + j, step, side);
    }
}

/* Choose the centers that begin at `first` as the next group and draw its noise; fetch its rows,
 * but for those that train_apart fetches. */
static void draw_group(Walk *walk, Group *group, int64_t first, int64_t fetched, int side) {
    const SgnsPlan *plan = walk->plan;
    const Layout *layout = &walk->layout;
    int64_t limit = plan->group ? plan->group : 1;
    *group = (Group){.first = first, .low = first, .high = first};
    for (int64_t i = first; i < layout->last && group->count < limit; i++) {
        if (layout->sequence[i] != layout->sequence[first]) break;
        if (layout->low[i] < group->low) group->low = layout->low[i];
        if (layout->high[i] > group->high) group->high = layout->high[i];
        group->count++;
    }
    if (!group->count) return;
    add_output_rows(walk, group, side);
    if (plan->output_layer != FULL_SOFTMAX && !plan->apart)
        for (int t = 0; t < group->columns; t++)
            prefetch_row(walk->rows[side][t], plan->output_stride);
    if (plan->documents_only) return;
    for (int64_t i = fetched; i < group->high; i++)
        prefetch_row(walk->input_rows[i], plan->stride);
}

/* ---- Scratch memory. */

/* Output rows that a group has at most. */
static int64_t most_columns(const SgnsPlan *plan) {
    if (plan->output_layer == HIERARCHICAL_SOFTMAX) return plan->longest_path;
    if (plan->output_layer == FULL_SOFTMAX) return plan->items;
    return MAX_GROUP + (plan->apart ? MAX_GROUP : 1) * plan->negatives;
}

static void *carve(char **free_memory, int64_t bytes) {
    void *part = *free_memory;
    *free_memory += (bytes + 63) / 64 * 64;
    return part;
}

/* Lay a walk's arrays out in scratch memory; `capacity` tokens may be laid out. Returns its end. */
static char *place_walk(Walk *walk, int64_t capacity, char *scratch) {
    const SgnsPlan *plan = walk->plan;
    int64_t columns = most_columns(plan);
    walk->hidden = carve(&scratch, MAX_GROUP * plan->output_stride * 4);
    walk->error = carve(&scratch, MAX_GROUP * plan->output_stride * 4);
    walk->hot_input.rows = carve(&scratch, plan->hot_rows * plan->stride * 4);
    walk->hot_input.base = carve(&scratch, plan->hot_rows * plan->stride * 4);
    walk->hot_output.rows = carve(&scratch, plan->hot_rows * plan->output_stride * 4);
    walk->hot_output.base = carve(&scratch, plan->hot_rows * plan->output_stride * 4);
    walk->score = carve(&scratch, (BLOCK_ROWS * columns + 16) * 4);
    walk->weight = carve(&scratch, (BLOCK_ROWS * columns + 16) * 4);
    for (int side = 0; side < 2; side++) {
        walk->rows[side] = carve(&scratch, columns * (int64_t)sizeof(float *));
        walk->noise_items[side] = carve(&scratch, columns * 4);
        walk->branches[side] = carve(&scratch, columns * 4);
    }
    walk->layout.item = carve(&scratch, capacity * 4);
    walk->layout.low = carve(&scratch, capacity * 4);
    walk->layout.high = carve(&scratch, capacity * 4);
    walk->layout.sequence = carve(&scratch, capacity * 4);
    walk->layout.place = carve(&scratch, capacity * 4);
    walk->input_rows = carve(&scratch, capacity * (int64_t)sizeof(float *));
    if (plan->values) walk->layout.value = carve(&scratch, capacity * 4);
    return scratch;
}

/* Bytes of scratch memory that a call needs which lays out at most `capacity` tokens. */
static int64_t sgns_scratch_bytes(const SgnsPlan *plan, int64_t capacity) {
    Walk walk = {.plan = plan};
    char *nowhere = (char *)64; /* never read: only distances count */
    return (int64_t)(place_walk(&walk, capacity, nowhere) - nowhere);
}

#endif
