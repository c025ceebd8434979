/* Words that several threads write, and how a thread waits for one.
 *
 * All are 32-bit and sequentially consistent: threads that look at two of them see both in the same
 * order. ATOMIC_ADD gives what was there before; ATOMIC_SWAP writes `to` where `from`, a variable, is
 * and says whether it did.
 */
#ifndef FASTREC_ATOMICS_H
#define FASTREC_ATOMICS_H

#include <stdint.h>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#include <windows.h>
#define ATOMIC_ADD(p, v) ((int32_t)_InterlockedExchangeAdd((volatile long *)(p), (v)))
#define ATOMIC_SWAP(p, from, to)                                                                   \
    (_InterlockedCompareExchange((volatile long *)(p), (to), (from)) == (from))
#define ATOMIC_READ(p) ((int32_t)_InterlockedOr((volatile long *)(p), 0))
#define ATOMIC_WRITE(p, v) ((void)_InterlockedExchange((volatile long *)(p), (v)))
#define THREAD_YIELD() SwitchToThread()
#define THREAD_SLEEP() Sleep(1)
#else
#include <sched.h>
#include <time.h>
#define ATOMIC_ADD(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define ATOMIC_SWAP(p, from, to)                                                                   \
    __atomic_compare_exchange_n((p), &(from), (to), 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
#define ATOMIC_READ(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define ATOMIC_WRITE(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define THREAD_YIELD() sched_yield()
#define THREAD_SLEEP()                                                                            \
    do {                                                                                          \
        const struct timespec nap = {0, 50000};                                                   \
        nanosleep(&nap, NULL);                                                                    \
    } while (0)
#endif

#if defined(__x86_64__) || defined(__i386__)
#define THREAD_PAUSE() __builtin_ia32_pause()
#elif defined(_M_X64)
#define THREAD_PAUSE() _mm_pause()
#elif defined(__aarch64__)
#define THREAD_PAUSE() __asm__ volatile("yield")
#else
#define THREAD_PAUSE() ((void)0)
#endif

#endif
