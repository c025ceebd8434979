/* Counter-based random numbers; the same streams as fastrec/runtime/random.py.
 *
 * SplitMix64 addressed by its counter: number n of stream `key` is mix64(key + (n + 1) * GOLDEN).
 */
#ifndef FASTREC_RANDOM_H
#define FASTREC_RANDOM_H

#include <stdint.h>

#define RANDOM_GOLDEN 0x9E3779B97F4A7C15ULL

static inline uint64_t mix64(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
}

/* The key of the stream that a counter names below `key`; stream_key() in Python. */
static inline uint64_t random_substream(uint64_t key, uint64_t label) {
    return mix64((key ^ label) + RANDOM_GOLDEN);
}

/* The next number of the stream whose running state is *state (its key at first). */
static inline uint64_t random_next(uint64_t *state) {
    *state += RANDOM_GOLDEN;
    return mix64(*state);
}

#endif
