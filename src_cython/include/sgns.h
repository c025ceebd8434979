/* Skip-gram and CBOW over encoded sequences, with negative sampling, hierarchical or full softmax.
 *
 * A call trains on the tokens [start, stop) of a log as centers. It first lays the tokens that
 * sub-sampling keeps side by side with the bounds of their windows (sgns_plan.h), then walks over
 * them in groups of up to MAX_GROUP neighbouring centers that share their noise items
 * (sgns_walk.h). The group after the one at work is drawn ahead so that its rows are on their way
 * from memory. What is drawn does not depend on where calls begin, but for the grouping of centers,
 * which starts anew at `start` and at each sequence.
 */
#ifndef FASTREC_SGNS_H
#define FASTREC_SGNS_H

#include "sgns_block.h"
#include "sgns_walk.h"

enum { SUM_VECTORS = 4 }; /* of a row, summed in registers at once */

/* The input rows that are trained against a group's output rows at once. */
typedef struct {
    int count;
    float *x[BLOCK_ROWS];
    float seen[BLOCK_ROWS][MAX_GROUP]; /* weight of the pair with each center */
    float sum[BLOCK_ROWS];
} Inputs;

static inline float center_weight(const Walk *walk, int64_t center) {
    return walk->plan->values ? walk->layout.value[center] : 1.0f;
}

static inline float *document_row(const Walk *walk, int64_t center) {
    const SgnsPlan *plan = walk->plan;
    int64_t sequence = walk->layout.first_sequence + walk->layout.sequence[center];
    return plan->documents + plan->document_rows[sequence] * plan->stride;
}

/* ---- One block: input rows against the group's output rows. */

/* Take back the weight of noise items that are one of the group's centers. */
static void forgive_collisions(Walk *walk, const Group *group, const Inputs *inputs, int side) {
    for (int k = 0; k < walk->plan->negatives; k++)
        for (int r = 0; r < inputs->count; r++) {
            float w = inputs->sum[r];
            for (int j = 0; j < group->count; j++)
                if (walk->noise_items[side][group->count + k] ==
                    walk->layout.item[group->first + j])
                    w -= inputs->seen[r][j];
            walk->weight[block_place(inputs->count, group->columns, r, group->count + k)] = -w;
        }
}

static void weigh_noise(Walk *walk, const Group *group, const Inputs *inputs, int side) {
    float *weight = walk->weight;
    for (int tile = 0; tile < group->columns; tile += TILE) {
        int end = tile + TILE < group->columns ? tile + TILE : group->columns;
        int seen_end = group->count < end ? group->count : end;
        for (int r = 0; r < inputs->count; r++) {
            int column = tile;
            for (; column < seen_end; column++) *weight++ = inputs->seen[r][column];
            for (; column < end; column++) *weight++ = -inputs->sum[r];
        }
    }
    if (group->collides) forgive_collisions(walk, group, inputs, side);
}

static void weigh_path(Walk *walk, const Group *group, const Inputs *inputs, int side) {
    for (int r = 0; r < inputs->count; r++)
        for (int t = 0; t < group->columns; t++)
            walk->weight[block_place(inputs->count, group->columns, r, t)] =
                inputs->sum[r] * walk->branches[side][t];
}

/* Score the inputs, take their loss and move both sides; `change` as in block_update. */
static void train_block(Walk *walk, const Group *group, const Inputs *inputs, float *const *change,
                        int side) {
    const SgnsPlan *plan = walk->plan;
    int64_t chunks = plan->output_stride / SIMD_LANES;
    float **rows = walk->rows[side];
    for (int r = 0; r < inputs->count; r++) walk->pairs += inputs->sum[r];
    block_scores(inputs->x, inputs->count, rows, group->columns, chunks, walk->score);
    if (plan->output_layer == FULL_SOFTMAX) {
        walk->loss +=
            softmax_coefficients(walk->score, inputs->count, group->columns,
                                 walk->layout.item[group->first], inputs->sum, walk->learning_rate);
    } else {
        if (plan->output_layer == HIERARCHICAL_SOFTMAX)
            weigh_path(walk, group, inputs, side);
        else
            weigh_noise(walk, group, inputs, side);
        walk->loss +=
            block_coefficients(walk->score, walk->weight, (int64_t)inputs->count * group->columns,
                               walk->learning_rate);
    }
    block_update(inputs->x, change, inputs->count, rows, group->columns, chunks, walk->score,
                 plan->frozen);
}

/* ---- Skip-gram: every row of a window by itself; a group's document comes after its windows. */

/* Collect the rows of the positions [low, high) that stand in a window; group->high stands for the
 * document, which is in all of them. */
