"""What ``rnn.pyx`` takes from the headers of recurrent nets."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "rnn_train.h":
    const int RNN_MOST_LAYERS
    const int RNN_SOFTMAX
    const int PRODUCT_HAS_BF16

    ctypedef struct RnnLayer:
        int64_t in_ "in"
        float *w
        float *u
        float *b
        float *bu

    ctypedef struct RnnNet:
        int cell, layers, one_hot, gates, is_tied
        int64_t units, stride, width
        int64_t in_ "in"
        int64_t in_stride
        float scale
        RnnLayer layer[3]
        float *dense
        int64_t dense_floats
        float *inputs
        float *outputs
        float *bias
        float *features
        int64_t items, feature_rows
        int64_t state_floats

    ctypedef struct RnnLoss:
        int kind
        float regularization
        float elu

    ctypedef struct RnnSlots:
        float *state
        int64_t stride

    ctypedef struct Optimizer:
        int kind
        float rate

    ctypedef struct Team:
        int32_t threads

    ctypedef struct RnnBatches:
        const int32_t *tokens
        const float *weights
        const int32_t *feature_ids
        const float *feature_values
        int64_t n_features
        const int64_t *starts
        const int32_t *lengths
        const int32_t *slots
        const uint8_t *fresh
        const int64_t *step_rows
        int64_t steps, first_step
        uint64_t key

    ctypedef struct RnnTrainer:
        RnnNet *net
        RnnLoss loss
        int64_t samples
        const uint64_t *noise
        const float *log_q
        uint32_t input_keep, state_keep
        float clip
        int is_bf16
        Optimizer optimizer
        int64_t steps_done
        RnnSlots dense_slots, input_slots, output_slots, bias_slots, feature_slots
        int64_t most_rows, most_events, most_features
        float *lane_states
        double totals[2]
        Team team

    int rnn_gates(int cell) nogil
    int64_t rnn_layout(RnnNet *net, float *dense) nogil
    int64_t rnn_place_work(RnnTrainer *trainer, char *base, int64_t threads) nogil
    int64_t rnn_place_own(RnnTrainer *trainer, char *base) nogil
    int rnn_train(RnnTrainer *trainer, const RnnBatches *batches, int64_t rank) nogil
    void team_reset(Team *team, int32_t threads) nogil
    void team_abort(Team *team) nogil
    Optimizer optimizer_of(const float *settings) nogil

cdef extern from "rnn_infer.h":
    ctypedef struct RnnTokens:
        const int32_t *items
        const int32_t *feature_ids
        const float *feature_values
        int64_t n_features

    int64_t rnn_infer_floats(const RnnNet *net, int64_t rows) nogil
    void rnn_encode(const RnnNet *net, const RnnTokens *tokens, const int64_t *starts,
                    const int64_t *lengths, float *states, int64_t start, int64_t stop,
                    float *scratch) nogil
    void rnn_advance(const RnnNet *net, const RnnTokens *tokens, float *states, int64_t start,
                     int64_t stop, float *scratch) nogil
    void rnn_queries(const RnnNet *net, const float *states, float *out, int64_t start,
                     int64_t stop) nogil
    const int RNN_TOGETHER
