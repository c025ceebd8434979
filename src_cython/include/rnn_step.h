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
#include "rnn_losses.h"
#include "rnn_net.h"
#include "team.h"

#define RNN_ROWS_A_TILE 32    /* rows that take a time step together, at most */
#define RNN_EVENTS_A_TILE 64  /* events that are scored together, at most */
#define RNN_FEWEST 8          /* of either: the rows of a register tile */
#define RNN_TILES 4           /* into which small steps are cut */
#define RNN_SAMPLES_A_TILE 192
#define RNN_COLUMNS_A_TILE 192 /* of a weight matrix's gradient */
#define RNN_FLOATS_A_CHUNK 8192
#define RNN_GROUPS_A_CHUNK 64

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

typedef struct {
    RnnNet *net;
    RnnLoss loss;
    int64_t samples, padded_samples;
    const uint64_t *noise; /* alias table; not for the full softmax, whose samples are all items */
    const float *log_q;    /* of each item, or NULL */
    uint32_t input_keep, state_keep; /* of 65536 */
    float clip;
    Optimizer optimizer;
    int64_t steps_done;
    RnnSlots dense_slots, input_slots, output_slots, bias_slots, feature_slots;
    int64_t most_rows, most_events, most_features;
    float *lane_states;
    double totals[2]; /* summed loss, summed weight */

    /* of the step at hand */
    int64_t rows, events, tile_rows, tiles, event_tile, event_tiles;
    const int64_t *starts;
    const int32_t *lengths, *slots;
    const uint8_t *fresh;
    uint64_t step_key;
    double weight;
    int64_t *tile_slab, *slab_event; /* first slab of each tile; first event of each slab */
    int32_t *ids;     /* what rows gradients belong to: samples, targets, inputs */
    int64_t *token;   /* place in the log of what each event hears */
    int32_t *row_of;  /* row of each event */
    float *event_weight, *input_inverse, *output_inverse, *target_inverse, *target_slope;
    double *event_loss, *squares;
    float *x, *queries, *targets, *samples_unit, *sample_inverse, *sample_offset, *scores;
    float *sample_columns, *sample_rows; /* packed for scores and for their way back */
    float *d_out, *output_gradients, *input_gradients, *feature_gradients, *bias_gradients;
    float *dense_gradients;
    RnnTrace trace[RNN_MOST_LAYERS];
    float *w[RNN_MOST_LAYERS], *w_back[RNN_MOST_LAYERS]; /* packed */
    float *u[RNN_MOST_LAYERS], *u_back[RNN_MOST_LAYERS];
    LookupPlan plan, input_plan, feature_plan; /* input_plan only where rows are not tied */
    int32_t *feature_rows, *feature_events;
    float *feature_scales;
    void *plan_scratch;
    float *thread_scratch;
    int64_t thread_floats;
    Team team;
} RnnTrainer;

/* Memory, in one piece: rnn_place() walks through what a trainer needs, and either measures it
 * (base NULL) or points to it. */
static char *rnn_take(char **at, int64_t bytes) {
    char *here = *at;
    *at += (bytes + 63) & ~(int64_t)63;
    return here;
}

