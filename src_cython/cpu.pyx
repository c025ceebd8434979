"""Which instruction-set levels this CPU and operating system can run.

Compiled for the baseline of the architecture only, so that it loads anywhere.
"""

cdef extern from "cpu.h":
    bint cpu_has_avx2()
    bint cpu_has_avx512()


def supported_levels():
    """Return the names of the levels that this machine can run, best first."""
    levels = ["generic"]
    if cpu_has_avx2():
        levels.insert(0, "avx2")
    if cpu_has_avx512():
        levels.insert(0, "avx512")
    return levels
