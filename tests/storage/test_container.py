"""The safetensors container: what goes in comes out, aligned, and damage is named."""

import contextlib
import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from fastrec.errors import FormatError, InputError
from fastrec.storage import container

DTYPES = ["?", "i1", "u1", "<i2", "<u2", "<f2", "<i4", "<u4", "<f4", "<i8", "<u8", "<f8", "<c8"]

arrays_strategy = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name != "__metadata__"),
    st.sampled_from([*DTYPES, ">i4", ">f8"]).flatmap(
        lambda dtype: npst.arrays(
            np.dtype(dtype), npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
        )
    ),
    max_size=6,
)
metadata_strategy = st.dictionaries(
    st.text(max_size=6).filter(lambda key: key not in ("padding", "xxh64")),
    st.text(max_size=20),
    max_size=3,
)


def mixed_arrays():
    rng = np.random.default_rng(1)
    return {
        "blob": np.arange(7, dtype=np.uint8),
        "vectors": rng.random((5, 16), dtype=np.float32),
        "shown": rng.random((5, 16), dtype=np.float32)[:, :3],
        "empty": np.zeros((0, 4), dtype=np.float32),
        "codes": np.arange(5, dtype=np.int32),
        "offsets": np.arange(4, dtype=np.int64),
        "scalar": np.array(2.5),
    }


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "arrays.fastrec"
    container.write(path, mixed_arrays(), {"kind": "test"})
    return path


def header_of(path):
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), 8 + length


def with_header(path, header, tail=None):
    """Rewrite a file with another header over the same data."""
    content = path.read_bytes()
    start = header_of(path)[1]
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    data = content[start:] if tail is None else tail
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@given(arrays_strategy, metadata_strategy)
def test_bytes_give_back_what_was_stored(arrays, metadata):
    content = container.from_bytes(container.to_bytes(arrays, metadata))
    assert content.metadata == metadata
    assert content.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        assert content.arrays[name].dtype == array.dtype.newbyteorder("<")
        assert content.arrays[name].shape == array.shape
        np.testing.assert_array_equal(content.arrays[name], array)


@pytest.mark.parametrize("mmap", [False, True])
def test_file_gives_back_what_was_stored(saved, mmap):
    content = container.read(saved, mmap=mmap)
    assert content.metadata == {"kind": "test"}
    for name, array in mixed_arrays().items():
        np.testing.assert_array_equal(content.arrays[name], array)


@pytest.mark.parametrize("layout", ["strided", "reversed", "fortran", "transposed"])
def test_any_memory_layout_is_stored_in_c_order(tmp_path, monkeypatch, layout):
    monkeypatch.setattr(container, "COPY_BYTES", 100)  # several pieces
    base = np.arange(600, dtype=np.int32).reshape(20, 30)
    array = {
        "strided": base[::2, ::3],
        "reversed": base[::-1],
        "fortran": np.asfortranarray(base),
        "transposed": base.T,
    }[layout]
    container.write(tmp_path / "f", {"a": array}, {})
    np.testing.assert_array_equal(container.read(tmp_path / "f").arrays["a"], array)


def test_safetensors_library_reads_the_file(saved):
    library = pytest.importorskip("safetensors.numpy")
    arrays = library.load_file(saved)
    assert arrays.keys() == mixed_arrays().keys()
    for name, array in mixed_arrays().items():
        np.testing.assert_array_equal(arrays[name], array)


@given(arrays_strategy.filter(lambda arrays: not any(a.dtype == "c8" for a in arrays.values())))
def test_safetensors_library_reads_any_content(arrays):
    library = pytest.importorskip("safetensors.numpy")
    read = library.load(container.to_bytes(arrays, {}))
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)


