/* Skip-gram and CBOW with negative sampling over encoded sequences.
 *
 * A call trains on the tokens [start, stop) of a log as centers. It first lays the tokens that
 * sub-sampling keeps side by side with the bounds of their windows (`Layout`), then walks over them
 * in groups of up to MAX_GROUP neighbouring centers that share their noise items (`Group`). The
 * group after the one at work is drawn ahead so that its rows are on their way from memory.
 *
 * Input rows belong to context items, output rows to centers and noise: the context predicts the
 * center, as in the authors' code of word2vec. Every draw is a function of a key and a token's
 * place in the log, so what is drawn depends neither on threads nor on where calls begin, but for
 * the grouping of centers, which starts anew at `start` and at each sequence.
 */
#ifndef FASTREC_SGNS_H
#define FASTREC_SGNS_H

#include <stdlib.h>
#include <string.h>

#include "alias.h"
#include "random.h"
#include "sgns_block.h"

enum { MAX_GROUP = 8 };

typedef struct {
    const int32_t *tokens;  /* item codes of all sequences */
    const int32_t *rows;    /* matrix row of each item code, -1 for items that are passed over */
    const int64_t *offsets; /* sequence s is tokens[offsets[s] : offsets[s + 1]] */
    int64_t sequences;
    const float *values;   /* weight of each token as a center, or NULL for 1 */
    const uint32_t *keep;  /* per row: kept when a 32-bit draw is at most this, or NULL */
    const uint64_t *noise; /* alias table: threshold in the low half, alias in the high half */
    int64_t items;         /* rows of the matrices */
    float *input, *output; /* items x stride, rows aligned to 64 bytes */
    int64_t stride;        /* floats, a multiple of 16 */
    uint64_t keep_key, window_key, noise_key;
    int64_t window;     /* kept tokens on each side; 0 = the whole sequence */
    int dynamic_window; /* draw the reach of each center from 1..window */
    int past_only;      /* contexts come before the center only */
    int cbow;
    int negatives;
    int group; /* windows that share their noise items; 0 = drawn for each pair */
} SgnsPlan;

/* What sub-sampling kept, with the window [low, high) of each kept token. */
typedef struct {
    int32_t *item, *low, *high, *sequence, *place;
    float *value;
    int64_t length, first, last; /* centers are [first, last) */
    int64_t base;                /* place[i] + base is the token's index in the log */
} Layout;

typedef struct {
    int64_t first;
    int count;         /* centers; 0 when there is no group left */
    int64_t low, high; /* union of their windows */
    int columns;
    int collides; /* a noise item equals one of the centers */
} Group;

typedef struct {
    const SgnsPlan *plan;
    Layout layout;
    float **rows[2]; /* output rows of the group at work and of the next */
    int32_t *noise_items[2];
    float *score, *weight, *hidden, *error;
    float learning_rate;
    double loss, pairs;
} Walk;

/* Bring a row close for writing. */
static inline void prefetch_row(const float *row, int64_t floats) {
    for (int64_t i = 0; i < floats; i += 16) SIMD_PREFETCH(row + i);
}

static inline int is_kept(const SgnsPlan *plan, int64_t token) {
    int32_t row = plan->rows[plan->tokens[token]];
    if (row < 0) return 0;
    if (!plan->keep) return 1;
    return (uint32_t)(mix64(plan->keep_key + (uint64_t)(token + 1) * RANDOM_GOLDEN) >> 32) <=
           plan->keep[row];
}

static inline void lay(Layout *layout, const SgnsPlan *plan, int64_t token, int64_t sequence) {
    int64_t i = layout->length++;
    layout->item[i] = plan->rows[plan->tokens[token]];
    layout->place[i] = (int32_t)(token - layout->base);
    layout->sequence[i] = (int32_t)sequence;
    if (plan->values) layout->value[i] = plan->values[token];
}