static void find_inputs(const Walk *walk, const Group *group, int64_t low, int64_t high,
                        Inputs *inputs) {
    const Layout *layout = &walk->layout;
    inputs->count = 0;
    for (int64_t position = low; position < high; position++) {
        float *seen = inputs->seen[inputs->count], sum = 0;
        int is_document = position == group->high;
        for (int j = 0; j < group->count; j++) {
            int64_t center = group->first + j;
            int is_pair = is_document || (position >= layout->low[center] &&
                                          position < layout->high[center] && position != center);
            seen[j] = is_pair ? center_weight(walk, center) : 0.0f;
            sum += seen[j];
        }
        if (sum == 0) continue;
        inputs->sum[inputs->count] = sum;
        inputs->x[inputs->count++] = is_document ? document_row(walk, group->first)
                                                 : walk->input_rows[position];
    }
}

static void train_skipgram(Walk *walk, const Group *group, int side) {
    int64_t end = group->high + (walk->plan->documents != NULL);
    for (int64_t low = group->low; low < end; low += BLOCK_ROWS) {
        Inputs inputs;
        find_inputs(walk, group, low, low + BLOCK_ROWS < end ? low + BLOCK_ROWS : end, &inputs);
        if (inputs.count) train_block(walk, group, &inputs, inputs.x, side);
    }
}

/* The original scheme: every pair draws noise items of its own. */
static void train_pairs(Walk *walk, const Group *group, int side) {
    const SgnsPlan *plan = walk->plan;
    int64_t end = group->high + (plan->documents != NULL);
    uint64_t state = noise_state(walk, group->first);
    for (int64_t position = group->low; position < end; position++) {
        Inputs inputs;
        find_inputs(walk, group, position, position + 1, &inputs);
        if (!inputs.count) continue;
        Group pair = *group;
        for (int k = 0; k < plan->negatives; k++) {
            int32_t item = alias_draw(plan->noise, plan->items, &state);
            walk->noise_items[side][pair.columns] = item;
            pair.collides |= item == walk->layout.item[group->first];
            walk->rows[side][pair.columns++] = output_row(walk, item);
        }
        train_block(walk, &pair, &inputs, inputs.x, side);
    }
}

/* ---- CBOW: one hidden row a center, made of its window and its document. */

/* Say where the row of a position begins in the hidden row: all in one place for the mean; side by
 * side, the document first, when they are concatenated. */
static inline int64_t slot_of(const SgnsPlan *plan, int64_t center, int64_t position) {
    if (!plan->concatenated) return 0;
    int64_t step = position - center + plan->window;
    return (step + (position < center)) * plan->stride;
}

/* sum[0 : N vectors) = start + the rows of the positions [low, high) but for `center`, scaled. */
SIMD_INLINE void sum_rows(const int N, float *const *rows, int64_t low, int64_t high,
                          int64_t center, const float *start, float scale, int64_t place,
                          float *sum) {
    simd_float total[SUM_VECTORS];
    UNROLL
    for (int n = 0; n < N; n++)
        total[n] = start ? simd_load(start + place + n * SIMD_LANES) : simd_set1(0.0f);
    for (int64_t i = low; i < high; i++) {
        if (i == center) continue;
        const float *row = rows[i] + place;
        UNROLL
        for (int n = 0; n < N; n++) total[n] = simd_add(total[n], simd_load(row + n * SIMD_LANES));
    }
    UNROLL
    for (int n = 0; n < N; n++)
        simd_store(sum + place + n * SIMD_LANES, simd_mul(total[n], simd_set1(scale)));
}

/* hidden = the mean of the rows of a center's window and its document; returns how many they are.
 */
static int64_t mean_of_window(const Walk *walk, int64_t center, float *hidden) {
    const SgnsPlan *plan = walk->plan;
    int64_t low = walk->layout.low[center], high = walk->layout.high[center], c = 0;
    const float *document = plan->documents ? document_row(walk, center) : NULL;
    int64_t count = high - low - (center >= low && center < high) + (document != NULL);
    float scale = count ? 1.0f / (float)count : 0.0f;
    float *const *rows = walk->input_rows;
    for (; c + SUM_VECTORS * SIMD_LANES <= plan->stride; c += SUM_VECTORS * SIMD_LANES)
        sum_rows(SUM_VECTORS, rows, low, high, center, document, scale, c, hidden);
    for (; c < plan->stride; c += SIMD_LANES)
        sum_rows(1, rows, low, high, center, document, scale, c, hidden);
    return count;
}

/* hidden = the rows of a center's document and window side by side, zeros where a window is cut. */
static void concatenate_window(const Walk *walk, int64_t center, float *hidden) {
    const SgnsPlan *plan = walk->plan;
    const Layout *layout = &walk->layout;
    size_t bytes = (size_t)plan->stride * sizeof(float);
    memset(hidden, 0, (size_t)plan->output_stride * sizeof(float));
    memcpy(hidden, document_row(walk, center), bytes);
    for (int64_t i = layout->low[center]; i < layout->high[center]; i++)
        if (i != center)
            memcpy(hidden + slot_of(plan, center, i), walk->input_rows[i], bytes);
}

