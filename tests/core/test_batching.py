import pyarrow as pa

from tfspark.batching import Windows


def cut(counts, sizes):
    """Rows of the windows cut from batches of these counts, with these window sizes in turn."""
    windows, asked = Windows(), iter(sizes)
    found = []
    for count in counts:
        batch = pa.record_batch({"x": pa.array(range(count))})
        found += [rows_of(window) for window in windows.push(batch, lambda: next(asked))]
    return found, rows_of(windows.rest())


def rows_of(window):
    return sum(part.num_rows for part in window)


def test_windows_join_and_cut_batches():
    assert cut([5, 5, 5], [4] * 9) == ([4, 4, 4], 3)
    assert cut([2, 2, 2], [5] * 9) == ([5], 1)


def test_the_size_may_change_between_windows():
    assert cut([10], [4, 2, 3, 9]) == ([4, 2, 3], 1)


def test_rows_that_wait_leave_when_the_size_shrinks():
    assert cut([5, 5], [8, 2, 2, 2, 2, 2]) == ([5, 2, 2], 1)