/* Lay the kept contexts before `start` that its centers may reach, in order. */
static void lay_left(Layout *layout, const SgnsPlan *plan, int64_t begin, int64_t start) {
    int64_t wanted = plan->window ? plan->window : INT64_MAX, token = start;
    while (token > begin && wanted > 0) wanted -= is_kept(plan, --token);
    for (; token < start; token++)
        if (is_kept(plan, token)) lay(layout, plan, token, 0);
}

static void lay_right(Layout *layout, const SgnsPlan *plan, int64_t stop, int64_t end,
                      int64_t sequence) {
    int64_t wanted = plan->window ? plan->window : INT64_MAX;
    for (int64_t token = stop; token < end && wanted > 0; token++)
        if (is_kept(plan, token)) {
            lay(layout, plan, token, sequence);
            wanted--;
        }
}

/* Draw the reach of every center and cut it at the ends of its sequence. */
static void set_windows(Layout *layout, const SgnsPlan *plan) {
    int64_t begin = 0, end = 0;
    for (int64_t i = 0; i < layout->last; i++) {
        if (i == end) {
            begin = i;
            while (end < layout->length && layout->sequence[end] == layout->sequence[begin]) end++;
        }
        if (i < layout->first) continue;
        int64_t reach = plan->window ? plan->window : layout->length;
        if (plan->window && plan->dynamic_window) {
            uint64_t token = (uint64_t)(layout->place[i] + layout->base);
            uint64_t draw = mix64(plan->window_key + (token + 1) * RANDOM_GOLDEN) >> 32;
            reach = 1 + (int64_t)((draw * (uint64_t)plan->window) >> 32);
        }
        layout->low[i] = (int32_t)(i - reach > begin ? i - reach : begin);
        layout->high[i] = (int32_t)(i + reach + 1 < end ? i + reach + 1 : end);
        if (plan->past_only) layout->high[i] = (int32_t)i;
    }
}

/* Lay out the tokens [start, stop) and the contexts around them. */
static void lay_out(Layout *layout, const SgnsPlan *plan, int64_t start, int64_t stop) {
    int64_t below = 0, above = plan->sequences;
    while (above - below > 1) { /* the last sequence that begins at or before start */
        int64_t middle = (below + above) / 2;
        if (plan->offsets[middle] <= start)
            below = middle;
        else
            above = middle;
    }
    layout->base = start;
    layout->length = 0;
    lay_left(layout, plan, plan->offsets[below], start);
    layout->first = layout->length;
    int64_t token = start, sequence = below;
    for (;; sequence++) {
        int64_t end = plan->offsets[sequence + 1] < stop ? plan->offsets[sequence + 1] : stop;
        for (; token < end; token++)
            if (is_kept(plan, token)) lay(layout, plan, token, sequence - below);
        if (token == stop) break;
    }
    layout->last = layout->length;
    if (!plan->past_only)
        lay_right(layout, plan, stop, plan->offsets[sequence + 1], sequence - below);
    set_windows(layout, plan);
}

static inline uint64_t noise_state(const Walk *walk, int64_t center) {
    return random_substream(walk->plan->noise_key,
                            (uint64_t)(walk->layout.place[center] + walk->layout.base));
}

