"""CSV files, with pyarrow and without."""

import gzip
import os
import sys

import pytest

from fastrec.data.interactions import Interactions
from fastrec.errors import FormatError, InputError

TEXT = """who,track,when,stars,place
ann,007,2020-01-01 00:00:10,1.5,"home, sweet home"
bob,5,2020-01-01 00:00:00,2,bus
ann,12,2020-01-01 00:00:05,3,日本
"""


@pytest.fixture(params=["pyarrow", "csv module"])
def _reader(request, monkeypatch):
    if request.param == "csv module":
        monkeypatch.setitem(sys.modules, "pyarrow", None)


@pytest.fixture
def plays(tmp_path, _reader):
    """Return a function that writes a CSV file."""

    def write(text=TEXT, name="plays.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
        return path

    return write


def histories(log):
    """Return the histories in external ids."""
    return [log.item_ids.decode(history).tolist() for history in log.sequences()]


def test_columns_get_the_type_of_their_values(plays):
    log = Interactions.from_csv(
        plays(), user="who", item="track", time="when", value="stars", context=["place"]
    )
    assert log.user_ids.ids.tolist() == ["ann", "bob"]
    assert histories(log) == [[12, 7], [5]]
    assert log.value.tolist() == [3, 1.5, 2]
    assert log.time.tolist()[0] - log.time.tolist()[2] == 5 * {"s": 1, "us": 10**6}[log.time_unit]
    places = log.context_ids["place"].decode(log.context["place"]).tolist()
    assert places == ["日本", "home, sweet home", "bus"]


def test_columns_can_be_kept_as_text(plays):
    log = Interactions.from_csv(plays(), user="who", item="track", time="when", text=["track"])
    assert histories(log) == [["12", "007"], ["5"]]


def test_files_without_a_first_line_of_names_are_given_them(plays):
    path = plays("1\t10\n2\t20\n1\t5\n")
    log = Interactions.from_csv(path, user="u", item="i", delimiter="\t", header=["u", "i"])
    assert histories(log) == [[10, 5], [20]]


def test_a_byte_order_mark_is_no_part_of_a_name(plays):
    log = Interactions.from_csv(plays(b"\xef\xbb\xbfu,i\n1,2\n"), user="u", item="i")
    assert histories(log) == [[2]]


def test_several_files_make_one_log(plays, tmp_path):
    plays("u,i\n1,2\n", "a.csv")
    plays("u,i\n1,3\n", "b.csv")
    assert histories(Interactions.from_csv(tmp_path, user="u", item="i")) == [[2, 3]]


def test_an_unknown_column_is_named(plays):
    with pytest.raises(InputError, match=r"no column 'trak'.*did you mean 'track'"):
        Interactions.from_csv(plays(), user="who", item="trak")
    with pytest.raises(InputError, match="no column 'x', given as text"):
        Interactions.from_csv(plays(), user="who", item="track", text=["x"])


def test_an_empty_value_is_missing(plays):
    with pytest.raises(InputError, match="column 'i' must not be missing, got none in row 1"):
        Interactions.from_csv(plays("u,i\n1,2\n1,\n"), user="u", item="i")


def test_a_file_of_names_only_is_an_empty_log(plays):
    with pytest.raises(InputError, match="the log is empty"):
        Interactions.from_csv(plays("u,i\n"), user="u", item="i")


def test_an_empty_file_is_refused(plays):
    with pytest.raises(InputError, match="is empty: its first line must name the columns"):
        Interactions.from_csv(plays(""), user="u", item="i")


def test_rows_of_different_lengths_are_a_format_error(plays):
    with pytest.raises(FormatError, match=r"plays\.csv"):
        Interactions.from_csv(plays("u,i\n1,2\n1,2,3\n"), user="u", item="i")


def test_a_file_that_is_no_utf8_is_a_format_error(plays):
    with pytest.raises(FormatError, match="UTF-8"):
        Interactions.from_csv(plays(b"u,i,\xff\xfe\n1,2,3\n"), user="u", item="i")


def test_a_delimiter_is_one_character(plays):
    with pytest.raises(InputError, match="delimiter must be one character"):
        Interactions.from_csv(plays(), user="who", item="track", delimiter="::")


def test_a_packed_file_is_read_like_a_plain_one(plays):
    path = plays(gzip.compress(TEXT.encode()), "plays.csv.gz")
    packed = Interactions.from_csv(path, user="who", item="track", time="when")
    assert histories(packed) == histories(
        Interactions.from_csv(plays(), user="who", item="track", time="when")
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plays.csv", b"who,track\n" + b"ann,song\n" * 99_999 + b"\xe9,song\n"),
        ("plays.csv.gz", gzip.compress(b"who,track\n" + bytes(range(97, 123)) * 999)[:-20]),
        ("plays.csv.gz", b"who,track\nann,song\n"),
    ],
    ids=["late bad byte", "cut short", "not packed"],
)
def test_bytes_that_cannot_be_read_are_a_sentence(plays, name, content):
    with pytest.raises((FormatError, InputError)):
        Interactions.from_csv(plays(content, name), user="who", item="track")


def test_two_columns_of_one_name_are_refused(plays):
    with pytest.raises(InputError, match=r"plays\.csv has 2 columns 'who'"):
        Interactions.from_csv(plays("who,who,track\n1,1,2\n"), user="who", item="track")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read it")
@pytest.mark.parametrize("name", ["plays.csv", "plays.csv.gz"])
def test_a_file_that_may_not_be_read_is_named(plays, name):
    path = plays(TEXT, name)
    path.chmod(0)
    with pytest.raises(InputError, match=f"cannot read .*{name}: Permission denied"):
        Interactions.from_csv(path, user="who", item="track")
