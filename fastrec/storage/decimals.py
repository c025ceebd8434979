"""Float32 numbers as decimal text, a whole matrix at once.

Every number takes 16 bytes with the separator behind it: ``1.234567890e-01 ``
or ``-1.23456789e-01 ``. Nine significant digits give every float32 back exactly
(IEEE 754-2019, 5.12.2). The text is put together from tables, four bytes at a
time: ``1.23``, ``4567``, ``890e``, ``-01 ``.
"""

from __future__ import annotations

import numpy as np

WIDTH = 16
_SMALLEST, _LARGEST = -46, 39  # decimal exponents of float32, one to spare at either end
_EXPONENTS = range(_SMALLEST, _LARGEST + 1)
_POWERS = np.array([float(f"1e{exponent}") for exponent in _EXPONENTS])
_MINUS = 1000  # where the leading digits of negative numbers begin in their table


def _words(texts: list[str]) -> np.ndarray:
    """Return each text of four letters as one uint32, in the order of memory."""
    return np.frombuffer("".join(texts).encode("ascii"), dtype=np.uint32)


_LEADING = _words(
    [f"{n // 100}.{n % 100:02d}" for n in range(_MINUS)]
    + [f"-{n // 10}.{n % 10}" for n in range(100)]
)
_MIDDLE = _words([f"{n:04d}" for n in range(10_000)])
_LAST = _words([f"{n:03d}e" for n in range(1000)])
_ENDING = _words([f"{exponent:+03d} " for exponent in _EXPONENTS])


def format_rows(matrix: np.ndarray) -> np.ndarray:
    """Return the text of each row: numbers separated by blanks, a line feed at the end.

    Parameters
    ----------
    matrix : ndarray of float32, shape (rows, dim)
        Finite numbers. About 100 bytes a number are needed meanwhile.

    Returns
    -------
    ndarray of uint8, shape (rows, 16 * dim)
        ASCII.
    """
    values = matrix.astype(np.float64).reshape(-1)
    is_negative = np.signbit(values)
    digits, place = _decimal(np.abs(values), is_negative)
    head = (digits / 1000).astype(np.int64)  # exact: below 2**53, and the quotient is cut
    leading = (head / 10_000).astype(np.int32)
    words = np.empty((len(values), WIDTH // 4), dtype=np.uint32)
    words[:, 0] = _LEADING[leading + is_negative * np.int32(_MINUS)]
    words[:, 1] = _MIDDLE[head - leading * np.int64(10_000)]
    words[:, 2] = _LAST[(digits - head * 1000.0).astype(np.int32)]
    words[:, 3] = _ENDING[place]
    text = words.view(np.uint8).reshape(len(matrix), -1)
    text[:, -1] = ord("\n")
    return text


def _decimal(values: np.ndarray, is_negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the digits of each value as a whole number, and the row of its exponent.

    Ten digits, or nine where a minus takes the place of one.
    """
    is_zero = values == 0
    if is_zero.any():
        values = np.where(is_zero, 1, values)
    place = np.floor(np.log10(values)).astype(np.int32) - np.int32(_SMALLEST)
    place -= values < _POWERS[place]  # where the logarithm was rounded up
    scale = np.where(is_negative, 1e8, 1e9)
    digits = np.rint(values / _POWERS[place] * scale)
    is_ten = digits >= 10 * scale  # 9.9999999996 became 10
    place += is_ten
    digits = np.where(is_ten, scale, digits)
    digits[is_zero] = 0
    place[is_zero] = -_SMALLEST
    return digits, place