/* Choose the centers that begin at `first` as the next group, draw its noise, fetch its rows. */
static void draw_group(Walk *walk, Group *group, int64_t first, int64_t fetched, int side) {
    const SgnsPlan *plan = walk->plan;
    const Layout *layout = &walk->layout;
    float **rows = walk->rows[side];
    int64_t limit = plan->group ? plan->group : 1;
    group->first = first;
    group->count = 0;
    group->columns = 0;
    group->collides = 0;
    group->low = first;
    group->high = first;
    for (int64_t i = first; i < layout->last && group->count < limit; i++) {
        if (layout->sequence[i] != layout->sequence[first]) break;
        if (layout->low[i] < group->low) group->low = layout->low[i];
        if (layout->high[i] > group->high) group->high = layout->high[i];
        rows[group->columns++] = plan->output + layout->item[i] * plan->stride;
        group->count++;
    }
    if (!group->count) return;
    if (plan->group) {
        uint64_t state = noise_state(walk, first);
        for (int k = 0; k < plan->negatives; k++) {
            int32_t item = alias_draw(plan->noise, plan->items, &state);
            walk->noise_items[side][k] = item;
            for (int j = 0; j < group->count; j++)
                group->collides |= item == layout->item[first + j];
            rows[group->columns++] = plan->output + item * plan->stride;
        }
    }
    for (int t = 0; t < group->columns; t++) prefetch_row(rows[t], plan->stride);
    for (int64_t i = fetched; i < group->high; i++)
        prefetch_row(plan->input + layout->item[i] * plan->stride, plan->stride);
}

static inline float center_weight(const Walk *walk, int64_t center) {
    return walk->plan->values ? walk->layout.value[center] : 1.0f;
}

/* Write the weight of (row, column) at its place in the tiled layout of sgns_block.h. */
static inline void put_weight(float *weight, int rows, int columns, int row, int column, float w) {
    int tile = column - column % TILE;
    int width = columns - tile < TILE ? columns - tile : TILE;
    weight[(int64_t)rows * tile + row * width + (column - tile)] = w;
}

/* The rows of a block that stand in a window of its group, and what they weigh there. */
typedef struct {
    int count;
    float *x[BLOCK_ROWS];
    float seen[BLOCK_ROWS][MAX_GROUP]; /* weight of the pair with each center */
    float sum[BLOCK_ROWS];
} Contexts;

static void find_contexts(const Walk *walk, const Group *group, int64_t low, int64_t high,
                          Contexts *contexts) {
    const Layout *layout = &walk->layout;
    contexts->count = 0;
    for (int64_t position = low; position < high; position++) {
        float *seen = contexts->seen[contexts->count], sum = 0;
        for (int j = 0; j < group->count; j++) {
            int64_t center = group->first + j;
            int is_pair = position >= layout->low[center] && position < layout->high[center] &&
                          position != center;
            seen[j] = is_pair ? center_weight(walk, center) : 0.0f;
            sum += seen[j];
        }
        if (sum == 0) continue;
        contexts->sum[contexts->count] = sum;
        contexts->x[contexts->count++] =
            walk->plan->input + layout->item[position] * walk->plan->stride;
    }
}

/* Take back the weight of noise items that are one of the group's centers. */
static void forgive_collisions(Walk *walk, const Group *group, const Contexts *contexts, int side) {
    for (int k = 0; k < walk->plan->negatives; k++)
        for (int r = 0; r < contexts->count; r++) {
            float w = contexts->sum[r];
            for (int j = 0; j < group->count; j++)
                if (walk->noise_items[side][k] == walk->layout.item[group->first + j])
                    w -= contexts->seen[r][j];
            put_weight(walk->weight, contexts->count, group->columns, r, group->count + k, -w);
        }
}

static void fill_weights(Walk *walk, const Group *group, const Contexts *contexts, int side) {
    float *weight = walk->weight;
    for (int tile = 0; tile < group->columns; tile += TILE) {
        int end = tile + TILE < group->columns ? tile + TILE : group->columns;
        int seen_end = group->count < end ? group->count : end;
        for (int r = 0; r < contexts->count; r++) {
            int column = tile;
            for (; column < seen_end; column++) *weight++ = contexts->seen[r][column];
            for (; column < end; column++) *weight++ = -contexts->sum[r];
        }
    }
    if (group->collides) forgive_collisions(walk, group, contexts, side);
}

/* Train the input rows of the positions [low, high) against the group's centers and shared noise.
 */
