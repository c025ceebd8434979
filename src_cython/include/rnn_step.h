/* What a training step of a recurrent net works on: its events, their arrays, tiles of work.
 *
 * A step takes some rows, each a stretch of one session, longest first. Event t of a row hears one
 * item and has the next one as its target. Rows are cut into tiles, and events lie tile by tile,
 * within a tile time by time: a *slab* is what the rows of a tile hear at one time, and is
 * contiguous, so that a time step is a product of neighbouring rows and a whole tile's inputs are
 * one. Tiles depend on the step alone, never on threads.
 *
 * All arrays have a row an event (or a sample), as long as the largest step needs.
 */
#ifndef FASTREC_RNN_STEP_H
#define FASTREC_RNN_STEP_H

#include "alias.h"
#include "lookup.h"
#include "product_any.h"
#include "rnn_losses.h"
#include "rnn_net.h"
#include "team.h"

#define RNN_ROWS_A_TILE 32    /* rows that take a time step together, at most */
#define RNN_FEWEST_ROWS 8     /* the rows of a register tile */
#define RNN_TILES 4           /* into which small steps are cut */
#define RNN_SAMPLE_GROUPS 8    /* into which samples are cut, as the sums over them are */
#define RNN_SAMPLES_A_CHUNK 64 /* that are updated at once: their gradients stay in the first caches */
#define RNN_GATHERED_AHEAD 8
#define RNN_COLUMNS_A_TILE 192 /* of a weight matrix's gradient */
#define RNN_FLOATS_A_CHUNK 8192
#define RNN_GROUPS_A_CHUNK 16

/* What the steps of one call are made of; see the documentation of Trainer.run in rnn.pyx. */
typedef struct {
    const int32_t *tokens;
    const float *weights;
    const int32_t *feature_ids;
    const float *feature_values;
    int64_t n_features;
    const int64_t *starts;
    const int32_t *lengths;
    const int32_t *slots;
    const uint8_t *fresh;
    const int64_t *step_rows;
    int64_t steps, first_step;
    uint64_t key;
} RnnBatches;

/* The state of an optimizer beside a matrix, state_stride floats a row; see optimizers.h. */
typedef struct {
    float *state;
    int64_t stride;
} RnnSlots;

/* One step, laid out. Two of these take turns, so that a step is laid out during the one before. */
typedef struct {
    int64_t rows, events, padded; /* events padded to a multiple of SIMD_LANES */
    int64_t tile_rows, tiles;
    const int64_t *starts;
    const int32_t *lengths, *slots;
    const uint8_t *fresh;
    uint64_t key;
    double weight;
    int64_t *tile_slab, *slab_event; /* first slab of each tile; first event of each slab */
    int32_t *ids;                    /* the items of gradients: samples, targets, inputs */
    uint8_t *is_shared;              /* of each sample: its row is one of `plan` */
    int64_t *token;                  /* place in the log of what each event hears */
    int32_t *row_of;                 /* row of each event */
    float *event_weight;             /* its share in the gradient */
    LookupPlan plan; /* of targets' rows and, where tied, those of inputs: samples' gradients too */
    LookupPlan input_plan, feature_plan; /* input_plan only where rows are not tied */
    int32_t *feature_rows, *feature_events;
    float *feature_scales;
} RnnStep;

typedef struct {
    RnnNet *net;
    RnnLoss loss;
    int64_t samples, chunks, group_samples, groups; /* groups are whole chunks */
    const uint64_t *noise; /* alias table; not for the full softmax, whose samples are all items */
    const float *log_q;    /* of each item, or NULL */
    uint32_t input_keep, state_keep; /* of 65536 */
    float clip;
    int is_bf16; /* products round what they multiply to bfloat16 */
    Optimizer optimizer;
    int64_t steps_done;
    RnnSlots dense_slots, input_slots, output_slots, bias_slots, feature_slots;
    int64_t most_rows, most_events, most_features;
    float *lane_states;
    double totals[2]; /* summed loss, summed weight */

    RnnStep step[2];
    float *x, *input_inverse;
    RnnTrace trace[RNN_MOST_LAYERS];
    float *w[RNN_MOST_LAYERS], *w_back[RNN_MOST_LAYERS]; /* packed */
    float *u[RNN_MOST_LAYERS], *u_back[RNN_MOST_LAYERS];
    float *queries, *targets, *own, *own_slope, *query_inverse, *target_inverse;
    float *sampled, *sample_inverse, *sample_offset; /* rows of samples, of length 1 for cosines */
    float *scores;        /* samples x padded events: scores, then slopes */
    float *group_sums;    /* see rnn_losses.h */
    float *group_queries; /* gradients of queries, as far as a group makes them */
    float *d_out;
    float *output_gradients, *input_gradients, *feature_gradients, *bias_gradients;
    float *dense_gradients;
    double *event_loss;
    LookupPlan event_plan; /* of targets, or of targets and inputs, alone */
    void *plan_scratch;
    float *thread_scratch;
    int64_t thread_floats;
    Team team;
} RnnTrainer;

