import pyarrow as pa
import pytest

from tfspark import structs
from tfspark.batch_size import (
    FIRST_BYTES,
    FIRST_ROWS,
    LONG_SECONDS,
    MAX_ROWS,
    SIZES,
    TARGET_BYTES,
    CpuBatchSize,
)
from tfspark.columns import columns_of
from tfspark.constants import Constant
from tfspark.schema import bind
from tfspark.signature import Signature, TensorSpec

ROW_BYTES = 64
BATCH = pa.record_batch({"x": pa.array([[0.0] * 13] * 1000, pa.list_(pa.float32()))})
"""Rows of 13 floats, the offset of their list, and an output of 8 bytes: 64 bytes each."""
LARGEST = TARGET_BYTES // ROW_BYTES // 16 * 16
# Windows of each size that are timed.
EACH = 5
TRIALS = EACH * SIZES


def batch_size(given=None, rows=None, model_bytes=0):
    inputs = (TensorSpec("x", "float32", (rows, 13)),)
    one = Signature("serve", inputs, (TensorSpec("y", "float64", (rows,)),))
    return CpuBatchSize(bind(one, columns_of(BATCH.schema)), given, model_bytes)


def sizes_taken(size, seconds_per_row, windows=TRIALS + 3, unit=1.0):
    """Simulate windows whose time is a function of their rows; return the rows of each window."""
    taken = []
    for _ in range(windows):
        rows = size.of(BATCH)()
        size.record(rows, rows * seconds_per_row(rows) * unit)
        taken.append(rows)
    return taken


