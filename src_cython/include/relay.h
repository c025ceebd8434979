/* Short work for threads that stand by.
 *
 * A thread that ended its last piece a moment ago looks, for a while, for the next call: it is there
 * within a microsecond, where a sleeping one takes fifty to wake and to get the interpreter. The
 * caller opens a round, takes pieces along with whoever comes, closes the round and waits for those
 * who are inside.
 *
 * Nobody enters a closed round: who comes writes `inside` first and then looks at `round`, who closes
 * writes `round` first and then looks at `inside`, and atomics.h gives both the same order.
 */
#ifndef FASTREC_RELAY_H
#define FASTREC_RELAY_H

#include <stdint.h>
#include <time.h>

#include "atomics.h"

/* Looks between two looks at the clock. */
#define RELAY_LOOKS 64

typedef void (*RelayTask)(void *context, int64_t start, int64_t stop);

typedef struct {
    int32_t busy;  /* a caller has it */
    int32_t round; /* odd while it is open */
    int32_t bells; /* rung for those who stand by to go and look elsewhere */
    char line0[52]; /* what threads write has cache lines of its own */
    int32_t standing;
    int32_t inside;
    int32_t entered; /* this round; no more than `room` may */
    int32_t next;    /* piece */
    char line1[48];
    RelayTask task;
    void *context;
    int64_t stop, grain;
    int32_t pieces, room;
} Relay;

static void relay_take(Relay *relay) {
    for (;;) {
        const int64_t piece = ATOMIC_ADD(&relay->next, 1);
        if (piece >= relay->pieces) return;
        const int64_t start = piece * relay->grain, end = start + relay->grain;
        relay->task(relay->context, start, end < relay->stop ? end : relay->stop);
    }
}

static double relay_seconds(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Work along with the rounds that are opened, until none was for `seconds` or the bell is rung,
 * which had been rung `bells` times. */
static void relay_stand_by(Relay *relay, int32_t bells, double seconds) {
    double last = relay_seconds();
    int32_t known = 0;
    ATOMIC_ADD(&relay->standing, 1);
    for (int64_t looks = 1; ATOMIC_READ(&relay->bells) == bells; looks++) {
        const int32_t round = ATOMIC_READ(&relay->round);
        if (round % 2 && round != known) {
            ATOMIC_ADD(&relay->inside, 1);
            if (ATOMIC_READ(&relay->round) == round &&
                ATOMIC_ADD(&relay->entered, 1) < relay->room)
                relay_take(relay);
            ATOMIC_ADD(&relay->inside, -1);
            known = round;
            last = relay_seconds();
        }
        THREAD_PAUSE();
        if (looks % RELAY_LOOKS == 0 && relay_seconds() - last > seconds) break;
    }
    ATOMIC_ADD(&relay->standing, -1);
}

/* Call task(context, start, stop) for all pieces of [0, stop), on this thread and on at most `room`
 * of those who stand by. 0, and nothing is called, where there are none or another caller has them. */
static int relay_run(Relay *relay, RelayTask task, void *context, int64_t stop, int64_t grain,
                     int32_t room) {
    int32_t is_free = 0;
    if (ATOMIC_READ(&relay->standing) < 1 || !ATOMIC_SWAP(&relay->busy, is_free, 1)) return 0;
    relay->task = task, relay->context = context;
    relay->stop = stop, relay->grain = grain;
    relay->pieces = (int32_t)((stop + grain - 1) / grain), relay->room = room;
    ATOMIC_WRITE(&relay->next, 0);
    ATOMIC_WRITE(&relay->entered, 0);
    const int32_t round = (int32_t)((uint32_t)ATOMIC_READ(&relay->round) + 1);
    ATOMIC_WRITE(&relay->round, round);
    relay_take(relay);
    ATOMIC_WRITE(&relay->round, (int32_t)((uint32_t)round + 1));
    for (int64_t looks = 0; ATOMIC_READ(&relay->inside) > 0; looks++) {
        if (looks < RELAY_LOOKS * RELAY_LOOKS)
            THREAD_PAUSE();
        else
            THREAD_YIELD();
    }
    ATOMIC_WRITE(&relay->busy, 0);
    return 1;
}

#endif
