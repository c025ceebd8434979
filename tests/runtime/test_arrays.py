"""Matrices on cache lines, their rows too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.runtime.arrays import aligned_empty, padded_copy, padded_zeros, stride_of


@pytest.mark.parametrize(("dim", "stride"), [(0, 0), (1, 16), (16, 16), (17, 32), (128, 128)])
def test_a_row_fills_whole_cache_lines(dim, stride):
    assert stride_of(dim) == stride


@given(st.lists(st.integers(0, 9), max_size=3), st.sampled_from([np.uint8, np.float32, np.int64]))
def test_memory_starts_on_a_cache_line(shape, dtype):
    array = aligned_empty(tuple(shape), dtype)
    assert array.shape == tuple(shape)
    assert array.dtype == dtype
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.size == 0 or array.ctypes.data % 64 == 0


@pytest.mark.parametrize("dim", [1, 16, 100])
def test_zeros_are_zero_to_the_end_of_the_stride(dim):
    matrix = padded_zeros(3, dim)
    assert matrix.shape == (3, stride_of(dim))
    assert matrix.dtype == np.float32
    assert not matrix.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_a_copy_is_padded_with_zeros(dtype):
    matrix = np.arange(10, dtype=dtype).reshape(2, 5)[:, ::-1]
    padded = padded_copy(matrix)
    np.testing.assert_array_equal(padded[:, :5], matrix)
    assert not padded[:, 5:].any()
    assert padded.dtype == np.float32
    assert not np.shares_memory(padded, matrix)