/* Memory: what a trainer works with, and what is its own; trainers of like nets that take turns share
 * the first. rnn_place_work() and then rnn_place_own() walk through it, and either measure it (base
 * NULL) or point to it. */
static char *rnn_take(char **at, int64_t bytes) {
    char *here = *at;
    *at += (bytes + 63) & ~(int64_t)63;
    return here;
}

static float *rnn_take_floats(char **at, int64_t count) {
    return (float *)rnn_take(at, count * (int64_t)sizeof(float));
}

static void rnn_place_plan(LookupPlan *plan, char **at, int64_t size) {
    plan->rows = (int32_t *)rnn_take(at, size * 4);
    plan->starts = (int32_t *)rnn_take(at, (size + 1) * 4);
    plan->positions = (int32_t *)rnn_take(at, size * 4);
}

static void rnn_place_step(const RnnTrainer *t, RnnStep *s, char **at, int64_t positions) {
    const int64_t E = (t->most_events + 15) & ~(int64_t)15, features = E * t->most_features;
    s->tile_slab = (int64_t *)rnn_take(at, (t->most_rows + 2) * 8);
    s->slab_event = (int64_t *)rnn_take(at, (E + t->most_rows + 2) * 8);
    s->token = (int64_t *)rnn_take(at, E * 8);
    s->ids = (int32_t *)rnn_take(at, (positions + 16) * 4);
    s->is_shared = (uint8_t *)rnn_take(at, t->samples);
    s->row_of = (int32_t *)rnn_take(at, E * 4);
    s->event_weight = rnn_take_floats(at, E);
    rnn_place_plan(&s->plan, at, positions);
    rnn_place_plan(&s->input_plan, at, t->net->is_tied ? 0 : E);
    rnn_place_plan(&s->feature_plan, at, features);
    s->feature_rows = (int32_t *)rnn_take(at, features * 4);
    s->feature_events = (int32_t *)rnn_take(at, features * 4);
    s->feature_scales = rnn_take_floats(at, features);
}

static void rnn_place_layer(RnnTrainer *t, int64_t l, char **at, int64_t E) {
    const RnnNet *net = t->net;
    const int64_t s = net->stride, width = net->width, in = net->layer[l].in, units = net->units;
    RnnTrace *trace = &t->trace[l];
    trace->gates = rnn_take_floats(at, E * width);
    trace->before = rnn_take_floats(at, E * s);
    trace->out = rnn_take_floats(at, E * s);
    trace->hidden = net->cell == RNN_GRU ? rnn_take_floats(at, E * s) : NULL;
    trace->cell = net->cell == RNN_LSTM ? rnn_take_floats(at, E * s) : NULL;
    trace->cell_before = net->cell == RNN_LSTM ? rnn_take_floats(at, E * s) : NULL;
    t->w[l] = rnn_take_floats(at, product_any_floats(t->is_bf16, width, in));
    t->w_back[l] = rnn_take_floats(at, product_any_floats(t->is_bf16, in, width));
    t->u[l] = rnn_take_floats(at, product_any_floats(t->is_bf16, width, units));
    t->u_back[l] = rnn_take_floats(at, product_any_floats(t->is_bf16, units, width));
}

/* Positions of a plan that are sorted at once, at most. */
static int64_t rnn_most_sorted(const RnnTrainer *t, int64_t E) {
    const int64_t features = E * t->most_features;
    const int64_t positions = t->samples + (t->net->is_tied ? 2 : 1) * E;
    return features > positions ? features : positions;
}

