"""Model files: class, parameters, arrays and state come back; what is not ours is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.errors import FormatError, InputError
from fastrec.storage import container, model_file
from fastrec.storage import header as headers

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def save(path, **changes):
    content = {
        "class_name": "Item2Vec",
        "params": {"dim": 3, "seed": None},
        "arrays": {"vectors": np.ones((2, 16), dtype=np.float32)},
        "state": {"history": [{"loss": 0.5}]},
    }
    model_file.save(path, **{**content, **changes})


def with_metadata(path, **changes):
    """Rewrite a model file with other metadata; None takes an entry away."""
    content = container.read(path)
    metadata = {**content.metadata, **changes}
    container.write(path, content.arrays, {k: v for k, v in metadata.items() if v is not None})


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "m.fastrec"
    save(path)
    return path


@pytest.mark.parametrize("mmap", [False, True])
def test_a_model_comes_back(saved, mmap):
    model = model_file.load(saved, mmap=mmap)
    assert model.class_name == "Item2Vec"
    assert model.params == {"dim": 3, "seed": None}
    assert model.state == {"history": [{"loss": 0.5}]}
    np.testing.assert_array_equal(model.arrays["vectors"], np.ones((2, 16)))


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=4))
def test_parameters_come_back_as_json_keeps_them(params):
    content = model_file.to_bytes("Popularity", params, {}, {})
    assert model_file.from_bytes(content).params == params


def test_numpy_numbers_come_back_as_numbers(saved):
    save(saved, params={"dim": np.int64(8), "rate": np.float32(0.5), "flag": np.bool_(True)})
    assert model_file.load(saved).params == {"dim": 8, "rate": 0.5, "flag": True}


@pytest.mark.parametrize("value", [object(), np.zeros(2), {1, 2}, b"bytes", np.datetime64("now")])
def test_what_json_cannot_hold_is_refused_and_the_old_file_stays(saved, value):
    before = saved.read_bytes()
    with pytest.raises(InputError, match="params must hold numbers"):
        save(saved, params={"x": value})
    assert saved.read_bytes() == before


def test_a_newer_format_version_asks_for_an_upgrade(saved):
    with_metadata(saved, format_version="2", fastrec_version="9.1")
    with pytest.raises(FormatError, match=r"newer version: fastrec 9\.1 .* upgrade with: pip"):
        model_file.load(saved)


@pytest.mark.parametrize("version", [None, "", "0", "-1", "one", "1.0", "9" * 5000])
def test_a_senseless_format_version_is_damage(saved, version):
    with_metadata(saved, format_version=version)
    with pytest.raises(FormatError, match="its format version is"):
        model_file.load(saved)


@pytest.mark.parametrize("metadata", [{}, {"format": "pt"}])
def test_a_safetensors_file_of_others_is_named_as_such(tmp_path, metadata):
    container.write(tmp_path / "f", {"w": np.zeros(3)}, metadata)
    with pytest.raises(FormatError, match="but no model of fastrec"):
        model_file.load(tmp_path / "f")


@pytest.mark.parametrize(
    "changes", [{"class": None}, {"params": None}, {"state": "{"}, {"params": "[" * 100_000}]
)
def test_metadata_that_lacks_a_part_is_damage(saved, changes):
    with_metadata(saved, **changes)
    with pytest.raises(FormatError, match="its metadata lacks"):
        model_file.load(saved)


def test_params_that_are_no_table_are_damage(saved):
    with_metadata(saved, params="[1]")
    with pytest.raises(FormatError, match="no JSON objects"):
        model_file.load(saved)


def test_a_pickle_is_not_ours(tmp_path):
    import pickle

    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"weights": list(range(100))}))
    with pytest.raises(FormatError, match="is not a fastrec file"):
        model_file.load(tmp_path / "m.pkl")


def test_a_file_larger_than_memory_opens_mapped(tmp_path):
    rows = 1 << 32  # 256 GB of zeros in a sparse file, which could not be read
    entry = headers.Entry("vectors", np.dtype("<f4"), (rows, 16), 0, rows * 64)
    metadata = container.from_bytes(model_file.to_bytes("Item2Vec", {}, {}, {})).metadata
    head = headers.build([entry], metadata)  # whose checksum is missing, and never asked for
    with open(tmp_path / "large", "wb") as file:
        file.write(head)
        file.truncate(len(head) + rows * 64)
    vectors = model_file.load(tmp_path / "large", mmap=True).arrays["vectors"]
    assert vectors.shape == (rows, 16)
    assert vectors[-1, -1] == 0
