/* A recurrent net: its weights, and one step of many sessions at once.
 *
 * The cells are those of PyTorch and cuDNN, p being the state before:
 *
 *   plain   h = f(W x + U p + b), f = tanh or max(0, .)
 *   GRU     r = s(W_r x + U_r p + b_r), z = s(W_z x + U_z p + b_z),
 *           n = tanh(W_n x + b_n + r (U_n p + b_u)), h = (1 - z) n + z p
 *           (Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014, with the
 *           reset gate after the product)
 *   LSTM    i, f, o = s(...), g = tanh(...), c = f c' + i g, h = o tanh(c)
 *           (Hochreiter and Schmidhuber, 1997, with the forget gate of Gers et al., 2000)
 *
 * Matrices are row-major and multiplied from the right: gates = x W + p U + b. Gate g of a row of
 * `width` = gates x `stride` floats begins at g * stride. Columns from `units` to `stride` are zero
 * and stay so. The input x is an item's row, or the row is added to the gates as it is (one_hot).
 */
#ifndef FASTREC_RNN_NET_H
#define FASTREC_RNN_NET_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "product.h"
#include "random.h"
#include "rnn_math.h"

enum { RNN_TANH, RNN_RELU, RNN_GRU, RNN_LSTM };
#define RNN_MOST_LAYERS 3
#define RNN_SMALLEST_SQUARE 1e-24f /* of the length that a row is divided by */

typedef struct {
    int64_t in, in_stride; /* numbers of an input row; 0 where rows are gates */
    float *w, *u, *b;      /* in x width, units x width, width */
    float *bu;             /* stride: the bias inside the reset gate of a GRU */
} RnnLayer;

typedef struct {
    int cell, layers, one_hot, gates, is_tied;
    int64_t units, stride, width;
    int64_t in, in_stride; /* of the rows of `inputs` and `features` */
    float scale;           /* of cosine scores; 0 for dot products */
    RnnLayer layer[RNN_MOST_LAYERS];
    float *dense; /* all weights of the layers */
    int64_t dense_floats;
    float *inputs, *outputs, *bias, *features;
    int64_t items, feature_rows;
    int64_t state_floats; /* of a session: per layer h and, in an LSTM, c */
} RnnNet;

static inline int rnn_gates(int cell) { return cell == RNN_GRU ? 3 : cell == RNN_LSTM ? 4 : 1; }

/* Where the weights of the layers lie in `dense`; returns how many floats they are. */
static int64_t rnn_layout(RnnNet *net, float *dense) {
    int64_t at = 0;
    for (int l = 0; l < net->layers; l++) {
        RnnLayer *layer = &net->layer[l];
        layer->in = l ? net->units : net->one_hot ? 0 : net->in;
        layer->in_stride = l ? net->stride : net->one_hot ? 0 : net->in_stride;
        layer->w = dense + at, at += layer->in * net->width;
        layer->u = dense + at, at += net->units * net->width;
        layer->b = dense + at, at += net->width;
        layer->bu = dense + at, at += net->cell == RNN_GRU ? net->stride : 0;
    }
    net->dense = dense;
    return net->dense_floats = at;
}

/* Rows */

/* sum of a[i] b[i] over a padded row, in an order that does not depend on the level's width. */
static inline float rnn_dot(const float *a, const float *b, int64_t stride) {
    float sums[16], sum = 0.0f;
    simd_float part[16 / SIMD_LANES];
    for (int j = 0; j < 16 / SIMD_LANES; j++) part[j] = simd_set1(0.0f);
    for (int64_t i = 0; i < stride; i += 16)
        for (int j = 0; j < 16 / SIMD_LANES; j++)
            part[j] = simd_fma(simd_load(a + i + j * SIMD_LANES), simd_load(b + i + j * SIMD_LANES),
                               part[j]);
    for (int j = 0; j < 16 / SIMD_LANES; j++) simd_store(sums + j * SIMD_LANES, part[j]);
    for (int j = 0; j < 16; j++) sum += sums[j];
    return sum;
}

static inline void rnn_scaled(const float *row, float scale, float *out, int64_t stride) {
    for (int64_t i = 0; i < stride; i += SIMD_LANES)
        simd_store(out + i, simd_mul(simd_set1(scale), simd_load(row + i)));
}

/* out += scale * row */
static inline void rnn_add(const float *row, float scale, float *out, int64_t stride) {
    for (int64_t i = 0; i < stride; i += SIMD_LANES)
        simd_store(out + i, simd_fma(simd_set1(scale), simd_load(row + i), simd_load(out + i)));
}

