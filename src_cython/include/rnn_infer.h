/* What a trained net does for a service: sessions advance, and ask for the next item.
 *
 * Any number of sessions takes a step together; each has its own state, a row of state_floats.
 * The weights are read as they lie in memory, so that nothing is set up for a single session.
 */
#ifndef FASTREC_RNN_INFER_H
#define FASTREC_RNN_INFER_H

#include "rnn_net.h"

/* What sessions were heard: items of the net, and features a token. */
typedef struct {
    const int32_t *items;
    const int32_t *feature_ids; /* n_features a token, -1 for none; or NULL */
    const float *feature_values;
    int64_t n_features;
} RnnTokens;

static inline void rnn_token_features(const RnnNet *net, const RnnTokens *tokens, int64_t token,
                                      float *x) {
    if (!tokens->feature_ids) return;
    const int64_t at = token * tokens->n_features;
    rnn_add_features(net, tokens->feature_ids + at,
                     tokens->feature_values ? tokens->feature_values + at : NULL,
                     tokens->n_features, x);
}

/* Floats of scratch for steps of up to `rows` sessions. */
static int64_t rnn_infer_floats(const RnnNet *net, int64_t rows) {
    return rows * (net->in_stride + net->width + 5 * net->stride) +
           product_scratch_floats(rows, net->width, net->units) + 16;
}

/* One step of `count` sessions: sessions[i] hears token tokens_at[i]. */
static void rnn_infer_step(const RnnNet *net, const RnnTokens *tokens, int64_t count,
                           const int64_t *sessions, const int64_t *tokens_at, float *states,
                           float *scratch) {
    const int64_t stride = net->stride, width = net->width, units = net->units;
    const int64_t parts = net->cell == RNN_LSTM ? 2 : 1;
    float *x = scratch, *gates = x + count * net->in_stride, *at = gates + count * width;
    RnnTrace t = {gates, at, at + count * stride, at + 2 * count * stride, at + 3 * count * stride,
                  at + 4 * count * stride};
    float *work = at + 5 * count * stride;
    for (int64_t i = 0; i < count; i++) {
        float *row = x + i * net->in_stride;
        rnn_input_row(net, tokens->items[tokens_at[i]], row);
        rnn_token_features(net, tokens, tokens_at[i], row);
    }
    for (int l = 0; l < net->layers; l++) {
        const RnnLayer *layer = &net->layer[l];
        const float *input = l ? t.out : x;
        for (int64_t i = 0; i < count; i++) {
            const float *state = states + sessions[i] * net->state_floats + l * parts * stride;
            memcpy(t.before + i * stride, state, stride * sizeof(float));
            if (parts == 2)
                memcpy(t.cell_before + i * stride, state + stride, stride * sizeof(float));
        }
        if (layer->in)
            product_nn(count, width, layer->in, input, layer->in_stride, layer->w, width, gates,
                       width, 0, work);
        else
            memcpy(gates, x, count * width * sizeof(float));
        const int64_t joined = net->cell == RNN_GRU ? 2 * stride : width;
        product_nn(count, joined, units, t.before, stride, layer->u, width, gates, width, 1, work);
        if (net->cell == RNN_GRU)
            product_nn(count, stride, units, t.before, stride, layer->u + joined, width, t.hidden,
                       stride, 0, work);
        rnn_cell_forward(net, layer, count, t);
        for (int64_t i = 0; i < count; i++) {
            float *state = states + sessions[i] * net->state_floats + l * parts * stride;
            memcpy(state, t.out + i * stride, stride * sizeof(float));
            if (parts == 2) memcpy(state + stride, t.cell + i * stride, stride * sizeof(float));
        }
    }
}

#define RNN_TOGETHER 32 /* sessions that take a step together */

/* Feed sessions [start, stop) their tokens: items[starts[i]], ..., lengths[i] of them. */
static void rnn_encode(const RnnNet *net, const RnnTokens *tokens, const int64_t *starts,
                       const int64_t *lengths, float *states, int64_t start, int64_t stop,
                       float *scratch) {
    int64_t sessions[RNN_TOGETHER], tokens_at[RNN_TOGETHER];
    for (int64_t first = start; first < stop; first += RNN_TOGETHER) {
        const int64_t last = stop - first < RNN_TOGETHER ? stop : first + RNN_TOGETHER;
        for (int64_t step = 0;; step++) {
            int64_t count = 0;
            for (int64_t i = first; i < last; i++)
                if (lengths[i] > step) {
                    sessions[count] = i;
                    tokens_at[count++] = starts[i] + step;
                }
            if (!count) break;
            rnn_infer_step(net, tokens, count, sessions, tokens_at, states, scratch);
        }
    }
}

/* Let sessions [start, stop) hear one token each: token i, where its item is not -1. */
static void rnn_advance(const RnnNet *net, const RnnTokens *tokens, float *states, int64_t start,
                        int64_t stop, float *scratch) {
    int64_t sessions[RNN_TOGETHER], count = 0;
    for (int64_t i = start; i < stop; i++) {
        if (tokens->items[i] >= 0) sessions[count++] = i;
        if (count == RNN_TOGETHER || (i + 1 == stop && count)) {
            rnn_infer_step(net, tokens, count, sessions, sessions, states, scratch);
            count = 0;
        }
    }
}

/* The vectors that sessions [start, stop) look for items with: scores are their products with item
 * vectors (of length 1 for cosine scores), plus the items' bias. */
static void rnn_queries(const RnnNet *net, const float *states, float *out, int64_t start,
                        int64_t stop) {
    const int64_t stride = net->stride, parts = net->cell == RNN_LSTM ? 2 : 1;
    for (int64_t i = start; i < stop; i++) {
        const float *h = states + i * net->state_floats + (net->layers - 1) * parts * stride;
        const float scale =
            net->scale != 0.0f ? net->scale * rnn_inverse_length(h, stride) : 1.0f;
        rnn_scaled(h, scale, out + i * stride, stride);
    }
}

#endif