static int64_t rnn_place_work(RnnTrainer *t, char *base, int64_t threads) {
    const RnnNet *net = t->net;
    const int64_t E = (t->most_events + 15) & ~(int64_t)15, K = t->samples, s = net->stride;
    const int64_t in = net->in_stride;
    char *at = base;
    t->chunks = (K + RNN_SAMPLES_A_CHUNK - 1) / RNN_SAMPLES_A_CHUNK;
    t->group_samples = (t->chunks + RNN_SAMPLE_GROUPS - 1) / RNN_SAMPLE_GROUPS * RNN_SAMPLES_A_CHUNK;
    t->groups = (K + t->group_samples - 1) / t->group_samples;
    for (int i = 0; i < 2; i++) rnn_place_step(t, &t->step[i], &at, K + 2 * E);
    for (int l = 0; l < net->layers; l++) rnn_place_layer(t, l, &at, E);
    t->x = rnn_take_floats(&at, E * in);
    t->input_inverse = rnn_take_floats(&at, E);
    t->queries = rnn_take_floats(&at, E * s);
    t->targets = rnn_take_floats(&at, E * s);
    float **of_events[] = {&t->own, &t->own_slope, &t->query_inverse, &t->target_inverse};
    for (int i = 0; i < 4; i++) *of_events[i] = rnn_take_floats(&at, E);
    t->sampled = rnn_take_floats(&at, K * s);
    t->sample_inverse = rnn_take_floats(&at, K);
    t->sample_offset = rnn_take_floats(&at, K);
    t->scores = rnn_take_floats(&at, K * E);
    t->group_sums = rnn_take_floats(&at, t->groups * RNN_SUMS * E);
    t->group_queries = rnn_take_floats(&at, t->groups * E * s);
    t->d_out = rnn_take_floats(&at, E * s);
    t->output_gradients = rnn_take_floats(&at, (K + E) * s);
    t->input_gradients = rnn_take_floats(&at, E * in);
    t->bias_gradients = rnn_take_floats(&at, K + E);
    t->feature_gradients = t->most_features ? rnn_take_floats(&at, E * in) : NULL;
    t->dense_gradients = rnn_take_floats(&at, net->dense_floats);
    t->event_loss = (double *)rnn_take(&at, E * 8);
    rnn_place_plan(&t->event_plan, &at, (net->is_tied ? 2 : 1) * E);
    t->plan_scratch = rnn_take(&at, lookup_plan_bytes(rnn_most_sorted(t, E)));
    /* Beside what a product needs: the queries, packed; or sums and what rnn_train.h has behind. */
    const int64_t packed = product_any_floats(t->is_bf16, E, net->units);
    const int64_t carried = 2 * RNN_ROWS_A_TILE, updated = RNN_SAMPLES_A_CHUNK;
    const int64_t sums = (RNN_SUMS + t->groups) * E + (carried > updated ? carried : updated) * s +
                         net->width + in;
    t->thread_floats = (product_scratch_floats(E, net->width, E) +
                        (packed > sums ? packed : sums) + 31) & ~(int64_t)15;
    t->thread_scratch = rnn_take_floats(&at, threads * t->thread_floats);
    return at - base;
}

static int64_t rnn_place_own(RnnTrainer *t, char *base) {
    const RnnNet *net = t->net;
    const int64_t E = (t->most_events + 15) & ~(int64_t)15;
    char *at = base;
    t->lane_states = rnn_take_floats(&at, t->most_rows * net->state_floats);
    /* chunks of weights and of rows are the most tickets of a phase, or tiles of rows or columns */
    t->team.most_tickets = net->dense_floats / RNN_FLOATS_A_CHUNK +
                           (4 * E + rnn_most_sorted(t, E)) / RNN_GROUPS_A_CHUNK + t->chunks +
                           t->most_rows + net->layers * net->width + E + 16;
    t->team.claims = (int32_t *)rnn_take(&at, 4 * t->team.most_tickets * 4);
    return at - base;
}

static inline int64_t rnn_tile_of(int64_t rows) {
    int64_t tile = (rows + RNN_TILES - 1) / RNN_TILES;
    tile = (tile + RNN_FEWEST_ROWS - 1) / RNN_FEWEST_ROWS * RNN_FEWEST_ROWS;
    return tile < RNN_ROWS_A_TILE ? tile : RNN_ROWS_A_TILE;
}

/* The events of a tile begin at those of its first slab. */
static inline int64_t rnn_tile_event(const RnnStep *s, int64_t tile) {
    return s->slab_event[s->tile_slab[tile]];
}

static void rnn_lay_out_features(const RnnTrainer *t, RnnStep *s, const RnnBatches *b) {
    int64_t count = 0;
    for (int64_t e = 0; e < s->events; e++)
        for (int64_t i = 0; i < b->n_features; i++) {
            const int64_t at = s->token[e] * b->n_features + i;
            if (b->feature_ids[at] < 0) continue;
            s->feature_rows[count] = b->feature_ids[at];
            s->feature_scales[count] = b->feature_values ? b->feature_values[at] : 1.0f;
            s->feature_events[count++] = (int32_t)e;
        }
    lookup_plan(s->feature_rows, count, t->net->feature_rows, t->plan_scratch, &s->feature_plan);
}

