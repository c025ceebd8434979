"""bfloat16 numbers, rounded by the definition: the nearest, or the even one of two as near."""

import numpy as np


def bits(array):
    """The upper halves of the nearest bfloat16 numbers, uint16."""
    whole = np.ascontiguousarray(array, np.float32).view(np.uint32).astype(np.uint64)
    nearest = whole + 0x7FFF + (whole >> np.uint64(16) & np.uint64(1))
    quiet = whole | np.uint64(0x400000)
    return (np.where(np.isnan(array), quiet, nearest) >> np.uint64(16)).astype(np.uint16)


def rounded(array):
    """The nearest bfloat16 numbers as float32."""
    return (bits(array).astype(np.uint32) << 16).view(np.float32)