static int64_t rnn_place(RnnTrainer *t, char *base, int64_t threads) {
    const RnnNet *net = t->net;
    const int64_t E = t->most_events, K = t->padded_samples, s = net->stride, rows = t->most_rows;
    const int64_t width = net->width, in = net->in_stride, f = sizeof(float);
    const int64_t gradients = t->samples + 2 * E, features = E * t->most_features;
    char *at = base;
    t->tile_slab = (int64_t *)rnn_take(&at, (rows + 2) * 8);
    t->slab_event = (int64_t *)rnn_take(&at, (E + rows + 2) * 8);
    t->token = (int64_t *)rnn_take(&at, E * 8);
    t->event_loss = (double *)rnn_take(&at, E * 8);
    t->squares = (double *)rnn_take(&at, (net->dense_floats / RNN_FLOATS_A_CHUNK + 1) * 8);
    t->ids = (int32_t *)rnn_take(&at, gradients * 4);
    t->row_of = (int32_t *)rnn_take(&at, E * 4);
    float **of_events[] = {&t->event_weight, &t->input_inverse, &t->output_inverse,
                           &t->target_inverse, &t->target_slope};
    for (int i = 0; i < 5; i++) *of_events[i] = (float *)rnn_take(&at, E * f);
    t->x = (float *)rnn_take(&at, E * in * f);
    t->queries = (float *)rnn_take(&at, E * s * f);
    t->targets = (float *)rnn_take(&at, E * s * f);
    t->d_out = (float *)rnn_take(&at, E * s * f);
    t->scores = (float *)rnn_take(&at, E * K * f);
    t->samples_unit = (float *)rnn_take(&at, K * s * f);
    t->sample_inverse = (float *)rnn_take(&at, K * f);
    t->sample_offset = (float *)rnn_take(&at, K * f);
    t->sample_columns = (float *)rnn_take(&at, product_packed_floats(K, net->units) * f);
    t->sample_rows = (float *)rnn_take(&at, product_packed_floats(net->units, K) * f);
    /* one array where rows are tied: samples, targets, inputs */
    t->output_gradients = (float *)rnn_take(&at, (t->samples + E) * s * f);
    t->input_gradients = (float *)rnn_take(&at, E * in * f);
    t->bias_gradients = (float *)rnn_take(&at, gradients * f);
    t->feature_gradients = features ? (float *)rnn_take(&at, E * in * f) : NULL;
    t->dense_gradients = (float *)rnn_take(&at, net->dense_floats * f);
    for (int l = 0; l < net->layers; l++) {
        RnnTrace *trace = &t->trace[l];
        const int is_gru = net->cell == RNN_GRU, is_lstm = net->cell == RNN_LSTM;
        trace->gates = (float *)rnn_take(&at, E * width * f);
        trace->before = (float *)rnn_take(&at, E * s * f);
        trace->out = (float *)rnn_take(&at, E * s * f);
        trace->hidden = is_gru ? (float *)rnn_take(&at, E * s * f) : NULL;
        trace->cell = is_lstm ? (float *)rnn_take(&at, E * s * f) : NULL;
        trace->cell_before = is_lstm ? (float *)rnn_take(&at, E * s * f) : NULL;
        const int64_t k = net->layer[l].in;
        t->w[l] = (float *)rnn_take(&at, product_packed_floats(width, k) * f);
        t->w_back[l] = (float *)rnn_take(&at, product_packed_floats(k, width) * f);
        t->u[l] = (float *)rnn_take(&at, product_packed_floats(width, net->units) * f);
        t->u_back[l] = (float *)rnn_take(&at, product_packed_floats(net->units, width) * f);
    }
    LookupPlan *plans[] = {&t->plan, &t->input_plan, &t->feature_plan};
    const int64_t sizes[] = {gradients, net->is_tied ? 0 : E, features};
    int64_t largest = gradients;
    for (int i = 0; i < 3; i++) {
        plans[i]->rows = (int32_t *)rnn_take(&at, sizes[i] * 4);
        plans[i]->starts = (int32_t *)rnn_take(&at, (sizes[i] + 1) * 4);
        plans[i]->positions = (int32_t *)rnn_take(&at, sizes[i] * 4);
        if (sizes[i] > largest) largest = sizes[i];
    }
    t->feature_rows = (int32_t *)rnn_take(&at, features * 4);
    t->feature_events = (int32_t *)rnn_take(&at, features * 4);
    t->feature_scales = (float *)rnn_take(&at, features * 4);
    t->plan_scratch = rnn_take(&at, lookup_plan_bytes(largest));
    t->lane_states = (float *)rnn_take(&at, rows * net->state_floats * f);
    t->thread_floats = (product_scratch_floats(E, K > width ? K : width, E) +
                        2 * RNN_ROWS_A_TILE * s + width + in + s + 31) & ~(int64_t)15;
    t->thread_scratch = (float *)rnn_take(&at, threads * t->thread_floats * f);
    return at - base;
}

static inline int64_t rnn_tile_of(int64_t count, int64_t most) {
    int64_t tile = (count + RNN_TILES - 1) / RNN_TILES;
    tile = (tile + RNN_FEWEST - 1) / RNN_FEWEST * RNN_FEWEST;
    return tile < RNN_FEWEST ? RNN_FEWEST : tile > most ? most : tile;
}