/* One over the length of a row. */
static inline float rnn_inverse_length(const float *row, int64_t stride) {
    const float square = rnn_dot(row, row, stride);
    return 1.0f / sqrtf(square > RNN_SMALLEST_SQUARE ? square : RNN_SMALLEST_SQUARE);
}

/* The gradient of v from that of u = v / |v|: (d - (d . u) u) / |v|, in place. */
static inline void rnn_unit_backward(float *d, const float *unit, float inverse, int64_t stride) {
    const float along = rnn_dot(d, unit, stride);
    const simd_float minus = simd_set1(-along), scale = simd_set1(inverse);
    for (int64_t i = 0; i < stride; i += SIMD_LANES)
        simd_store(d + i, simd_mul(scale, simd_fma(minus, simd_load(unit + i), simd_load(d + i))));
}

/* Inverted dropout: each number is kept with a chance of `keep` / 65536 and then multiplied by
 * `scale`, else zero; a 64-bit draw serves four numbers. The same key drops the same ones. */
static inline void rnn_dropout(float *row, int64_t stride, uint64_t key, uint32_t keep,
                               float scale) {
    for (int64_t i = 0; i < stride; i += 4) {
        const uint64_t draw = mix64(key + (uint64_t)(i / 4 + 1) * RANDOM_GOLDEN);
        for (int j = 0; j < 4; j++) row[i + j] *= (draw >> (16 * j) & 0xFFFF) < keep ? scale : 0.0f;
    }
}

/* The input row of an event before dropout and features; returns one over its length where it is
 * normalised, else 1. */
static inline float rnn_input_row(const RnnNet *net, int32_t item, float *x) {
    const float *row = net->inputs + item * net->in_stride;
    float inverse = 1.0f;
    if (net->scale != 0.0f && !net->one_hot) inverse = rnn_inverse_length(row, net->in_stride);
    rnn_scaled(row, inverse, x, net->in_stride);
    return inverse;
}

static inline void rnn_add_features(const RnnNet *net, const int32_t *ids, const float *values,
                                    int64_t count, float *x) {
    for (int64_t f = 0; f < count; f++)
        if (ids[f] >= 0)
            rnn_add(net->features + ids[f] * net->in_stride, values ? values[f] : 1.0f, x,
                    net->in_stride);
}

/* Cells */

/* The arrays of some events of one layer, a row each. What is forward in them is overwritten by
 * gradients on the way back: `gates` by those before the gates' functions, `hidden` by that of
 * U_n p + b_u. */
typedef struct {
    float *gates;       /* width; first the products, then r z n or i f g o or h's slope's source */
    float *hidden;      /* stride: U_n p + b_u of a GRU */
    float *before;      /* stride: p */
    float *cell_before; /* stride: c' of an LSTM */
    float *cell;        /* stride: c of an LSTM */
    float *out;         /* stride: h */
} RnnTrace;

static inline RnnTrace rnn_trace_at(const RnnNet *net, RnnTrace t, int64_t event) {
    const int is_gru = net->cell == RNN_GRU, is_lstm = net->cell == RNN_LSTM;
    t.gates += event * net->width;
    t.before += event * net->stride;
    t.out += event * net->stride;
    if (is_gru) t.hidden += event * net->stride;
    if (is_lstm) t.cell += event * net->stride, t.cell_before += event * net->stride;
    return t;
}

/* From products to states: `gates` holds x W + p U (of a GRU without p U_n, which `hidden` holds),
 * without biases. */
