/* Alias tables: draw from any discrete distribution in O(1) (Walker 1977, built as Vose 1991).
 *
 * An entry holds a 32-bit threshold in its low half and an alias in its high half. A 64-bit draw
 * picks a slot by its high half; the slot stands when the draw's low half is at most the threshold,
 * else its alias does. Probabilities are exact to 2^-32 of a slot.
 */
#ifndef FASTREC_ALIAS_H
#define FASTREC_ALIAS_H

#include <stdint.h>

#include "random.h"

static inline int32_t alias_draw(const uint64_t *table, int64_t items, uint64_t *state) {
    uint64_t draw = random_next(state);
    uint64_t slot = ((draw >> 32) * (uint64_t)items) >> 32;
    uint64_t entry = table[slot], alias = entry >> 32;
    /* No branch: it would be guessed wrong half the time, and the draws after it would wait. */
    uint64_t stands = 0 - (uint64_t)((uint32_t)draw <= (uint32_t)entry);
    return (int32_t)(alias ^ ((slot ^ alias) & stands));
}

static inline uint64_t alias_entry(double share, int64_t alias) {
    double threshold = share * 4294967296.0 - 1.0;
    uint64_t low = threshold <= 0              ? 0
                   : threshold >= 4294967295.0 ? 0xFFFFFFFFu
                                               : (uint64_t)threshold;
    return ((uint64_t)alias << 32) | low;
}

/* Build the table of `items` weights with a sum above zero. `share` is overwritten: it comes in as
 * the weights and is used as work space; `stack` holds `items` entries. An item of weight 0 keeps a
 * threshold of 0 and so a chance of 2^-32 of its slot at the most. */
static void alias_build(double *share, int64_t items, int32_t *stack, uint64_t *table) {
    double total = 0;
    for (int64_t i = 0; i < items; i++) total += share[i];
    int64_t small = 0, large = items; /* two stacks that grow towards each other */
    for (int64_t i = 0; i < items; i++) {
        share[i] *= (double)items / total;
        if (share[i] < 1.0)
            stack[small++] = (int32_t)i;
        else
            stack[--large] = (int32_t)i;
    }
    while (small > 0 && large < items) {
        int32_t poor = stack[--small], rich = stack[large];
        table[poor] = alias_entry(share[poor], rich);
        share[rich] -= 1.0 - share[poor];
        if (share[rich] < 1.0) {
            large++;
            stack[small++] = rich;
        }
    }
    while (small > 0) {
        small--;
        table[stack[small]] = alias_entry(1.0, stack[small]);
    }
    while (large < items) {
        table[stack[large]] = alias_entry(1.0, stack[large]);
        large++;
    }
}

#endif
