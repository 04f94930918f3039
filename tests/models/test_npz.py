import numpy as np
import pytest

from models.reading.npz import read_npz
from models.refusal import DataError
from tfspark.errors import InputNotFoundError

SHAPES = {"x": (None, 2), "y": (None,)}
X, Y = np.arange(6.0).reshape(3, 2), np.array([1, 0, 1], np.uint8)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data.npz"


def test_arrays_asked_for_are_returned(file):
    np.savez(file, x=X, y=Y, more=X)
    arrays = read_npz(file, SHAPES)
    assert arrays.keys() == {"x", "y"}
    np.testing.assert_array_equal(arrays["x"], X)
    np.testing.assert_array_equal(arrays["y"], Y)
    assert arrays["y"].dtype == np.uint8


def test_missing_file_is_said(file):
    with pytest.raises(InputNotFoundError, match=r"No file data.npz(.|\n)*'x', 'y'"):
        read_npz(file, SHAPES)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"X": X, "y": Y}, "no array 'x'. Did you mean 'X'?"),
        ({"x": X[:, :1], "y": Y}, "array 'x': expected numbers of shape (None, 2)"),
        ({"x": X[:0], "y": Y}, "found float64 of shape (0, 2)"),
        ({"x": X, "y": X}, "array 'y'"),
        ({"x": X.astype(str), "y": Y}, "array 'x'"),
    ],
)
def test_other_layouts_are_said(file, arrays, words):
    np.savez(file, **arrays)
    with pytest.raises(DataError) as refusal:
        read_npz(file, SHAPES)
    assert words in str(refusal.value)


def test_pickled_objects_are_not_read(file):
    np.savez(file, x=np.array([[1], [1, 2]], object), y=Y)
    with pytest.raises(DataError, match="allow_pickle"):
        read_npz(file, SHAPES)


def test_file_that_is_cut_off_or_another_is_refused(file):
    np.savez_compressed(file, x=X, y=Y)
    whole = file.read_bytes()
    np.save(file.with_suffix(".npy"), X)
    alone = file.with_suffix(".npy").read_bytes()
    damaged = whole[:40] + bytes(20) + whole[60:]
    for content in (b"", b"no arrays", whole[: len(whole) // 2], damaged, alone):
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"not a whole \.npz file"):
            read_npz(file, SHAPES)
