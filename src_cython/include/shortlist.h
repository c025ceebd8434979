/* The best of a stream of scored rows: keys in one total order, and a buffer that forgets the rest.
 *
 * A key holds a score and its row in 64 bits, so that a larger key is the better answer: the
 * score's bits made monotonic above, the complement of the row below. Equal scores are therefore
 * ordered by the smaller row, -0.0 equals 0.0, and no two keys are equal.
 *
 * A shortlist is a buffer of `capacity` keys, a count and the number `k` that is wanted. When the
 * buffer is full its k best are kept, and the k-th of them is the limit that a later row has to
 * pass. Capacity is at least k + 1, or all rows there are.
 */
#ifndef FASTREC_SHORTLIST_H
#define FASTREC_SHORTLIST_H

#include <stdint.h>
#include <string.h>

static inline uint64_t key_of(float score, int32_t row) {
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    if (bits == 0x80000000u) bits = 0; /* -0.0 */
    bits ^= (bits >> 31) ? 0xFFFFFFFFu : 0x80000000u;
    return ((uint64_t)bits << 32) | (0xFFFFFFFFu - (uint32_t)row);
}

static inline float key_score(uint64_t key) {
    uint32_t bits = (uint32_t)(key >> 32);
    float score;
    bits ^= (bits >> 31) ? 0x80000000u : 0xFFFFFFFFu;
    memcpy(&score, &bits, sizeof score);
    return score;
}

static inline int32_t key_row(uint64_t key) { return (int32_t)(0xFFFFFFFFu - (uint32_t)key); }

static inline uint64_t keys_middle(uint64_t a, uint64_t b, uint64_t c) {
    const uint64_t low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

/* A pivot out of three places that the length and `salt` choose: no input is bad for all salts. */
static inline uint64_t keys_pivot(const uint64_t *keys, int64_t n, uint64_t salt) {
    const uint64_t mixed = (salt + 1) * 0x9E3779B97F4A7C15ULL;
    return keys_middle(keys[(mixed >> 40) % (uint64_t)n], keys[n / 2],
                       keys[(mixed >> 20 & 0xFFFFF) % (uint64_t)n]);
}

/* Put the keys >= pivot (one of them) first, in any order, and return how many they are. The
 * exchange does not branch on the comparison, which nobody could predict. */
static inline int64_t keys_partition(uint64_t *keys, int64_t n, uint64_t pivot) {
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint64_t key = keys[i];
        keys[i] = keys[kept];
        keys[kept] = key;
        kept += key >= pivot;
    }
    return kept;
}

static inline void keys_insertion_sort(uint64_t *keys, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        const uint64_t key = keys[i];
        int64_t j = i;
        for (; j > 0 && keys[j - 1] < key; j--) keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

/* Exchange the smallest key, which is `key`, with the last one. */
static inline void keys_set_aside(uint64_t *keys, int64_t n, uint64_t key) {
    int64_t place = 0;
    while (keys[place] != key) place++;
    keys[place] = keys[n - 1];
    keys[n - 1] = key;
}

/* Put the k largest of n different keys first, in any order but for the smallest of them, which
 * comes at k - 1. 1 <= k <= n. Expected cost O(n). */
static void keys_select(uint64_t *keys, int64_t n, int64_t k) {
    uint64_t salt = 0;
    while (n > 24) {
        const uint64_t pivot = keys_pivot(keys, n, salt++);
        const int64_t kept = keys_partition(keys, n, pivot);
        if (kept < k) {
            keys += kept, n -= kept, k -= kept;
        } else if (kept < n) {
            n = kept;
        } else {
            keys_set_aside(keys, n, pivot);
            if (k == n) return;
            n--;
        }
    }
    keys_insertion_sort(keys, n);
}

/* Sort n different keys, largest first. Expected cost O(n log n). */
static void keys_sort(uint64_t *keys, int64_t n) {
    uint64_t salt = 0;
    while (n > 24) {
        const uint64_t pivot = keys_pivot(keys, n, salt++);
        const int64_t kept = keys_partition(keys, n, pivot);
        if (kept == n) {
            keys_set_aside(keys, n--, pivot);
        } else if (kept < n - kept) {
            keys_sort(keys, kept);
            keys += kept, n -= kept;
        } else {
            keys_sort(keys + kept, n - kept);
            n = kept;
        }
    }
    keys_insertion_sort(keys, n);
}

/* Whether `row` is in the ascending list rows[0, n). */
static inline int rows_hold(const int32_t *rows, int64_t n, int32_t row) {
    while (n > 0) {
        const int64_t half = n / 2;
        if (rows[half] == row) return 1;
        if (rows[half] < row) {
            rows += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return 0;
}

/* Add a key. When that fills the buffer, keep the k best and raise *limit to the k-th score: only
 * what is above it can still be an answer, since rows come in ascending order. */
static inline void shortlist_add(uint64_t *keys, int64_t *count, int64_t capacity, int64_t k,
                                 uint64_t key, float *limit) {
    keys[(*count)++] = key;
    if (*count < capacity || k == capacity) return;
    keys_select(keys, capacity, k);
    *count = k;
    if (key_score(keys[k - 1]) > *limit) *limit = key_score(keys[k - 1]);
}

#endif