def test_files_of_the_safetensors_library_are_read(tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    arrays = {"odd": np.arange(3, dtype=np.uint8), "x": np.arange(6, dtype=np.float64)}
    library.save_file(arrays, tmp_path / "f", metadata={"who": "they"})
    for mmap in (False, True):
        content = container.read(tmp_path / "f", mmap=mmap)
        assert content.metadata == {"who": "they"}
        for name, array in arrays.items():
            np.testing.assert_array_equal(content.arrays[name], array)
            assert content.arrays[name].flags.aligned


def test_data_starts_on_a_cache_line(saved):
    assert header_of(saved)[1] % 64 == 0


@given(st.integers(0, 200))
def test_data_starts_on_a_cache_line_for_any_header_length(size):
    content = container.to_bytes({"a": np.zeros(16, dtype=np.float32)}, {"text": "x" * size})
    assert (8 + int.from_bytes(content[:8], "little")) % 64 == 0


def test_mapped_matrices_of_padded_stride_lie_on_cache_lines(tmp_path):
    arrays = {
        "text": np.arange(3, dtype=np.uint8),
        "one": np.zeros((3, 16), dtype=np.float32),
        "two": np.zeros((5, 32), dtype=np.float32),
        "ids": np.arange(3),
    }
    container.write(tmp_path / "f", arrays, {})
    mapped = container.read(tmp_path / "f", mmap=True).arrays
    assert [mapped[name].ctypes.data % 64 for name in ("one", "two")] == [0, 0]


def test_mapped_arrays_are_aligned_to_their_items(saved):
    for array in container.read(saved, mmap=True).arrays.values():
        assert array.flags.aligned


def test_mapped_arrays_are_read_only_views_of_the_file(saved):
    array = container.read(saved, mmap=True).arrays["vectors"]
    assert not array.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 1


def test_arrays_that_were_read_are_writable_and_on_cache_lines(saved):
    for array in container.read(saved).arrays.values():
        assert array.flags.writeable
        assert array.size == 0 or array.ctypes.data % 64 == 0


def test_a_mapped_file_stays_as_it_was_when_it_is_replaced(saved):
    before = container.read(saved, mmap=True).arrays["vectors"]
    container.write(saved, {"vectors": np.zeros((2, 16), dtype=np.float32)}, {})
    np.testing.assert_array_equal(before, mixed_arrays()["vectors"])


def test_a_mapped_array_can_be_saved_over_its_own_file(saved):
    arrays = container.read(saved, mmap=True).arrays
    container.write(saved, arrays, {})
    np.testing.assert_array_equal(
        container.read(saved).arrays["vectors"], mixed_arrays()["vectors"]
    )


def test_metadata_is_read_alone(saved):
    assert container.read_metadata(saved) == {"kind": "test"}


def test_a_file_without_arrays_is_read(tmp_path):
    container.write(tmp_path / "f", {}, {"a": "b"})
    for mmap in (False, True):
        assert container.read(tmp_path / "f", mmap=mmap).arrays == {}


@pytest.mark.parametrize(
    ("arrays", "metadata"),
    [
        ({"a": np.array([None])}, {}),
        ({"a": np.array(["text"])}, {}),
        ({"a": np.array(["2020-01-01"], dtype="M8[s]")}, {}),
        ({"__metadata__": np.zeros(1)}, {}),
        ({"a": np.zeros(1)}, {"padding": "x"}),
        ({"a": np.zeros(1)}, {"number": 1}),
    ],
)
def test_what_cannot_be_stored_is_refused_before_the_file_is_touched(saved, arrays, metadata):
    before = saved.read_bytes()
    with pytest.raises(InputError):
        container.write(saved, arrays, metadata)
    assert saved.read_bytes() == before


def test_a_header_beyond_the_limit_of_the_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(container.headers, "MAX_HEADER_BYTES", 1000)
    with pytest.raises(InputError, match="store long strings as arrays"):
        container.write(tmp_path / "f", {}, {"long": "x" * 1000})


def test_truncated_data_is_named(saved):
    saved.write_bytes(saved.read_bytes()[:-5])
    for mmap in (False, True):
        with pytest.raises(FormatError, match="is truncated: it has"):
            container.read(saved, mmap=mmap)


def test_truncated_header_is_named(saved):
    saved.write_bytes(saved.read_bytes()[:40])
    with pytest.raises(FormatError, match="is truncated"):
        container.read(saved)


@pytest.mark.parametrize("content", [b"hello", b"hello, this is a text", b"\x80\x04\x95" * 20])
def test_other_files_are_named_as_not_ours(tmp_path, content):
    path = tmp_path / "f"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="is not a fastrec file"):
        container.read(path)


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(FormatError, match="is empty"):
        container.read(tmp_path / "f", mmap=True)


def test_bytes_after_the_end_are_damage(saved):
    saved.write_bytes(saved.read_bytes() + b"more")
    with pytest.raises(FormatError, match="its header describes"):
        container.read(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "BF16"}, "which fastrec does not read"),
        ({"dtype": 3}, "which fastrec does not read"),
        ({"shape": [5, 17]}, "data_offsets span"),
        ({"shape": [-5, -16]}, "has shape"),
        ({"shape": [5.0, 16]}, "has shape"),
        ({"shape": "5,16"}, "has shape"),
        ({"data_offsets": [0]}, "data_offsets"),
        ({"data_offsets": [4, 324]}, "begins at byte"),
    ],
)
def test_an_entry_that_contradicts_itself_is_named(saved, change, message):
    header, _ = header_of(saved)
    header["vectors"].update(change)
    with_header(saved, header)
    with pytest.raises(FormatError, match=message):
        container.read(saved)


def test_an_entry_without_its_dtype_is_named(saved):
    header, _ = header_of(saved)
    del header["vectors"]["dtype"]
    with_header(saved, header)
    with pytest.raises(FormatError, match="lacks its dtype"):
        container.read(saved)


def test_overlapping_arrays_are_damage(saved):
    header, _ = header_of(saved)
    header["again"] = header["vectors"]
    with_header(saved, header)
    with pytest.raises(FormatError, match="begins at byte"):
        container.read(saved)