static inline void add_to_row(float *row, const float *step, int64_t floats) {
    for (int64_t c = 0; c < floats; c += SIMD_LANES)
        simd_store(row + c, simd_add(simd_load(row + c), simd_load(step + c)));
}

/* Add the error of a center's hidden row to its document and to every input row of its window. */
static void spread_error(Walk *walk, int64_t center, const float *error) {
    const SgnsPlan *plan = walk->plan;
    const Layout *layout = &walk->layout;
    if (plan->documents) add_to_row(document_row(walk, center), error, plan->stride);
    if (plan->frozen) return;
    for (int64_t i = layout->low[center]; i < layout->high[center]; i++)
        if (i != center)
            add_to_row(walk->input_rows[i], error + slot_of(plan, center, i), plan->stride);
}

/* Make a center's hidden row; returns the weight of its pair, 0 where there is nothing to it. */
static float compose_hidden(const Walk *walk, int64_t center, float *hidden) {
    if (walk->plan->concatenated)
        concatenate_window(walk, center, hidden);
    else if (!mean_of_window(walk, center, hidden))
        return 0.0f;
    return center_weight(walk, center);
}

static void train_cbow(Walk *walk, const Group *group, int side) {
    const SgnsPlan *plan = walk->plan;
    Inputs inputs;
    float *error[MAX_GROUP];
    inputs.count = group->count;
    for (int j = 0; j < group->count; j++) {
        inputs.x[j] = walk->hidden + j * plan->output_stride;
        error[j] = walk->error + j * plan->output_stride;
        inputs.sum[j] = compose_hidden(walk, group->first + j, inputs.x[j]);
        for (int t = 0; t < group->count; t++) inputs.seen[j][t] = t == j ? inputs.sum[j] : 0.0f;
    }
    memset(walk->error, 0, sizeof(float) * (size_t)(group->count * plan->output_stride));
    train_block(walk, group, &inputs, error, side);
    for (int j = 0; j < group->count; j++) spread_error(walk, group->first + j, error[j]);
}

/* ---- CBOW and documents alone with noise for each center: one input row against the output rows
 * of its center. The centers of a group take turns, but their scores are all taken first, so that
 * none waits for the one before it. */

static void prefetch_apart(const Walk *walk, const Group *group, int j, int side) {
    int width = 1 + walk->plan->negatives;
    if (j >= group->count) return;
    for (int t = 0; t < width; t++)
        prefetch_row(walk->rows[side][j * width + t], walk->plan->output_stride);
}

static void weigh_apart(Walk *walk, const Group *group, const float *seen, int side) {
    float *weight = walk->weight;
    for (int j = 0, column = 0; j < group->count; j++) {
        weight[column++] = seen[j];
        for (int k = 0; k < walk->plan->negatives; k++) weight[column++] = -seen[j];
    }
    if (!group->collides) return;
    for (int j = 0, column = 0; j < group->count; j++, column++)
        for (int k = 0; k < walk->plan->negatives; k++)
            if (walk->noise_items[side][++column] == walk->layout.item[group->first + j])
                weight[column] = 0.0f;
}

/* Train a group and bring the rows of the next one close, which are on the other side. */
static void train_apart(Walk *walk, const Group *group, const Group *next, int side) {
    const SgnsPlan *plan = walk->plan;
    int64_t chunks = plan->output_stride / SIMD_LANES;
    int width = 1 + plan->negatives;
    float *x[MAX_GROUP], *change[MAX_GROUP], seen[MAX_GROUP];
    for (int j = 0; j < group->count; j++) {
        if (plan->documents_only) {
            x[j] = change[j] = document_row(walk, group->first + j);
            seen[j] = center_weight(walk, group->first + j);
        } else {
            x[j] = walk->hidden + j * plan->output_stride;
            change[j] = walk->error + j * plan->output_stride;
            seen[j] = compose_hidden(walk, group->first + j, x[j]);
        }
        walk->pairs += seen[j];
    }
    if (!plan->documents_only)
        memset(walk->error, 0, sizeof(float) * (size_t)(group->count * plan->output_stride));
    for (int j = 0; j < group->count; j++) {
        prefetch_apart(walk, next, j, 1 - side);
        block_scores(x + j, 1, walk->rows[side] + j * width, width, chunks,
                     walk->score + j * width);
    }
    for (int j = group->count; j < next->count; j++) prefetch_apart(walk, next, j, 1 - side);
    weigh_apart(walk, group, seen, side);
    walk->loss += block_coefficients(walk->score, walk->weight, (int64_t)group->count * width,
                                     walk->learning_rate);
    for (int j = 0; j < group->count; j++)
        block_update(x + j, change + j, 1, walk->rows[side] + j * width, width, chunks,
                     walk->score + j * width, plan->frozen);
    if (plan->documents_only) return;
    for (int j = 0; j < group->count; j++) spread_error(walk, group->first + j, change[j]);
}

