"""The batch size on a GPU, with simulated times."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tfspark.batch_size import FIRST_BYTES, FIRST_ROWS, LONG_SECONDS, MAX_ROWS, TARGET_BYTES
from tfspark.columns import columns_of
from tfspark.gpu_batch_size import MOST_BYTES, GpuBatchSize
from tfspark.schema import bind
from tfspark.signature import Signature, TensorSpec

FLOATS = 1021
ROW_BYTES = 4 * (FLOATS + 3)
"""The floats, the offset of their list, and an output of 8 bytes."""
FIRST = TARGET_BYTES // ROW_BYTES
LARGEST = MOST_BYTES // ROW_BYTES
EACH = 3


def images(floats=FLOATS, rows=100):
    ends = np.arange(rows + 1, dtype=np.int32) * floats
    values = np.zeros(rows * floats, dtype=np.float32)
    return pa.record_batch({"x": pa.ListArray.from_arrays(pa.array(ends), pa.array(values))})


def batch_size(given=None, rows=None, model_bytes=0, floats=FLOATS):
    inputs = (TensorSpec("x", "float32", (rows, floats)),)
    one = Signature("serve", inputs, (TensorSpec("y", "float64", (rows,)),))
    return GpuBatchSize(bind(one, columns_of(images(1).schema)), given, model_bytes)


def sizes_taken(size, seconds, windows=30, batch=None):
    """Simulate windows whose time is a function of their rows; return the rows of each window."""
    taken, batch = [], batch or images()
    for _ in range(windows):
        rows = size.of(batch)()
        size.record(rows, seconds(rows))
        taken.append(rows)
    return taken


def fixed_cost(rows):
    return 1e-3 + rows * 1e-6


def test_windows_grow_from_a_mebibyte_to_the_largest_size():
    taken = sizes_taken(batch_size(), lambda rows: 1e-3)
    assert taken[: 3 * EACH] == [FIRST] * EACH + [4 * FIRST] * EACH + [16 * FIRST] * EACH
    assert set(taken[3 * EACH :]) == {LARGEST}


def test_the_size_before_the_first_slower_one_stays():
    taken = sizes_taken(batch_size(), lambda rows: fixed_cost(rows) + (rows > 2000) * rows * 1e-6)
    assert taken[2 * EACH] == 16 * FIRST
    assert set(taken[3 * EACH :]) == {4 * FIRST}


def test_a_size_that_is_hardly_faster_is_not_chosen():
    taken = sizes_taken(batch_size(), lambda rows: rows * (1.0 if rows == FIRST else 0.97) * 1e-6)
    assert set(taken[2 * EACH :]) == {FIRST}


def test_the_first_window_of_a_size_does_not_count():
    seen = set()

    def prepared(rows):
        is_new = rows not in seen
        seen.add(rows)
        return 1e-3 + is_new * 5 * LONG_SECONDS

    assert sizes_taken(batch_size(), prepared)[-1] == LARGEST


@pytest.mark.parametrize(("seconds", "last"), [(LONG_SECONDS, 1), (LONG_SECONDS / 3.5, 3)])
def test_a_window_that_would_take_long_is_not_tried(seconds, last):
    taken = sizes_taken(batch_size(), lambda rows: seconds * (0.3 + 0.7 * rows / FIRST))
    assert max(taken) == last * FIRST


def test_a_large_model_begins_with_few_rows():
    assert sizes_taken(batch_size(model_bytes=FIRST_BYTES), fixed_cost)[0] == FIRST_ROWS


def test_large_rows_begin_with_16_and_stay_within_the_limit():
    floats = 224 * 224 * 3
    taken = sizes_taken(batch_size(floats=floats), lambda rows: 1e-3, batch=images(floats, 2))
    assert taken[0] == FIRST_ROWS
    assert taken[-1] == (MOST_BYTES // (4 * floats)) // 16 * 16
    huge = images(1 << 25, 1)
    assert set(sizes_taken(batch_size(floats=1 << 25), lambda rows: 1e-3, 9, huge)) == {1}


def test_narrow_rows_are_limited_too():
    taken = sizes_taken(batch_size(floats=1), lambda rows: 1e-4, batch=images(1))
    assert max(taken) == MAX_ROWS


def test_a_small_last_step_to_the_limit_is_not_tried():
    floats = MOST_BYTES // 4 // 80 - 3
    taken = sizes_taken(batch_size(floats=floats), lambda rows: 1e-3, batch=images(floats, 2))
    assert taken[-1] == 4 * FIRST_ROWS


def test_rows_that_get_larger_stay_within_the_limit():
    size = batch_size()
    assert sizes_taken(size, lambda rows: 1e-3)[-1] == LARGEST
    assert size.of(images(8 * FLOATS))() * ROW_BYTES * 7 < MOST_BYTES


def test_a_given_size_and_a_fixed_batch_win():
    assert set(sizes_taken(batch_size(7), fixed_cost)) == {7}
    assert set(sizes_taken(batch_size(7, rows=3), fixed_cost)) == {3}