@pytest.mark.parametrize(
    "header",
    [
        b'{"a": ',
        b"{" * 40,
        b'{"a":{"a":' * 60_000,
        b'{"\xff": 1}',
        b'{"a": 1, "a": 2}',
        b'{"__metadata__": {"k": 1}}',
        b'{"__metadata__": []}',
        b'{"a": []}',
    ],
)
def test_a_broken_header_is_damage(saved, header):
    with_header(saved, header)
    with pytest.raises(FormatError, match="is damaged"):
        container.read(saved)


@given(st.data())
def test_no_damage_is_worse_than_a_format_error(data):
    content = bytearray(container.to_bytes(mixed_arrays(), {"kind": "test"}))
    header_length = 8 + int.from_bytes(content[:8], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, header_length - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(FormatError):
            container.from_bytes(bytes(content))


# Checksums


def flip(path, place):
    """Change one bit of the byte at ``place``; negative places count from the end."""
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


def place_of(path, name):
    """Where in the file an array begins."""
    header, start = header_of(path)
    return start + header[name]["data_offsets"][0]


@pytest.mark.parametrize("name", ["vectors", "shown", "codes", "scalar", "blob"])
@pytest.mark.parametrize("how", [{"mmap": False}, {"mmap": True, "verify": True}])
def test_a_flipped_bit_is_noticed_and_its_array_named(saved, name, how):
    flip(saved, place_of(saved, name))
    with pytest.raises(FormatError, match=f"the bytes of array '{name}' have changed"):
        container.read(saved, **how)


@pytest.mark.parametrize("how", [{"mmap": True}, {"mmap": False, "verify": False}])
def test_arrays_are_not_compared_where_that_is_not_wanted(saved, how):
    flip(saved, place_of(saved, "codes"))
    assert container.read(saved, **how).arrays["codes"].tolist() == [4, 1, 2, 3, 4]


def test_a_sound_file_passes_when_it_is_mapped_and_compared(saved):
    content = container.read(saved, mmap=True, verify=True)
    np.testing.assert_array_equal(content.arrays["shown"], mixed_arrays()["shown"])


def test_a_changed_header_is_noticed_even_where_it_makes_sense(saved):
    content = saved.read_bytes()
    saved.write_bytes(content.replace(b'"kind":"test"', b'"kind":"rest"'))
    with pytest.raises(FormatError, match="its header does not have the checksum"):
        container.read(saved, mmap=True)


def test_a_large_array_is_compared_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(container, "CHECK_BYTES", 96)
    container.write(tmp_path / "f", {"a": np.arange(100)}, {})
    np.testing.assert_array_equal(container.read(tmp_path / "f").arrays["a"], np.arange(100))
    flip(tmp_path / "f", -1)
    with pytest.raises(FormatError, match="array 'a'"):
        container.read(tmp_path / "f")


@pytest.fixture
def unchecked(saved):
    """A file as older versions wrote it."""
    header, _ = header_of(saved)
    del header["__metadata__"]["xxh64"]
    with_header(saved, header)
    return saved


@pytest.mark.parametrize("mmap", [False, True])
def test_a_file_without_checksums_is_read_as_it_is(unchecked, mmap):
    flip(unchecked, place_of(unchecked, "codes"))
    assert container.read(unchecked, mmap=mmap).arrays["codes"].tolist() == [4, 1, 2, 3, 4]


@pytest.mark.parametrize("mmap", [False, True])
def test_checksums_that_were_asked_for_must_be_there(unchecked, mmap):
    with pytest.raises(FormatError, match="holds no checksums to compare"):
        container.read(unchecked, mmap=mmap, verify=True)


@pytest.mark.parametrize(
    "table", ["", "[]", "{}", '{"codes":"0123456789abcdef"}', '{"__metadata__":3}', "\ud800"]
)
def test_checksums_that_are_not_those_of_the_arrays_are_damage(saved, table):
    header, _ = header_of(saved)
    header["__metadata__"]["xxh64"] = table
    with_header(saved, header)
    with pytest.raises(FormatError, match="checksum"):
        container.read(saved)


def test_the_checksums_are_no_metadata_of_the_user(saved):
    assert container.read(saved).metadata == {"kind": "test"}
    with pytest.raises(InputError, match="'xxh64'"):
        container.to_bytes({}, {"xxh64": "mine"})


@given(arrays_strategy.filter(lambda arrays: any(a.nbytes for a in arrays.values())), st.data())
def test_any_flipped_bit_of_any_array_is_noticed(arrays, data):
    content = bytearray(container.to_bytes(arrays, {}))
    size = sum(array.nbytes for array in arrays.values())
    content[-data.draw(st.integers(1, size))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(FormatError, match="have changed since they were saved"):
        container.from_bytes(bytes(content))
