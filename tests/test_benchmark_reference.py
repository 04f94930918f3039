"""The benchmark compares the rows that a side wrote with TensorFlow's answers."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.reference import answers_of, check
from benchmarks.task import Task

WANTED = np.array([[0.5, 0.1], [0.25, 0.9], [0.25, 0.4], [0.25, 0.6]], np.float32)


@pytest.fixture
def checked(tmp_path):
    """Check an output against the wanted answers."""

    def run(found):
        task = Task("linear", str(tmp_path / "rows"), str(tmp_path / "out"), "m", 4, ("x",), (2,))
        np.save(answers_of(task.data), WANTED)
        (tmp_path / "out").mkdir()
        column = pa.FixedSizeListArray.from_arrays(pa.array(found.ravel()), 2)
        lists = column.cast(pa.list_(pa.float32()))
        pq.write_table(pa.table({"outputs": lists}), tmp_path / "out" / "part-0.parquet")
        return check(Task(**{**vars(task), "width": 2}))

    return run


def test_the_order_of_the_rows_does_not_matter(checked):
    found = checked(WANTED[::-1].copy())
    assert (found.largest, found.bit_equal) == (0.0, True)


def test_rounding_may_change_the_sorted_order(checked):
    rounded = WANTED + np.array([[0.0, 0.0], [-1e-6, 0.0], [1e-6, 0.0], [0.0, 0.0]], np.float32)
    found = checked(rounded)
    assert 0.0 < found.largest < 2e-6
    assert not found.bit_equal


@pytest.mark.parametrize("row", [[0.25, 0.5], [0.25, 0.9]])
def test_a_wrong_row_is_found(checked, row):
    wrong = WANTED.copy()
    wrong[3] = row
    with pytest.raises(AssertionError, match="expected TensorFlow's answers"):
        checked(wrong)
