"""Memory of a read stays bounded, whatever the encodings of a Parquet file are."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from tfspark.data_files.listing import list_files
from tfspark.data_files.pieces import read_batches
from tfspark.data_files.splits import Piece

ROWS = 140_000
LIMIT = 9 << 20


def batches_of(path, table, columns=None, **options):
    pq.write_table(table, path, **options)
    (file,) = list_files(fs.LocalFileSystem(), str(path))
    schema = table.schema if columns is None else table.select(columns).schema
    return read_batches(fs.LocalFileSystem(), Piece(file, file.size), "parquet", schema)


def repeated(count=ROWS):
    texts = pa.array([f"{at:02}" * 500 for at in range(20)])
    return pa.array([at % 20 for at in range(count)]), texts


@pytest.mark.parametrize("order", ["mixed", "short first"])
def test_texts_of_a_dictionary_are_read_in_small_batches(tmp_path, order):
    indices, texts = repeated()
    if order == "short first":
        indices = pa.array([0] * 100_000 + [1] * 40_000)
        texts = pa.array(["x", "y" * 1_000])
    table = pa.table({"text": texts.take(indices), "id": range(ROWS)})
    batches = list(batches_of(tmp_path / "t.parquet", table))
    assert pa.Table.from_batches(batches).equals(table)
    assert max(batch.nbytes for batch in batches) < LIMIT
    assert len(batches) < 100


def test_equal_numbers_are_read_in_small_batches(tmp_path):
    table = pa.table({f"x{at}": pa.repeat(pa.scalar(0), ROWS) for at in range(100)})
    assert all(batch.nbytes < LIMIT for batch in batches_of(tmp_path / "t.parquet", table))


def test_light_rows_are_read_in_large_batches(tmp_path):
    table = pa.table({"x": pa.array(range(ROWS), pa.float64())})
    first = next(batches_of(tmp_path / "t.parquet", table))
    assert first.num_rows == 1 << 17


def test_a_wide_table_is_read_in_larger_batches(tmp_path):
    """A read takes some time for each column, however few rows it has."""
    zeros = np.zeros(ROWS // 4, np.float32)
    table = pa.table({f"x{at:03}": zeros for at in range(200)})
    found = batches_of(tmp_path / "t.parquet", table, use_dictionary=False)
    rows = [batch.num_rows for batch in found]
    assert rows[0] >= 12_000
    assert len(rows) == 3
    assert sum(rows) == ROWS // 4


def test_the_batches_of_a_very_wide_table_are_limited(tmp_path):
    zeros = np.zeros(5_000, np.float64)
    table = pa.table({f"x{at:04}": zeros for at in range(1_000)})
    batches = list(batches_of(tmp_path / "t.parquet", table, use_dictionary=False))
    assert 15 << 20 < max(batch.nbytes for batch in batches) < 17 << 20


def test_the_size_of_a_column_with_a_dot_counts(tmp_path):
    texts = [f"{at:08}" * 100 for at in range(20_000)]
    table = pa.table({"a.b": texts, "a": [{"b": at} for at in range(20_000)]})
    batches = batches_of(tmp_path / "t.parquet", table, ["a.b"], use_dictionary=False)
    found = pa.Table.from_batches([batch for batch in batches if batch.nbytes < LIMIT])
    assert found.equals(table.select(["a.b"]))


def test_large_column_chunks_are_not_held(tmp_path):
    noise = pa.array((at * 2654435761 % (1 << 61) for at in range(3_000_000)), pa.int64())
    options = {"row_group_size": len(noise), "use_dictionary": False, "compression": "none"}
    batches = batches_of(tmp_path / "t.parquet", pa.table({"x": noise}), **options)
    before, rows = pa.total_allocated_bytes(), 0
    for batch in batches:
        rows += batch.num_rows
        assert pa.total_allocated_bytes() - before < LIMIT
    assert rows == len(noise)