static void train_rows(Walk *walk, const Group *group, int64_t low, int64_t high, int side) {
    Contexts contexts;
    find_contexts(walk, group, low, high, &contexts);
    if (!contexts.count) return;
    fill_weights(walk, group, &contexts, side);
    for (int r = 0; r < contexts.count; r++) walk->pairs += contexts.sum[r];
    walk->loss += block_train(contexts.x, contexts.x, contexts.count, walk->rows[side],
                              group->columns, walk->plan->stride / SIMD_LANES, walk->score,
                              walk->weight, walk->learning_rate);
}

static void train_skipgram(Walk *walk, const Group *group, int side) {
    for (int64_t low = group->low; low < group->high; low += BLOCK_ROWS) {
        int64_t high = low + BLOCK_ROWS < group->high ? low + BLOCK_ROWS : group->high;
        train_rows(walk, group, low, high, side);
    }
}

/* The original scheme: every pair draws noise items of its own. */
static void train_pairs(Walk *walk, const Group *group, int side) {
    const SgnsPlan *plan = walk->plan;
    const Layout *layout = &walk->layout;
    int64_t center = group->first;
    uint64_t state = noise_state(walk, center);
    float w = center_weight(walk, center);
    for (int64_t i = layout->low[center]; i < layout->high[center]; i++) {
        if (i == center) continue;
        float *x[1] = {plan->input + layout->item[i] * plan->stride};
        walk->weight[0] = w;
        for (int k = 0; k < plan->negatives; k++) {
            int32_t item = alias_draw(plan->noise, plan->items, &state);
            walk->rows[side][1 + k] = plan->output + item * plan->stride;
            walk->weight[1 + k] = item == layout->item[center] ? 0.0f : -w;
        }
        walk->pairs += w;
        walk->loss +=
            block_train(x, x, 1, walk->rows[side], 1 + plan->negatives, plan->stride / SIMD_LANES,
                        walk->score, walk->weight, walk->learning_rate);
    }
}

/* hidden[j] = mean of the input rows of the center's window; returns how many there are. */
static int64_t mean_of_window(Walk *walk, int64_t center, float *hidden) {
    const SgnsPlan *plan = walk->plan;
    const Layout *layout = &walk->layout;
    int64_t low = layout->low[center], high = layout->high[center];
    int64_t count = high - low - (center >= low && center < high);
    simd_float scale = simd_set1(count ? 1.0f / (float)count : 0.0f);
    for (int64_t c = 0; c < plan->stride; c += SIMD_LANES) {
        simd_float sum = simd_set1(0.0f);
        for (int64_t i = low; i < high; i++)
            if (i != center)
                sum = simd_add(sum, simd_load(plan->input + layout->item[i] * plan->stride + c));
        simd_store(hidden + c, simd_mul(sum, scale));
    }
    return count;
}

/* Add the error of a center's hidden row to every input row of its window. */
static void spread_error(Walk *walk, int64_t center, const float *error) {
    const SgnsPlan *plan = walk->plan;
    const Layout *layout = &walk->layout;
    for (int64_t i = layout->low[center]; i < layout->high[center]; i++) {
        if (i == center) continue;
        float *row = plan->input + layout->item[i] * plan->stride;
        for (int64_t c = 0; c < plan->stride; c += SIMD_LANES)
            simd_store(row + c, simd_add(simd_load(row + c), simd_load(error + c)));
    }
}

static void train_cbow(Walk *walk, const Group *group, int side) {
    const SgnsPlan *plan = walk->plan;
    const Layout *layout = &walk->layout;
    float *hidden[MAX_GROUP], *error[MAX_GROUP];
    for (int j = 0; j < group->count; j++) {
        int64_t center = group->first + j;
        hidden[j] = walk->hidden + j * plan->stride;
        error[j] = walk->error + j * plan->stride;
        float w = mean_of_window(walk, center, hidden[j]) ? center_weight(walk, center) : 0.0f;
        walk->pairs += w;
        for (int t = 0; t < group->count; t++)
            put_weight(walk->weight, group->count, group->columns, j, t, t == j ? w : 0.0f);
        for (int k = 0; k < plan->negatives; k++) {
            int is_center = walk->noise_items[side][k] == layout->item[center];
            put_weight(walk->weight, group->count, group->columns, j, group->count + k,
                       is_center ? 0.0f : -w);
        }
    }
    memset(walk->error, 0, sizeof(float) * (size_t)(group->count * plan->stride));
    walk->loss +=
        block_train(hidden, error, group->count, walk->rows[side], group->columns,
                    plan->stride / SIMD_LANES, walk->score, walk->weight, walk->learning_rate);
    for (int j = 0; j < group->count; j++) spread_error(walk, group->first + j, error[j]);
}

