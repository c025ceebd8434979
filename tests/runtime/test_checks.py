"""Argument checks: what passes comes back in the form of the kernels, the rest is explained."""

import math
from collections import UserDict
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fastrec.errors import InputError
from fastrec.runtime import checks


@pytest.mark.parametrize("value", [1, 20, np.int32(3), np.uint8(7)])
def test_whole_numbers_pass_as_int(value):
    number = checks.whole_number("k", value)
    assert number == value
    assert type(number) is int


@pytest.mark.parametrize("value", [1.0, "3", None, True, np.True_, [3], np.float32(2), np.array(3)])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(InputError, match="k must be a whole number of at least 1, got"):
        checks.whole_number("k", value)


@pytest.mark.parametrize("value", [-1, 8])
def test_whole_numbers_outside_their_span_are_refused(value):
    with pytest.raises(InputError, match=f"k must be a whole number from 0 to 7, got {value}"):
        checks.whole_number("k", value, 0, 7)


@pytest.mark.parametrize("value", [0, 0.5, np.float32(0.25), 1, np.int16(1)])
def test_real_numbers_pass_as_float(value):
    number = checks.real_number("rate", value, 0, 1)
    assert number == float(value)
    assert type(number) is float


@pytest.mark.parametrize(
    "value",
    [
        *("a", "0.5", b"1", None, [1, 2], np.ones(1), True, np.True_, 1j, object()),
        *(Fraction(1, 3), Decimal("0.5")),
    ],
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


def test_a_string_passes_as_text():
    assert checks.text("name", "") == ""


@pytest.mark.parametrize("value", [None, b"a", 3, ["a"]])
def test_what_is_no_string_is_refused(value):
    with pytest.raises(InputError, match=r"name must be a string, got .* of type"):
        checks.text("name", value)


def test_what_is_of_another_type_is_refused_with_the_advice():
    with pytest.raises(InputError, match="log must be a range, got list; use range"):
        checks.instance_of("log", [1], range, "a range", "use range(n)")


def test_what_is_like_a_dict_passes_as_a_mapping():
    assert checks.mapping("row", UserDict(a=1), "")["a"] == 1


def test_what_is_no_dict_is_refused():
    with pytest.raises(InputError, match=r"row must be a dict, got float64 of shape \(2,\); give"):
        checks.mapping("row", np.zeros(2), "give one")


@pytest.mark.parametrize("value", [[1, 2], (1, 2), iter([1, 2]), {1: 0, 2: 0}, np.array([1, 2])])
def test_whatever_can_be_iterated_over_passes_as_a_list(value):
    assert checks.listed("items", value, "a list") == [1, 2]


@pytest.mark.parametrize("value", ["ab", b"ab", None, 3, np.array(3), object()])
def test_what_is_no_list_is_refused(value):
    with pytest.raises(InputError, match="items must be a list of ids, got"):
        checks.listed("items", value, "a list of ids")


def test_a_list_that_fails_while_it_is_read_keeps_the_cause():
    def failing():
        yield 1
        raise ZeroDivisionError

    with pytest.raises(InputError, match="items must be a list, got generator") as caught:
        checks.listed("items", failing(), "a list")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("path", ["a/b", Path("a/b")])
def test_a_path_passes_as_a_string(path):
    assert checks.file_path(path) == str(Path("a/b"))


@pytest.mark.parametrize("path", [None, 3, b"a", "", "a\0b", "\ud800", ["a"]])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(InputError, match="into must be a string"):
        checks.file_path(path, "into")


@pytest.mark.parametrize(
    "rows", [[2, 0], (2, 0), np.array([2, 0], np.uint8), np.array([2, 0], ">i4")], ids=repr
)
def test_row_numbers_keep_their_order(rows):
    numbers = checks.row_numbers("rows", rows, 3, "row")
    assert (numbers.dtype, numbers.tolist()) == (np.int64, [2, 0])


def test_a_mask_passes_as_the_numbers_of_its_rows():
    assert checks.row_numbers("rows", [True, False, True], 3, "row").tolist() == [0, 2]


def test_no_rows_are_row_numbers_too():
    assert checks.row_numbers("rows", [], 3, "row").dtype == np.int64


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([0, 3], "rows must be from 0 to 2, got 0 to 3"),
        ([-1], "rows must be from 0 to 2, got -1 to -1"),
        ([True], "mask must have one value a row, 3, got 1"),
        ([0.5], "mask or whole numbers, one-dimensional, got float64 of shape"),
        ([[0]], "mask or whole numbers, one-dimensional, got int64 of shape"),
        ([10**30], "mask or whole numbers, one-dimensional, got object"),
        (0, "mask or whole numbers, one-dimensional, got int64"),
        (np.ma.array([0, 1], mask=[0, 1]), "rows must not be missing"),
    ],
    ids=str,
)
def test_what_are_no_rows_is_refused(rows, words):
    with pytest.raises(InputError, match=words):
        checks.row_numbers("rows", rows, 3, "row")
