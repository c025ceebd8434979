/* XXH64, a 64-bit checksum that runs at the speed of memory (Collet, "xxHash fast digest
 * algorithm", version 0.1.1). Seed 0; bytes are read as little endian.
 *
 * Four lanes take eight bytes each of every stripe of 32; what is left at the end is folded in
 * behind them. It finds damage, not forgery.
 */
#ifndef FASTREC_XXH64_H
#define FASTREC_XXH64_H

#include <stdint.h>
#include <string.h>

#define XXH64_STRIPE 32

static const uint64_t XXH64_1 = 0x9E3779B185EBCA87ULL;
static const uint64_t XXH64_2 = 0xC2B2AE3D27D4EB4FULL;
static const uint64_t XXH64_3 = 0x165667B19E3779F9ULL;
static const uint64_t XXH64_4 = 0x85EBCA77C2B2AE63ULL;
static const uint64_t XXH64_5 = 0x27D4EB2F165667C5ULL;

static inline uint64_t xxh64_rotate(uint64_t word, int bits) {
    return word << bits | word >> (64 - bits);
}

static inline uint64_t xxh64_load(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

static inline uint64_t xxh64_round(uint64_t lane, uint64_t word) {
    return xxh64_rotate(lane + word * XXH64_2, 31) * XXH64_1;
}

/* Set the four lanes to what they are before the first byte. */
static inline void xxh64_begin(uint64_t lanes[4]) {
    lanes[0] = XXH64_1 + XXH64_2;
    lanes[1] = XXH64_2;
    lanes[2] = 0;
    lanes[3] = 0 - XXH64_1;
}

/* Take whole stripes: `size` is a multiple of 32. */
static inline void xxh64_stripes(uint64_t lanes[4], const uint8_t *bytes, int64_t size) {
    uint64_t a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3];
    for (int64_t i = 0; i < size; i += XXH64_STRIPE) {
        a = xxh64_round(a, xxh64_load(bytes + i));
        b = xxh64_round(b, xxh64_load(bytes + i + 8));
        c = xxh64_round(c, xxh64_load(bytes + i + 16));
        d = xxh64_round(d, xxh64_load(bytes + i + 24));
    }
    lanes[0] = a;
    lanes[1] = b;
    lanes[2] = c;
    lanes[3] = d;
}

/* The checksum of `total` bytes, of which the last total % 32 are `tail`. */
static inline uint64_t xxh64_end(const uint64_t lanes[4], uint64_t total, const uint8_t *tail) {
    uint64_t hash = XXH64_5;
    int left = (int)(total % XXH64_STRIPE);
    if (total >= XXH64_STRIPE) {
        hash = xxh64_rotate(lanes[0], 1) + xxh64_rotate(lanes[1], 7) +
               xxh64_rotate(lanes[2], 12) + xxh64_rotate(lanes[3], 18);
        for (int i = 0; i < 4; i++) {
            hash = (hash ^ xxh64_round(0, lanes[i])) * XXH64_1 + XXH64_4;
        }
    }
    hash += total;
    for (; left >= 8; left -= 8, tail += 8) {
        hash ^= xxh64_round(0, xxh64_load(tail));
        hash = xxh64_rotate(hash, 27) * XXH64_1 + XXH64_4;
    }
    if (left >= 4) {
        uint32_t word;
        memcpy(&word, tail, 4);
        hash ^= word * XXH64_1;
        hash = xxh64_rotate(hash, 23) * XXH64_2 + XXH64_3;
        left -= 4;
        tail += 4;
    }
    for (; left > 0; left--, tail++) {
        hash ^= *tail * XXH64_5;
        hash = xxh64_rotate(hash, 11) * XXH64_1;
    }
    hash = (hash ^ hash >> 33) * XXH64_2;
    hash = (hash ^ hash >> 29) * XXH64_3;
    return hash ^ hash >> 32;
}

#endif