def test_windows_of_a_light_model_are_a_mebibyte():
    assert sizes_taken(batch_size(), lambda rows: 1e-8, 5) == [LARGEST] * 5
    small = batch_size(model_bytes=FIRST_BYTES // LARGEST // 2)
    assert sizes_taken(small, lambda rows: 1e-8, 5) == [LARGEST] * 5


def large():
    return batch_size(model_bytes=1 << 30)


def test_fast_windows_of_a_large_model_grow_to_a_mebibyte():
    taken = sizes_taken(large(), lambda rows: 1e-8, 6)
    assert taken == [FIRST_ROWS, 64 * FIRST_ROWS, *[LARGEST] * 4]


@pytest.mark.parametrize(
    ("each", "last"),
    [
        (LONG_SECONDS / 7.5, 16),
        (LONG_SECONDS / 500, 512),
        (2 * LONG_SECONDS, 16),
    ],
)
def test_windows_of_a_heavy_model_stay_short(each, last):
    taken = sizes_taken(large(), lambda rows: each, 8 + TRIALS)
    assert taken[0] == FIRST_ROWS
    assert max(taken) <= 2 * last
    assert last // 2 <= taken[-1] <= last


@pytest.mark.parametrize(
    ("seconds", "last"),
    [
        (lambda rows: 0.2, LARGEST),  # a call takes long, its rows do not
        (lambda rows: 0.3 + rows * 1e-3, 4096),
        (lambda rows: max(0.16, rows * 1e-4), 2048),  # weights are read in each call
    ],
)
def test_windows_grow_while_a_row_takes_less_time(seconds, last):
    taken = sizes_taken(large(), lambda rows: seconds(rows) / rows, 30 + TRIALS)
    assert max(taken) <= 2 * last
    assert taken[-1] == last


@pytest.mark.parametrize("floats", [(1 << 20) // 9 // 4, 1 << 20])
def test_windows_of_a_mebibyte_do_not_grow(floats):
    wide = pa.record_batch({"x": pa.array([[0.0] * floats], pa.list_(pa.float32()))})
    size, taken = large(), []
    for _ in range(2 * EACH):
        taken.append(size.of(wide)())
        size.record(taken[-1], taken[-1] * LONG_SECONDS)
    assert taken[:EACH] == [max((1 << 20) // (4 * floats + 12), 1)] * EACH


@pytest.mark.parametrize(("mebibytes", "rows"), [(0.5, 8), (1, 7), (3, 2), (9, 1)])
def test_a_window_of_large_rows_has_a_few_of_them(mebibytes, rows):
    floats = int(mebibytes * 2**18)
    images = pa.record_batch({"x": pa.array([[0.0] * floats], pa.list_(pa.float32()))})
    size, taken = large(), []
    while len(taken) < TRIALS:  # each call costs as much as two rows
        taken.append(size.of(images)())
        size.record(taken[-1], 2.0 + taken[-1])
    assert set(taken) <= {rows, rows // 2, rows // 4, 1}
    assert (taken[0], taken[-1]) == (rows, rows)


def test_a_model_that_prepares_each_size_gets_large_windows():
    seen = set()

    def each(rows):
        is_new = rows not in seen
        seen.add(rows)
        return 1e-8 + is_new * 5 * LONG_SECONDS / rows

    taken = sizes_taken(large(), each, 6 + TRIALS)
    assert taken[:5] == [FIRST_ROWS] * 2 + [64 * FIRST_ROWS] * 2 + [LARGEST]
    assert taken[-1] == LARGEST


def test_most_windows_begin_at_a_multiple_of_16_rows():
    taken = sizes_taken(batch_size(), lambda rows: abs(rows - 4096) + 1.0, unit=1e-10)
    assert {rows % 16 for rows in taken} == {0}


def test_sizes_of_narrow_rows_are_tried_too():
    inputs = (TensorSpec("x", "bool", (None,)),)
    one = Signature("serve", inputs, (TensorSpec("y", "bool", (None,)),))
    flags = pa.record_batch({"x": pa.array([True] * 300_000)})
    size = CpuBatchSize(bind(one, columns_of(flags.schema)))
    taken = []
    for _ in range(1 + EACH):
        taken.append(size.of(flags)())
        size.record(taken[-1], 1e-3)
    assert taken == [MAX_ROWS] * EACH + [MAX_ROWS // 2]


def test_each_size_is_tried_and_the_fastest_stays():
    cached = sizes_taken(batch_size(), lambda rows: 1.0 if rows < 2000 else 1.5, unit=1e-10)
    tried = cached[:TRIALS:EACH]
    assert tried == pytest.approx([LARGEST >> halvings for halvings in range(SIZES)], rel=0.01)
    assert set(cached[TRIALS:]) == {cached[TRIALS - 1]}
    middle = sizes_taken(batch_size(), lambda rows: abs(rows - 4096) + 1.0, unit=1e-10)
    assert set(middle[TRIALS:]) == {middle[2 * EACH]}


def test_two_slower_sizes_in_a_row_end_the_trial():
    steady = sizes_taken(batch_size(), lambda rows: 1.0 + 1000 / rows, unit=1e-10)
    assert set(steady[3 * EACH :]) == {steady[0]}
    assert len(set(steady)) == 3


def test_noise_does_not_choose():
    taken = sizes_taken(batch_size(), lambda rows: 1.0 if rows > 10_000 else 0.97, unit=1e-10)
    assert set(taken[TRIALS:]) == {taken[0]}


def test_the_best_time_of_a_size_counts_but_not_its_first():
    times = iter([0.1, 9.0, 1.0, 9.0, 9.0, *(0.99 for _ in range(TRIALS - EACH))])
    taken = sizes_taken(batch_size(), lambda rows: next(times, 1.0), unit=1e-10)
    assert set(taken[TRIALS:]) == {taken[0]}
    times = iter([0.1, 9.0, 1.0, 9.0, 9.0, 0.1, 0.9, 9.0, 9.0, 9.0])
    taken = sizes_taken(batch_size(), lambda rows: next(times, 1.0), unit=1e-10)
    assert set(taken[TRIALS:]) == {taken[EACH]}


def test_a_window_that_was_cut_short_tells_nothing():
    size = batch_size()
    rows = size.of(BATCH)()
    for _ in range(TRIALS):
        size.record(rows - 1, 1.0)
    assert size.of(BATCH)() == rows


def test_a_given_size_and_a_fixed_batch_win():
    assert set(sizes_taken(batch_size(7), lambda rows: rows)) == {7}
    assert set(sizes_taken(batch_size(7, rows=3), lambda rows: rows)) == {3}


def test_wide_rows_are_bounded():
    wide = pa.record_batch({"x": pa.array([[0.0] * (1 << 20)], pa.list_(pa.float32()))})
    assert batch_size().of(wide)() == 1


@pytest.mark.parametrize(
    ("spec", "constant", "row"),
    [
        (TensorSpec("k", "float32", (None, 8, 8)), 0.5, 256),
        (TensorSpec("k", "float64", (None, None)), [1.0, 2.0], 16),
        (TensorSpec("k", "string", (None,)), "a" * 1000, 1000),
    ],
)
def test_a_constant_takes_memory_for_each_row(spec, constant, row):
    inputs = (TensorSpec("x", "float32", (None, 13)), spec)
    one = Signature("serve", inputs, (TensorSpec("y", "float64", (None,)),))
    bound = bind(one, columns_of(BATCH.schema), feed={"k": Constant(constant)})
    rows = CpuBatchSize(bound).of(BATCH)()
    assert rows * (ROW_BYTES + row) <= TARGET_BYTES < (rows + 20) * (ROW_BYTES + row)


def test_a_constant_of_a_scalar_input_is_there_once():
    inputs = (TensorSpec("x", "float32", (None, 13)), TensorSpec("k", "string", ()))
    one = Signature("serve", inputs, (TensorSpec("y", "float64", (None,)),))
    bound = bind(one, columns_of(BATCH.schema), feed={"k": Constant("a" * 1000)})
    assert CpuBatchSize(bound).of(BATCH)() == LARGEST


def test_the_zeros_of_a_sparse_vector_take_memory():
    sparse = {"type": 0, "size": 1 << 18, "indices": [7], "values": [1.0]}
    batch = pa.record_batch({"x": pa.array([sparse, None] * 8, structs.VECTOR)})
    one = Signature(
        "serve",
        (TensorSpec("x", "float32", (None, None)),),
        (TensorSpec("y", "float64", (None,)),),
    )
    assert CpuBatchSize(bind(one, columns_of(batch.schema))).of(batch)() == 3