/* ---- The walk over one call's centers. */

static void train_layout(Walk *walk, float rate_from, float rate_to, int64_t tokens) {
    const SgnsPlan *plan = walk->plan;
    Group groups[2];
    int side = 0;
    find_input_rows(walk);
    draw_group(walk, &groups[0], walk->layout.first, 0, 0);
    while (groups[side].count) {
        Group *group = &groups[side];
        draw_group(walk, &groups[1 - side], group->first + group->count, group->high, 1 - side);
        float done = (float)walk->layout.place[group->first] / (float)tokens;
        walk->learning_rate = rate_from + (rate_to - rate_from) * done;
        if (plan->apart)
            train_apart(walk, group, &groups[1 - side], side);
        else if (plan->cbow)
            train_cbow(walk, group, side);
        else if (plan->group || plan->output_layer != NEGATIVE_SAMPLING)
            train_skipgram(walk, group, side);
        else
            train_pairs(walk, group, side);
        walk->unexchanged += group->count;
        if (plan->hot_rows && walk->unexchanged >= plan->hot_centers) exchange_hot_rows(walk);
        side = 1 - side;
    }
}

/* Train on the centers [start, stop) at a rate that goes linearly from rate_from to rate_to. */
static void train_piece(Walk *walk, int64_t start, int64_t stop, float rate_from, float rate_to) {
    lay_out(&walk->layout, walk->plan, start, stop);
    train_layout(walk, rate_from, rate_to, stop - start);
}

static void add_totals(const Walk *walk, double *totals) {
    totals[0] += walk->loss;
    totals[1] += walk->pairs;
}

/* Train on pieces of a log one after the other: centers [starts[i], starts[i] + grain), up to the
 * log's end; totals[0] += loss, totals[1] += weight of the positive pairs.
 *
 * capacity: tokens that may be laid out: grain plus the contexts outside. The learning rate goes
 * from rate_from linearly to rate_to. scratch: sgns_scratch_bytes() bytes, 64-byte aligned.
 */
static void sgns_train(const SgnsPlan *plan, const int64_t *starts, int64_t count, int64_t grain,
                       int64_t capacity, float rate_from, float rate_to, char *scratch,
                       double *totals) {
    Walk walk = {.plan = plan};
    int64_t tokens = plan->offsets[plan->sequences];
    float step = (rate_to - rate_from) / (float)count;
    place_walk(&walk, capacity, scratch);
    copy_hot_rows(&walk);
    for (int64_t i = 0; i < count; i++) {
        int64_t stop = starts[i] + grain < tokens ? starts[i] + grain : tokens;
        float rate = rate_from + step * (float)i;
        train_piece(&walk, starts[i], stop, rate, i + 1 == count ? rate_to : rate + step);
    }
    exchange_hot_rows(&walk);
    add_totals(&walk, totals);
}

/* Train the rows of the documents [first, last), each by itself, over the epochs [from, to) of
 * `epochs`.
 *
 * Draws depend on a token's place in its document, so a document's row does not depend on which
 * others are there. keys: three an epoch. grain: centers of one stretch; capacity: grain plus the
 * contexts outside.
 */
static void sgns_infer(const SgnsPlan *plan, int64_t first, int64_t last, int64_t from, int64_t to,
                       int64_t epochs, const uint64_t *keys, float rate_from, float rate_to,
                       int64_t grain, int64_t capacity, char *scratch, double *totals) {
    Walk walk = {0};
    for (int64_t document = first; document < last; document++) {
        int64_t length = plan->offsets[document + 1] - plan->offsets[document];
        int64_t offsets[2] = {0, length};
        SgnsPlan one = *plan;
        one.tokens = plan->tokens + plan->offsets[document];
        one.offsets = offsets;
        one.sequences = 1;
        one.document_rows = plan->document_rows + document;
        walk.plan = &one;
        place_walk(&walk, capacity, scratch);
        for (int64_t epoch = from; epoch < to; epoch++) {
            one.keep_key = keys[3 * epoch];
            one.window_key = keys[3 * epoch + 1];
            one.noise_key = keys[3 * epoch + 2];
            float rate = rate_from + (rate_to - rate_from) * (float)epoch / (float)epochs;
            for (int64_t start = 0; start < length; start += grain) {
                int64_t stop = start + grain < length ? start + grain : length;
                train_piece(&walk, start, stop, rate, rate);
            }
        }
    }
    add_totals(&walk, totals);
}

#endif
