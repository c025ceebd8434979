/* Bytes as ids: how UTF-8 strings are hashed, compared, sorted and made from code points.
 *
 * Strings lie one after the other in a blob; string i is blob[offsets[i] .. offsets[i + 1]).
 * A slot of a hash table is 0 when empty, else (upper 32 bits of the hash) << 32 | (code + 1);
 * a table has 2^bits slots, and the search begins at the upper `bits` bits of the hash.
 */
#ifndef FASTREC_IDS_H
#define FASTREC_IDS_H

#include <stdint.h>
#include <string.h>

#include "random.h"

static inline uint64_t load_bytes(const uint8_t *bytes, int64_t count) {
    uint64_t word = 0;
    memcpy(&word, bytes, (size_t)count);
    return word;
}

/* The 64-bit hash of `size` bytes. It is never stored in a file. */
static inline uint64_t hash_bytes(const uint8_t *bytes, int64_t size) {
    uint64_t hash = (uint64_t)size * RANDOM_GOLDEN;
    while (size >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = (hash ^ word) * 0xBF58476D1CE4E5B9ULL;
        hash ^= hash >> 29;
        bytes += 8;
        size -= 8;
    }
    if (size > 0) hash = (hash ^ load_bytes(bytes, size)) * 0xBF58476D1CE4E5B9ULL;
    return mix64(hash);
}

/* Whether two stretches of bytes are the same. */
static inline int equal_bytes(const uint8_t *a, int64_t a_size, const uint8_t *b, int64_t b_size) {
    return a_size == b_size && memcmp(a, b, (size_t)a_size) == 0;
}

/* Negative, zero or positive as `a` comes before, with or after `b` in byte order. */
static inline int compare_bytes(const uint8_t *a, int64_t a_size, const uint8_t *b,
                                int64_t b_size) {
    int by_bytes = memcmp(a, b, (size_t)(a_size < b_size ? a_size : b_size));
    if (by_bytes != 0) return by_bytes;
    return (a_size > b_size) - (a_size < b_size);
}

/* Write one code point as UTF-8 and return how many bytes it took, or 0 where it is none
 * (a surrogate, or beyond U+10FFFF). `out` has room for 4 bytes. */
static inline int write_utf8(uint32_t point, uint8_t *out) {
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (uint8_t)(0xC0 | point >> 6);
        out[1] = (uint8_t)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        if (point >= 0xD800 && point < 0xE000) return 0;
        out[0] = (uint8_t)(0xE0 | point >> 12);
        out[1] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (point & 0x3F));
        return 3;
    }
    if (point > 0x10FFFF) return 0;
    out[0] = (uint8_t)(0xF0 | point >> 18);
    out[1] = (uint8_t)(0x80 | (point >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (point & 0x3F));
    return 4;
}

/* Sorting by multikey quicksort (Bentley and Sedgewick, "Fast Algorithms for Sorting and Searching
 * Strings", SODA 1997) on 8 bytes at a time, kept beside the code so that most comparisons touch
 * no string. */
typedef struct {
    uint64_t key;  /* bytes [depth, depth + 8) of the string, big end first, zeros behind its end */
    int32_t code;
} sort_entry;

/* The bytes of a string from `depth` on, as a number that compares like the bytes do. */
static inline uint64_t sort_key(const uint8_t *blob, const int64_t *offsets, int32_t code,
                                int64_t depth) {
    int64_t size = offsets[code + 1] - offsets[code] - depth;
    const uint8_t *bytes = blob + offsets[code] + depth;
    uint64_t key = 0;
    int i, count = size < 8 ? (int)size : 8;
    for (i = 0; i < count; i++) key |= (uint64_t)bytes[i] << (56 - 8 * i);
    return key;
}

static inline void swap_entries(sort_entry *a, sort_entry *b) {
    sort_entry held = *a;
    *a = *b;
    *b = held;
}

static inline uint64_t middle_of(uint64_t a, uint64_t b, uint64_t c) {
    if (a < b) return b < c ? b : (a < c ? c : a);
    return a < c ? a : (b < c ? c : b);
}

/* Order the few strings that end within these 8 bytes: they differ in trailing zero bytes only. */
static void sort_by_size(sort_entry *entries, int64_t count, const int64_t *offsets) {
    int64_t i, j;
    for (i = 1; i < count; i++) {
        sort_entry held = entries[i];
        int64_t size = offsets[held.code + 1] - offsets[held.code];
        for (j = i; j > 0; j--) {
            int32_t before = entries[j - 1].code;
            if (offsets[before + 1] - offsets[before] <= size) break;
            entries[j] = entries[j - 1];
        }
        entries[j] = held;
    }
}

/* Sort distinct strings that agree in their first `depth` bytes. The largest part is sorted by the
 * loop and only the smaller ones by recursion, so the stack stays below log2(count) calls. */
static void sort_strings(sort_entry *entries, int64_t count, int64_t depth, const uint8_t *blob,
                         const int64_t *offsets) {
    while (count > 1) {
        uint64_t pivot =
            middle_of(entries[0].key, entries[count / 2].key, entries[count - 1].key);
        int64_t below = 0, at = 0, above = count, ended = 0, i;
        sort_entry *equal;
        while (at < above) {
            if (entries[at].key < pivot) {
                swap_entries(&entries[below++], &entries[at++]);
            } else if (entries[at].key > pivot) {
                swap_entries(&entries[at], &entries[--above]);
            } else {
                at++;
            }
        }
        equal = entries + below;
        for (i = 0; i < above - below; i++) {
            int32_t code = equal[i].code;
            if (offsets[code + 1] - offsets[code] <= depth + 8) {
                swap_entries(&equal[ended++], &equal[i]);
            } else {
                equal[i].key = sort_key(blob, offsets, code, depth + 8);
            }
        }
        sort_by_size(equal, ended, offsets);
        {
            sort_entry *parts[3];
            int64_t sizes[3], depths[3];
            int part, largest = 0;
            parts[0] = entries, sizes[0] = below, depths[0] = depth;
            parts[1] = equal + ended, sizes[1] = above - below - ended, depths[1] = depth + 8;
            parts[2] = entries + above, sizes[2] = count - above, depths[2] = depth;
            for (part = 1; part < 3; part++)
                if (sizes[part] > sizes[largest]) largest = part;
            for (part = 0; part < 3; part++)
                if (part != largest)
                    sort_strings(parts[part], sizes[part], depths[part], blob, offsets);
            entries = parts[largest], count = sizes[largest], depth = depths[largest];
        }
    }
}

#endif
