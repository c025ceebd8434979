/* What the CPU and the operating system can run, asked through CPUID and XGETBV.
 *
 * GCC's and Clang's __builtin_cpu_supports checks the operating system's register state too; MSVC
 * has no such builtin, so the bits are read there by hand.
 */
#ifndef FASTREC_CPU_H
#define FASTREC_CPU_H

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

static int cpu_has_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi2");
}

static int cpu_has_avx512(void) {
    __builtin_cpu_init();
    return cpu_has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") &&
           __builtin_cpu_supports("avx512bf16");
}

#elif defined(_M_X64)

#include <immintrin.h>
#include <intrin.h>

static int cpu_bit(int leaf, int subleaf, int reg, int bit) {
    int regs[4];
    __cpuid(regs, 0);
    if (regs[0] < leaf) return 0;
    __cpuidex(regs, leaf, subleaf);
    return (regs[reg] >> bit) & 1;
}

static int cpu_saves_state(unsigned long long mask) {
    if (!cpu_bit(1, 0, 2, 27)) return 0; /* OSXSAVE */
    return (_xgetbv(0) & mask) == mask;
}

static int cpu_has_avx2(void) {
    return cpu_saves_state(0x6) && cpu_bit(7, 0, 1, 5) && cpu_bit(1, 0, 2, 12) &&
           cpu_bit(7, 0, 1, 8);
}

static int cpu_has_avx512(void) {
    return cpu_has_avx2() && cpu_saves_state(0xe6) && cpu_bit(7, 0, 1, 16) &&
           cpu_bit(7, 0, 1, 30) && cpu_bit(7, 0, 1, 17) && cpu_bit(7, 0, 1, 31) &&
           cpu_bit(7, 0, 2, 11) && cpu_bit(7, 1, 0, 5);
}

#else

static int cpu_has_avx2(void) { return 0; }
static int cpu_has_avx512(void) { return 0; }

#endif

#endif