static void rnn_cell_forward(const RnnNet *net, const RnnLayer *layer, int64_t count, RnnTrace t) {
    const int64_t stride = net->stride;
    const float *b = layer->b;
    for (int64_t e = 0; e < count; e++, t = rnn_trace_at(net, t, 1))
        for (int64_t i = 0; i < stride; i += SIMD_LANES) {
            float *g = t.gates + i;
            const simd_float first = simd_add(simd_load(g), simd_load(b + i));
            if (net->cell == RNN_GRU) {
                const simd_float r = rnn_sigmoid(first);
                const simd_float z =
                    rnn_sigmoid(simd_add(simd_load(g + stride), simd_load(b + stride + i)));
                const simd_float inner =
                    simd_add(simd_load(t.hidden + i), simd_load(layer->bu + i));
                const simd_float n = rnn_tanh(simd_fma(
                    r, inner, simd_add(simd_load(g + 2 * stride), simd_load(b + 2 * stride + i))));
                const simd_float p = simd_load(t.before + i);
                simd_store(g, r), simd_store(g + stride, z), simd_store(g + 2 * stride, n);
                simd_store(t.hidden + i, inner);
                simd_store(t.out + i, simd_fma(z, simd_sub(p, n), n));
            } else if (net->cell == RNN_LSTM) {
                const simd_float in = rnn_sigmoid(first);
                const simd_float forget =
                    rnn_sigmoid(simd_add(simd_load(g + stride), simd_load(b + stride + i)));
                const simd_float update =
                    rnn_tanh(simd_add(simd_load(g + 2 * stride), simd_load(b + 2 * stride + i)));
                const simd_float out =
                    rnn_sigmoid(simd_add(simd_load(g + 3 * stride), simd_load(b + 3 * stride + i)));
                const simd_float c =
                    simd_fma(forget, simd_load(t.cell_before + i), simd_mul(in, update));
                simd_store(g, in), simd_store(g + stride, forget);
                simd_store(g + 2 * stride, update), simd_store(g + 3 * stride, out);
                simd_store(t.cell + i, c);
                simd_store(t.out + i, simd_mul(out, rnn_tanh(c)));
            } else if (net->cell == RNN_TANH) {
                simd_store(t.out + i, rnn_tanh(first));
            } else {
                simd_store(t.out + i, simd_max(simd_set1(0.0f), first));
            }
        }
}

/* From gradients of h to gradients of the products.
 *
 * d_out: gradient of h from above; carry, carry_cell: those of h and c from later steps, replaced by
 * what reaches p and c' without a product. */
static void rnn_cell_backward(const RnnNet *net, int64_t count, RnnTrace t, const float *d_out,
                              float *carry, float *carry_cell) {
    const int64_t stride = net->stride;
    const simd_float one = simd_set1(1.0f), zero = simd_set1(0.0f), least = simd_set1(1e-30f);
    for (int64_t e = 0; e < count; e++, t = rnn_trace_at(net, t, 1)) {
        for (int64_t i = 0; i < stride; i += SIMD_LANES) {
            float *g = t.gates + i;
            const simd_float d = simd_add(simd_load(d_out + i), simd_load(carry + i));
            if (net->cell == RNN_GRU) {
                const simd_float r = simd_load(g), z = simd_load(g + stride);
                const simd_float n = simd_load(g + 2 * stride), p = simd_load(t.before + i);
                const simd_float keep = simd_mul(d, z);
                const simd_float dn =
                    simd_mul(simd_sub(d, keep), simd_sub(one, simd_mul(n, n)));
                const simd_float dz =
                    simd_mul(simd_mul(keep, simd_sub(p, n)), simd_sub(one, z));
                const simd_float inner = simd_mul(dn, r);
                const simd_float dr =
                    simd_mul(simd_mul(inner, simd_load(t.hidden + i)), simd_sub(one, r));
                simd_store(g, dr), simd_store(g + stride, dz), simd_store(g + 2 * stride, dn);
                simd_store(t.hidden + i, inner);
                simd_store(carry + i, keep);
            } else if (net->cell == RNN_LSTM) {
                const simd_float in = simd_load(g), forget = simd_load(g + stride);
                const simd_float update = simd_load(g + 2 * stride), out = simd_load(g + 3 * stride);
                const simd_float c = rnn_tanh(simd_load(t.cell + i));
                const simd_float dc = simd_fma(simd_mul(d, out), simd_sub(one, simd_mul(c, c)),
                                               simd_load(carry_cell + i));
                const simd_float d_in = simd_mul(dc, update), d_update = simd_mul(dc, in);
                const simd_float d_forget = simd_mul(dc, simd_load(t.cell_before + i));
                simd_store(g, simd_mul(d_in, simd_mul(in, simd_sub(one, in))));
                simd_store(g + stride,
                           simd_mul(d_forget, simd_mul(forget, simd_sub(one, forget))));
                simd_store(g + 2 * stride,
                           simd_mul(d_update, simd_sub(one, simd_mul(update, update))));
                simd_store(g + 3 * stride,
                           simd_mul(simd_mul(d, c), simd_mul(out, simd_sub(one, out))));
                simd_store(carry_cell + i, simd_mul(dc, forget));
                simd_store(carry + i, zero);
            } else {
                const simd_float h = simd_load(t.out + i);
                const simd_float slope = net->cell == RNN_TANH
                                             ? simd_sub(one, simd_mul(h, h))
                                             : simd_if_negative(simd_sub(h, least), zero, one);
                simd_store(g, simd_mul(d, slope));
                simd_store(carry + i, zero);
            }
        }
        d_out += stride, carry += stride, carry_cell += net->cell == RNN_LSTM ? stride : 0;
    }
}

#endif
