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
                if (walk->noise_items[side][k] == walk->layout.item[group->first + j])
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
                                                 : input_row(walk, layout->item[position]);
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
            walk->noise_items[side][k] = item;
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

/* hidden = the mean of the rows of a center's window and its document; returns how many they are.
 */
static int64_t mean_of_window(const Walk *walk, int64_t center, float *hidden) {
    const SgnsPlan *plan = walk->plan;
    const Layout *layout = &walk->layout;
    int64_t low = layout->low[center], high = layout->high[center];
    const float *document = plan->documents ? document_row(walk, center) : NULL;
    int64_t count = high - low - (center >= low && center < high) + (document != NULL);
    simd_float scale = simd_set1(count ? 1.0f / (float)count : 0.0f);
    for (int64_t c = 0; c < plan->stride; c += SIMD_LANES) {
        simd_float sum = document ? simd_load(document + c) : simd_set1(0.0f);
        for (int64_t i = low; i < high; i++)
            if (i != center) sum = simd_add(sum, simd_load(input_row(walk, layout->item[i]) + c));
        simd_store(hidden + c, simd_mul(sum, scale));
    }
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
            memcpy(hidden + slot_of(plan, center, i), input_row(walk, layout->item[i]), bytes);
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
            add_to_row(input_row(walk, layout->item[i]), error + slot_of(plan, center, i),
                       plan->stride);
}

static void train_cbow(Walk *walk, const Group *group, int side) {
    const SgnsPlan *plan = walk->plan;
    Inputs inputs;
    float *error[MAX_GROUP];
    inputs.count = group->count;
    for (int j = 0; j < group->count; j++) {
        int64_t center = group->first + j, sources = 1;
        inputs.x[j] = walk->hidden + j * plan->output_stride;
        error[j] = walk->error + j * plan->output_stride;
        if (plan->concatenated)
            concatenate_window(walk, center, inputs.x[j]);
        else
            sources = mean_of_window(walk, center, inputs.x[j]);
        inputs.sum[j] = sources ? center_weight(walk, center) : 0.0f;
        for (int t = 0; t < group->count; t++) inputs.seen[j][t] = t == j ? inputs.sum[j] : 0.0f;
    }
    memset(walk->error, 0, sizeof(float) * (size_t)(group->count * plan->output_stride));
    train_block(walk, group, &inputs, error, side);
    for (int j = 0; j < group->count; j++) spread_error(walk, group->first + j, error[j]);
}

/* ---- The walk over one call's centers. */

static void train_layout(Walk *walk, float rate_from, float rate_to, int64_t tokens) {
    const SgnsPlan *plan = walk->plan;
    Group groups[2];
    int side = 0;
    int64_t exchanged = walk->layout.first;
    copy_hot_rows(walk);
    draw_group(walk, &groups[0], walk->layout.first, 0, 0);
    while (groups[side].count) {
        Group *group = &groups[side];
        draw_group(walk, &groups[1 - side], group->first + group->count, group->high, 1 - side);
        float done = (float)walk->layout.place[group->first] / (float)tokens;
        walk->learning_rate = rate_from + (rate_to - rate_from) * done;
        if (plan->cbow)
            train_cbow(walk, group, side);
        else if (plan->group || plan->output_layer != NEGATIVE_SAMPLING)
            train_skipgram(walk, group, side);
        else
            train_pairs(walk, group, side);
        side = 1 - side;
        if (plan->hot_rows && groups[side].first - exchanged >= plan->hot_centers) {
            exchange_hot_rows(walk);
            exchanged = groups[side].first;
        }
    }
    exchange_hot_rows(walk);
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
    place_walk(&walk, capacity, scratch);
    lay_out(&walk.layout, plan, start, stop);
    train_layout(&walk, rate_from, rate_to, stop - start);
    totals[0] += walk.loss;
    totals[1] += walk.pairs;
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
    for (int64_t document = first; document < last; document++) {
        int64_t length = plan->offsets[document + 1] - plan->offsets[document];
        int64_t offsets[2] = {0, length};
        SgnsPlan one = *plan;
        one.tokens = plan->tokens + plan->offsets[document];
        one.offsets = offsets;
        one.sequences = 1;
        one.document_rows = plan->document_rows + document;
        for (int64_t epoch = from; epoch < to; epoch++) {
            one.keep_key = keys[3 * epoch];
            one.window_key = keys[3 * epoch + 1];
            one.noise_key = keys[3 * epoch + 2];
            float rate = rate_from + (rate_to - rate_from) * (float)epoch / (float)epochs;
            for (int64_t start = 0; start < length; start += grain) {
                int64_t stop = start + grain < length ? start + grain : length;
                sgns_train(&one, start, stop, capacity, rate, rate, scratch, totals);
            }
        }
    }
}

#endif