/* Draw the samples of a step, and sort them; of the full softmax they are all items. */
static void rnn_draw_samples(const RnnTrainer *t, RnnStep *s) {
    uint64_t stream = random_substream(s->key, 1);
    if (t->loss.kind == RNN_SOFTMAX) {
        for (int64_t j = 0; j < t->samples; j++) s->ids[j] = (int32_t)j;
        return;
    }
    for (int64_t j = 0; j < t->samples; j++)
        s->ids[j] = alias_draw(t->noise, t->net->items, &stream);
    lookup_sort(s->ids, t->samples, t->net->items, t->plan_scratch);
}

/* Fill the plan of the rows that events touch as targets, or as targets and inputs: where samples have
 * such a row, their gradients come first. */
static void rnn_plan_outputs(const RnnTrainer *t, RnnStep *s) {
    const LookupPlan *events = &t->event_plan;
    const int64_t samples = t->samples, others = (t->net->is_tied ? 2 : 1) * s->events;
    int64_t sample = 0;
    int32_t place = 0;
    lookup_plan(s->ids + samples, others, t->net->items, t->plan_scratch, &t->event_plan);
    memset(s->is_shared, 0, samples);
    for (int64_t k = 0; k < events->groups; k++) {
        const int32_t row = s->plan.rows[k] = events->rows[k];
        s->plan.starts[k] = place;
        while (sample < samples && s->ids[sample] < row) sample++;
        for (; sample < samples && s->ids[sample] == row; sample++) {
            s->is_shared[sample] = 1;
            s->plan.positions[place++] = (int32_t)sample;
        }
        for (int64_t i = events->starts[k]; i < events->starts[k + 1]; i++)
            s->plan.positions[place++] = (int32_t)(samples + events->positions[i]);
    }
    s->plan.starts[events->groups] = place;
    s->plan.groups = events->groups;
}

/* Lay out step `number` of the call: its events, its samples, and, sorted, the rows it touches. */
static void rnn_lay_out(RnnTrainer *t, const RnnBatches *b, int64_t number) {
    const RnnNet *net = t->net;
    RnnStep *s = &t->step[number & 1];
    const int64_t first = b->step_rows[number];
    s->rows = b->step_rows[number + 1] - first;
    s->starts = b->starts + first, s->lengths = b->lengths + first;
    s->slots = b->slots + first, s->fresh = b->fresh + first;
    s->key = random_substream(b->key, (uint64_t)(b->first_step + number));
    s->tile_rows = rnn_tile_of(s->rows);
    s->tiles = (s->rows + s->tile_rows - 1) / s->tile_rows;
    int64_t event = 0, slab = 0;
    for (int64_t tile = 0; tile < s->tiles; tile++) {
        const int64_t begin = tile * s->tile_rows;
        const int64_t end = begin + s->tile_rows < s->rows ? begin + s->tile_rows : s->rows;
        s->tile_slab[tile] = slab;
        for (int64_t time = 0; time < s->lengths[begin]; time++) {
            s->slab_event[slab++] = event;
            for (int64_t r = begin; r < end && s->lengths[r] > time; r++) {
                s->row_of[event] = (int32_t)r;
                s->token[event++] = s->starts[r] + time;
            }
        }
    }
    s->tile_slab[s->tiles] = slab, s->slab_event[slab] = event;
    s->events = event, s->padded = (event + SIMD_LANES - 1) / SIMD_LANES * SIMD_LANES;
    int32_t *targets = s->ids + t->samples, *inputs = targets + event;
    rnn_draw_samples(t, s);
    s->weight = 0.0;
    for (int64_t e = 0; e < event; e++) {
        inputs[e] = b->tokens[s->token[e]], targets[e] = b->tokens[s->token[e] + 1];
        s->event_weight[e] = b->weights ? b->weights[s->token[e] + 1] : 1.0f;
        s->weight += s->event_weight[e];
    }
    const float share = s->weight > 0.0 ? (float)(1.0 / s->weight) : 0.0f;
    for (int64_t e = 0; e < s->padded; e++)
        s->event_weight[e] = e < event ? share * s->event_weight[e] : 0.0f;
    rnn_plan_outputs(t, s);
    if (!net->is_tied) lookup_plan(inputs, event, net->items, t->plan_scratch, &s->input_plan);
    if (b->feature_ids) rnn_lay_out_features(t, s, b);
}

#endif
