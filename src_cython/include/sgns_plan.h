/* What the skip-gram family trains on, and the tokens of one call laid out side by side.
 *
 * Every draw is a function of a key and a token's place in the log, so what is drawn depends
 * neither on threads nor on where calls begin.
 */
#ifndef FASTREC_SGNS_PLAN_H
#define FASTREC_SGNS_PLAN_H

#include <stdint.h>

#include "random.h"

enum { NEGATIVE_SAMPLING = 0, HIERARCHICAL_SOFTMAX = 1, FULL_SOFTMAX = 2 };

typedef struct {
    const int32_t *tokens;  /* item codes of all sequences */
    const int32_t *rows;    /* matrix row of each item code, -1 for items that are passed over */
    const int64_t *offsets; /* sequence s is tokens[offsets[s] : offsets[s + 1]] */
    int64_t sequences;
    const float *values;   /* weight of each token as a center, or NULL for 1 */
    const uint32_t *keep;  /* per row: kept when a 32-bit draw is at most this, or NULL */
    const uint64_t *noise; /* alias table: threshold in the low half, alias in the high half */
    int64_t items;         /* rows of the input matrix */
    float *input, *output; /* rows of stride and output_stride floats, aligned to 64 bytes */
    int64_t stride, output_stride; /* floats, multiples of 16 */
    uint64_t keep_key, window_key, noise_key;
    int64_t window;     /* kept tokens on each side; 0 = the whole sequence */
    int dynamic_window; /* draw the reach of each center from 1..window */
    int past_only;      /* contexts come before the center only */
    int cbow;
    int concatenated; /* CBOW puts the rows of a window side by side instead of taking their mean */
    int output_layer; /* NEGATIVE_SAMPLING, HIERARCHICAL_SOFTMAX or FULL_SOFTMAX */
    int negatives;
    int group; /* windows that share their noise items; 0 = drawn for each pair */
    int apart; /* a group's centers draw noise of their own and are only scored at once */
    /* Hierarchical softmax: the path of item i is [paths[i], paths[i + 1]) of both arrays. */
    const int64_t *paths;
    const int32_t *nodes;   /* rows of the output matrix */
    const float *branches;  /* 1 or -1: which way the path leaves the node */
    int longest_path;
    /* Paragraph vectors, or NULL: one more context of all windows of a sequence. */
    float *documents;             /* rows of `stride` floats, as in the input matrix */
    const int32_t *document_rows; /* per sequence */
    int documents_only;           /* no windows: the document is each center's only context */
    int frozen;                   /* only the documents are trained */
    int64_t hot_rows;             /* leading rows of both matrices of which a call keeps copies */
    int64_t hot_centers;          /* centers after which copies and matrices are exchanged */
} SgnsPlan;

/* What sub-sampling kept, with the window [low, high) of each kept token. */
typedef struct {
    int32_t *item, *low, *high, *sequence, *place;
    float *value;
    int64_t length, first, last; /* centers are [first, last) */
    int64_t first_sequence;      /* sequence[i] + first_sequence is the token's sequence */
    int64_t base;                /* place[i] + base is the token's index in the log */
} Layout;

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
        if (plan->documents_only) layout->low[i] = layout->high[i] = (int32_t)i;
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
    layout->first_sequence = below;
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

#endif
