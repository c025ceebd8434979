/* Threads that stay inside compiled code for many steps: where they meet, and how they share work.
 *
 * All threads call the same function with their rank. Between two phases they meet: each waits
 * until all have arrived, first spinning, then giving the processor away, then asleep. The work of a phase is cut
 * into tickets. Each rank has a block of them of its own, the same part of every phase, so that it
 * finds in its cache what it made itself; then it takes from the ends of the others' blocks. Who
 * does a ticket never changes a result, because what a ticket computes does not depend on it.
 *
 * team_abort() frees everybody who waits, now and later, until team_reset().
 */
#ifndef FASTREC_TEAM_H
#define FASTREC_TEAM_H

#include <stdint.h>
#include <string.h>

#include "atomics.h"

/* Looks before a waiting thread gives its processor away, and then before it sleeps. Phases of a step
 * end within tens of microseconds of each other; who waits longer waits for a thread that has no
 * processor, and would only keep it from getting one. */
#define TEAM_SPINS 1000
#define TEAM_YIELDS 100

typedef struct {
    int32_t threads;
    char line0[60]; /* each word that threads write has a cache line of its own */
    int32_t arrived;
    char line1[60];
    int32_t round;
    char line2[60];
    int32_t aborted;
    char line3[60];
    int32_t *claims; /* 4 x most_tickets: of each ticket the stamp under which it was last taken */
    int64_t most_tickets;
} Team;

/* Make ready for `threads` ranks, none of which is inside; stamps may begin anew. */
static void team_reset(Team *team, int32_t threads) {
    team->threads = threads;
    ATOMIC_WRITE(&team->arrived, 0);
    ATOMIC_WRITE(&team->aborted, 0);
    memset(team->claims, 0, 4 * team->most_tickets * sizeof *team->claims);
}

static void team_abort(Team *team) { ATOMIC_WRITE(&team->aborted, 1); }

/* Wait until all threads are here; 0 where the team was aborted meanwhile. */
static int team_meet(Team *team) {
    const int32_t round = ATOMIC_READ(&team->round);
    if (ATOMIC_READ(&team->aborted)) return 0;
    if (ATOMIC_ADD(&team->arrived, 1) + 1 == team->threads) {
        ATOMIC_WRITE(&team->arrived, 0);
        ATOMIC_WRITE(&team->round, (int32_t)((uint32_t)round + 1));
        return 1;
    }
    for (int64_t looks = 0; ATOMIC_READ(&team->round) == round; looks++) {
        if (ATOMIC_READ(&team->aborted)) return 0;
        if (looks < TEAM_SPINS)
            THREAD_PAUSE();
        else if (looks < TEAM_SPINS + TEAM_YIELDS)
            THREAD_YIELD();
        else
            THREAD_SLEEP();
    }
    return 1;
}

/* One rank's way through the tickets of a phase. */
typedef struct {
    int32_t *claims;
    int64_t next, end, first, others; /* of its own block; how many of the others are left */
    int32_t stamp;
} TeamShare;

/* Begin with `count` tickets. `stamp` is the same for all ranks, not 0, and no other's; shares between
 * which ranks do not meet differ in the last two bits of their stamps. */
static inline TeamShare team_share(Team *team, int64_t rank, int64_t count, int32_t stamp) {
    const int64_t first = count * rank / team->threads, end = count * (rank + 1) / team->threads;
    int32_t *claims = team->claims + (stamp & 3) * team->most_tickets;
    const TeamShare share = {claims, first, end, first, count, stamp};
    return share;
}

static inline int team_claim(TeamShare *share, int64_t ticket) {
    int32_t *claim = share->claims + ticket, before = ATOMIC_READ(claim);
    return before != share->stamp && ATOMIC_SWAP(claim, before, share->stamp);
}

/* The next ticket for this rank, or -1. */
static inline int64_t team_take(TeamShare *share) {
    while (share->next < share->end) {
        const int64_t ticket = share->next++;
        if (team_claim(share, ticket)) return ticket;
    }
    while (share->others > 0) {
        const int64_t ticket = --share->others;
        if (ticket >= share->first && ticket < share->end) continue;
        if (team_claim(share, ticket)) return ticket;
    }
    return -1;
}

#endif