static void train_layout(Walk *walk, float rate_from, float rate_to, int64_t tokens) {
    Group groups[2];
    int side = 0;
    draw_group(walk, &groups[0], walk->layout.first, 0, 0);
    while (groups[side].count) {
        Group *group = &groups[side];
        draw_group(walk, &groups[1 - side], group->first + group->count, group->high, 1 - side);
        float done = (float)walk->layout.place[group->first] / (float)tokens;
        walk->learning_rate = rate_from + (rate_to - rate_from) * done;
        if (walk->plan->cbow)
            train_cbow(walk, group, side);
        else if (walk->plan->group)
            train_skipgram(walk, group, side);
        else
            train_pairs(walk, group, side);
        side = 1 - side;
    }
}

/* Bytes of scratch memory that a call needs which lays out at most `capacity` tokens. */
static int64_t sgns_scratch_bytes(const SgnsPlan *plan, int64_t capacity) {
    int64_t columns = MAX_GROUP + plan->negatives;
    return capacity * 5 * 4 + (plan->values ? capacity * 4 : 0) +
           2 * columns * (int64_t)(sizeof(float *) + 4) + 2 * (BLOCK_ROWS * columns + 16) * 4 +
           2 * MAX_GROUP * plan->stride * 4 + 16 * 64;
}

static void *carve(char **free_memory, int64_t bytes) {
    void *part = *free_memory;
    *free_memory += (bytes + 63) / 64 * 64;
    return part;
}

/* Train on the centers [start, stop); totals[0] += loss, totals[1] += weight of the positive pairs.
 *
 * capacity: tokens that may be laid out: stop - start plus the contexts outside. The learning rate
 * goes from rate_from at `start` linearly to rate_to at `stop`. scratch: sgns_scratch_bytes()
 * bytes, 64-byte aligned.
 */
static void sgns_train(const SgnsPlan *plan, int64_t start, int64_t stop, int64_t capacity,
                       float rate_from, float rate_to, char *scratch, double *totals) {
    Walk walk = {.plan = plan};
    int64_t columns = MAX_GROUP + plan->negatives;
    walk.hidden = carve(&scratch, MAX_GROUP * plan->stride * 4);
    walk.error = carve(&scratch, MAX_GROUP * plan->stride * 4);
    walk.score = carve(&scratch, (BLOCK_ROWS * columns + 16) * 4);
    walk.weight = carve(&scratch, (BLOCK_ROWS * columns + 16) * 4);
    for (int side = 0; side < 2; side++) {
        walk.rows[side] = carve(&scratch, columns * (int64_t)sizeof(float *));
        walk.noise_items[side] = carve(&scratch, columns * 4);
    }
    walk.layout.item = carve(&scratch, capacity * 4);
    walk.layout.low = carve(&scratch, capacity * 4);
    walk.layout.high = carve(&scratch, capacity * 4);
    walk.layout.sequence = carve(&scratch, capacity * 4);
    walk.layout.place = carve(&scratch, capacity * 4);
    if (plan->values) walk.layout.value = carve(&scratch, capacity * 4);
    lay_out(&walk.layout, plan, start, stop);
    train_layout(&walk, rate_from, rate_to, stop - start);
    totals[0] += walk.loss;
    totals[1] += walk.pairs;
}

#endif
