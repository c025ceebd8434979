"""Argument checks: what passes comes back in the form of the kernels, the rest is explained."""

import math
from fractions import Fraction

import numpy as np
import pytest

from fastrec.errors import InputError
from fastrec.runtime import checks


@pytest.mark.parametrize("value", [1, 20, np.int32(3), np.uint8(7)])
def test_whole_numbers_pass_as_int(value):
    number = checks.whole_number("k", value)
    assert number == value
    assert type(number) is int


@pytest.mark.parametrize("value", [1.0, "3", None, True, np.True_, [3], np.float32(2)])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(InputError, match="k must be a whole number of at least 1, got"):
        checks.whole_number("k", value)


@pytest.mark.parametrize("value", [-1, 8])
def test_whole_numbers_outside_their_span_are_refused(value):
    with pytest.raises(InputError, match=f"k must be a whole number from 0 to 7, got {value}"):
        checks.whole_number("k", value, 0, 7)


@pytest.mark.parametrize("value", [0, 0.5, np.float32(0.25), 1, Fraction(1, 3)])
def test_real_numbers_pass_as_float(value):
    number = checks.real_number("rate", value, 0, 1)
    assert number == float(value)
    assert type(number) is float


@pytest.mark.parametrize(
    "value", ["a", "0.5", b"1", None, [1, 2], np.ones(1), True, np.True_, 1j, object()]
)
def test_what_is_no_number_is_refused(value):
    with pytest.raises(InputError, match="rate must be a number, got"):
        checks.real_number("rate", value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_numbers_that_are_not_finite_are_refused(value):
    with pytest.raises(InputError, match="rate must be a finite number, got"):
        checks.real_number("rate", value)


@pytest.mark.parametrize(
    ("span", "words"),
    [
        ({"minimum": 3}, "of at least 3"),
        ({"maximum": 1}, "of at most 1"),
        ({"minimum": 0, "maximum": 1}, "from 0 to 1"),
    ],
)
def test_numbers_outside_their_span_are_refused(span, words):
    with pytest.raises(InputError, match=f"rate must be a finite number {words}, got 2"):
        checks.real_number("rate", 2, **span)


def test_an_option_passes():
    assert checks.one_of("metric", "dot", ("dot", "cosine")) == "dot"


@pytest.mark.parametrize("value", ["Dot", "", None, 0, ["dot"]])
def test_what_is_no_option_brings_the_options(value):
    with pytest.raises(InputError, match="metric must be one of 'dot', 'cosine', got"):
        checks.one_of("metric", value, ("dot", "cosine"))


@pytest.mark.parametrize("value", [True, False, np.True_])
def test_flags_pass_as_bool(value):
    assert checks.flag("progress", value) is bool(value)


@pytest.mark.parametrize("value", [0, 1, "yes", None])
def test_what_is_no_flag_is_refused(value):
    with pytest.raises(InputError, match="progress must be True or False, got"):
        checks.flag("progress", value)


@pytest.mark.parametrize("name", ["windw", "WINDOW", "windows"])
def test_a_name_that_is_nearly_right_brings_the_right_one(name):
    assert checks.did_you_mean(name, ["dim", "window"]) == "; did you mean 'window'?"


def test_the_right_name_keeps_its_case():
    assert checks.closest("trackid", ["userId", "trackId"]) == "trackId"


@pytest.mark.parametrize("options", [[], ["dim", "window"]])
def test_a_name_like_no_other_brings_nothing(options):
    assert checks.did_you_mean("qqq", options) == ""
