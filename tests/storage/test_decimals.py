"""Float32 as text: every number comes back exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from fastrec.storage.decimals import WIDTH, format_rows

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


def parsed(text):
    return np.array([row.tobytes().split() for row in text], dtype=np.float32)


def assert_same_bits(found, expected):
    np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))


@given(npst.arrays(np.float32, npst.array_shapes(min_dims=2, max_dims=2), elements=floats))
def test_text_gives_every_float32_back(matrix):
    assert_same_bits(parsed(format_rows(matrix)), np.ascontiguousarray(matrix))


def test_random_bits_come_back():
    bits = np.random.default_rng(1).integers(0, 2**32, 300_000, dtype=np.uint64)
    numbers = bits.astype(np.uint32).view(np.float32)
    matrix = numbers[np.isfinite(numbers)][:200_000].reshape(-1, 100)
    assert_same_bits(parsed(format_rows(matrix)), matrix)


@pytest.mark.parametrize("towards", [-np.inf, 0, np.inf])
def test_powers_of_ten_and_their_neighbours_come_back(towards):
    powers = np.array([float(f"1e{power}") for power in range(-45, 39)], dtype=np.float32)
    matrix = np.nextafter(powers, np.float32(towards)).reshape(1, -1)
    assert_same_bits(parsed(format_rows(matrix)), matrix)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0.000000000e+00"),
        (-0.0, "-0.00000000e+00"),
        (1.0, "1.000000000e+00"),
        (-1.5, "-1.50000000e+00"),
        (0.1, "1.000000015e-01"),
        (3.4028235e38, "3.402823466e+38"),
        (-1e-45, "-1.40129846e-45"),
    ],
)
def test_numbers_look_as_people_write_them(number, text):
    assert format_rows(np.array([[number]], dtype=np.float32)).tobytes() == f"{text}\n".encode()


def test_a_row_is_a_line():
    text = format_rows(np.array([[1, 2], [3, -4]], dtype=np.float32))
    assert text.shape == (2, 2 * WIDTH)
    assert text.tobytes().splitlines() == [
        b"1.000000000e+00 2.000000000e+00",
        b"3.000000000e+00 -4.00000000e+00",
    ]
