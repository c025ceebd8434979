"""XXH64 beside its definition, whole and in pieces."""

import itertools

import numpy as np
import pytest
from fastrec.native.checksum import Checksum
from hypothesis import given
from hypothesis import strategies as st

PRIMES = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)
MASK = 2**64 - 1


def rotated(word, bits):
    return (word << bits | word >> (64 - bits)) & MASK


def rounded(lane, word):
    return rotated((lane + word * PRIMES[1]) & MASK, 31) * PRIMES[0] & MASK


def xxh64(content):
    """The definition, a word at a time, seed 0."""
    one, two, three, four, five = PRIMES
    places = range(0, len(content) // 8 * 8, 8)
    words = [int.from_bytes(content[place : place + 8], "little") for place in places]
    hash, striped = five, len(words) // 4 * 4
    if len(content) >= 32:
        lanes = [(one + two) & MASK, two, 0, -one & MASK]
        for place, word in enumerate(words[:striped]):
            lanes[place % 4] = rounded(lanes[place % 4], word)
        hash = sum(map(rotated, lanes, (1, 7, 12, 18))) & MASK
        for lane in lanes:
            hash = ((hash ^ rounded(0, lane)) * one + four) & MASK
    else:
        striped = 0
    hash = (hash + len(content)) & MASK
    for word in words[striped:]:
        hash = (rotated(hash ^ rounded(0, word), 27) * one + four) & MASK
    rest = content[len(words) * 8 :]
    if len(rest) >= 4:
        word = int.from_bytes(rest[:4], "little") * one & MASK
        hash = (rotated(hash ^ word, 23) * two + three) & MASK
        rest = rest[4:]
    for byte in rest:
        hash = rotated(hash ^ byte * five & MASK, 11) * one & MASK
    hash = (hash ^ hash >> 33) * two & MASK
    hash = (hash ^ hash >> 29) * three & MASK
    return hash ^ hash >> 32


def digest(*pieces):
    checksum = Checksum()
    for piece in pieces:
        checksum.update(piece)
    return checksum.hexdigest()


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "ef46db3751d8e999"), (b"a", "d24ec4f1a98c6e5b"), (b"abc", "44bc2cf5ad770999")],
)
def test_the_published_checksums_come_out(content, expected):
    assert digest(content) == expected


@given(st.binary(max_size=200))
def test_any_bytes_have_the_checksum_of_the_definition(content):
    assert digest(content) == f"{xxh64(content):016x}"


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6))
def test_pieces_have_the_checksum_of_the_whole(content, cuts):
    ends = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    pieces = [content[start:stop] for start, stop in itertools.pairwise(ends)]
    assert digest(*pieces) == digest(content)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_one_flipped_bit_changes_the_checksum(content, data):
    place = data.draw(st.integers(0, 8 * len(content) - 1))
    flipped = bytearray(content)
    flipped[place // 8] ^= 1 << place % 8
    assert digest(bytes(flipped)) != digest(content)


def test_asking_changes_nothing():
    checksum = Checksum()
    checksum.update(np.arange(5, dtype=np.uint8))
    before = checksum.hexdigest()
    assert checksum.hexdigest() == before