static inline int64_t rnn_tile_end(const RnnTrainer *t, int64_t tile) {
    return (tile + 1) * t->tile_rows < t->rows ? (tile + 1) * t->tile_rows : t->rows;
}

/* The events of a tile begin at those of its first slab. */
static inline int64_t rnn_tile_event(const RnnTrainer *t, int64_t tile) {
    return t->slab_event[t->tile_slab[tile]];
}

/* Lay out the events of step `number` of the call, draw its samples, and sort what it touches. */
static void rnn_lay_out(RnnTrainer *t, const RnnBatches *b, int64_t number) {
    const RnnNet *net = t->net;
    const int64_t first = b->step_rows[number];
    t->rows = b->step_rows[number + 1] - first;
    t->starts = b->starts + first, t->lengths = b->lengths + first;
    t->slots = b->slots + first, t->fresh = b->fresh + first;
    t->step_key = random_substream(b->key, (uint64_t)(b->first_step + number));
    t->tile_rows = rnn_tile_of(t->rows, RNN_ROWS_A_TILE);
    t->tiles = (t->rows + t->tile_rows - 1) / t->tile_rows;
    int64_t event = 0, slab = 0;
    for (int64_t tile = 0; tile < t->tiles; tile++) {
        const int64_t begin = tile * t->tile_rows, end = rnn_tile_end(t, tile);
        t->tile_slab[tile] = slab;
        for (int64_t time = 0; time < t->lengths[begin]; time++) {
            t->slab_event[slab++] = event;
            for (int64_t r = begin; r < end && t->lengths[r] > time; r++) {
                t->row_of[event] = (int32_t)r;
                t->token[event++] = t->starts[r] + time;
            }
        }
    }
    t->tile_slab[t->tiles] = slab, t->slab_event[slab] = event;
    t->events = event;
    t->event_tile = rnn_tile_of(event, RNN_EVENTS_A_TILE);
    t->event_tiles = (event + t->event_tile - 1) / t->event_tile;
    int32_t *samples = t->ids, *targets = samples + t->samples, *inputs = targets + event;
    if (t->loss.kind == RNN_SOFTMAX) {
        for (int64_t j = 0; j < t->samples; j++) samples[j] = (int32_t)j;
    } else {
        uint64_t stream = random_substream(t->step_key, 1);
        for (int64_t j = 0; j < t->samples; j++)
            samples[j] = alias_draw(t->noise, net->items, &stream);
    }
    t->weight = 0.0;
    for (int64_t e = 0; e < event; e++) {
        inputs[e] = b->tokens[t->token[e]], targets[e] = b->tokens[t->token[e] + 1];
        t->event_weight[e] = b->weights ? b->weights[t->token[e] + 1] : 1.0f;
        t->weight += t->event_weight[e];
    }
    lookup_plan(t->ids, t->samples + (net->is_tied ? 2 : 1) * event, net->items, t->plan_scratch,
                &t->plan);
    if (!net->is_tied) lookup_plan(inputs, event, net->items, t->plan_scratch, &t->input_plan);
    if (b->feature_ids) {
        int64_t count = 0;
        for (int64_t e = 0; e < event; e++)
            for (int64_t i = 0; i < b->n_features; i++) {
                const int64_t at = t->token[e] * b->n_features + i;
                if (b->feature_ids[at] < 0) continue;
                t->feature_rows[count] = b->feature_ids[at];
                t->feature_scales[count] = b->feature_values ? b->feature_values[at] : 1.0f;
                t->feature_events[count++] = (int32_t)e;
            }
        lookup_plan(t->feature_rows, count, net->feature_rows, t->plan_scratch, &t->feature_plan);
    }
    t->steps_done++;
    t->optimizer.correction1 = t->optimizer.correction2 = 1.0f;
    if (t->optimizer.kind == OPTIMIZER_ADAM) {
        const double done = (double)t->steps_done;
        t->optimizer.correction1 = (float)(1.0 / (1.0 - pow(t->optimizer.beta1, done)));
        t->optimizer.correction2 = (float)(1.0 / sqrt(1.0 - pow(t->optimizer.beta2, done)));
    }
}

#endif
