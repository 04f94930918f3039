import numpy as np
import pytest

from models.reading.records import read_records, write_records

ROWS = [[5, 6], [], [7, 8, 9, 10]]


@pytest.fixture
def file(tmp_path):
    return write_records(tmp_path / "rows.tfrecord", ROWS, [1, 0, 1])


def test_rows_come_back_cut_and_padded_in_the_order_of_the_file(file):
    first, second = read_records(file, rows=3, width=3, batch_size=2).as_numpy_iterator()
    assert first[0].tolist() == [[5, 6, 0], [0, 0, 0]]
    assert second[0].tolist() == [[7, 8, 9]]
    assert [first[1].tolist(), second[1].tolist()] == [[[1.0], [0.0]], [[1.0]]]
    assert (first[0].dtype, first[1].dtype) == (np.int32, np.float32)


def test_a_seed_gives_another_order_at_each_pass_and_loses_nothing(tmp_path):
    file = write_records(tmp_path / "many.tfrecord", [[i] for i in range(100)], [0] * 100)
    records = read_records(file, rows=100, width=1, batch_size=100, seed=3)
    once, twice = ([x.ravel().tolist() for x, _ in records.as_numpy_iterator()] for _ in "ab")
    again = read_records(file, rows=100, width=1, batch_size=100, seed=4)
    [[other, _]] = again.as_numpy_iterator()
    assert once != twice
    assert once[0] != other.ravel().tolist()
    assert sorted(once[0]) == sorted(twice[0]) == list(range(100))


def test_labels_must_be_as_many_as_rows(tmp_path):
    with pytest.raises(ValueError, match="shorter"):
        write_records(tmp_path / "rows.tfrecord", ROWS, [1, 0])
