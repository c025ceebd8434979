"""Random streams: the published numbers, and streams that do not meet."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fastrec.runtime.random import GOLDEN, generator, mix64, stream_key

MASK = 2**64 - 1
labels = st.lists(st.integers(0, 2**63) | st.text(max_size=5), max_size=3)


def test_numbers_of_a_stream_are_those_of_splitmix64():
    # The first three outputs for the state 1234567, as published with the generator
    # (https://prng.di.unimi.it/splitmix64.c and the test suites built on it).
    drawn = [mix64((1234567 + (n + 1) * GOLDEN) & MASK) for n in range(3)]
    assert drawn == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(st.integers(0, MASK), st.integers(0, MASK))
def test_mixing_keeps_numbers_apart(a, b):
    assert (mix64(a) == mix64(b)) == (a == b)
    assert 0 <= mix64(a) <= MASK


@given(st.integers(0, 2**80), labels)
def test_a_key_is_64_bits_and_the_same_every_time(seed, place):
    assert stream_key(seed, *place) == stream_key(seed, *place)
    assert 0 <= stream_key(seed, *place) <= MASK


def test_numbers_of_numpy_name_the_stream_that_python_ones_do():
    assert stream_key(np.int64(2**62), np.uint8(3)) == stream_key(2**62, 3)


def test_streams_of_nearby_places_are_apart():
    keys = {
        stream_key(seed, name, epoch, sequence)
        for seed in range(5)
        for name in ("sgns", "init")
        for epoch in range(10)
        for sequence in range(100)
    }
    assert len(keys) == 5 * 2 * 10 * 100


def test_the_order_of_labels_matters():
    assert stream_key(1, 2, 3) != stream_key(1, 3, 2)
    assert stream_key(1, "a", "b") != stream_key(1, "b", "a")


def test_more_labels_are_another_stream():
    assert len({stream_key(1), stream_key(1, 0), stream_key(1, 0, 0)}) == 3


def test_a_generator_draws_the_same_every_time():
    first, second = (generator(7, "init", 3).random(5) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_generators_of_other_places_draw_otherwise():
    assert not np.array_equal(generator(7, "init", 3).random(5), generator(7, "init", 4).random(5))
