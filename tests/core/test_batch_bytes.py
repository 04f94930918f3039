"""The size of record batches of wide tables, compared with what Arrow measures."""

import pyarrow as pa
import pytest

from tfspark.batch_bytes import BatchBytes

TEXTS = pa.array(["a", None, "ccc", "dddd"])
COLUMNS = {
    "float": pa.array([1.0, 2.0, 3.0, 4.0], pa.float32()),
    "decimal": pa.array([1, 2, 3, 4], pa.decimal128(20, 2)),
    "day": pa.array([1, 2, 3, 4], pa.date32()),
    "key": pa.array([b"1234"] * 4, pa.binary(4)),
    "text": TEXTS,
    "word": TEXTS.dictionary_encode(),
    "list": pa.array([[1.0], [], [2.0, 3.0], None], pa.list_(pa.float64())),
    "vector": pa.array([[1.0, 2.0]] * 4, pa.list_(pa.float32(), 2)),
    "struct": pa.array([{"x": 1, "y": "one"}] * 4),
    "nothing": pa.nulls(4),
}
BATCH = pa.record_batch(COLUMNS)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_has_the_bytes_that_arrow_measures(name: str) -> None:
    assert BatchBytes.of(BATCH.schema, [name])(BATCH) == BATCH.select([name]).nbytes


@pytest.mark.parametrize("rows", [BATCH, BATCH.slice(1, 2), BATCH.slice(4)])
def test_all_columns_count_in_the_rows_of_a_slice(rows: pa.RecordBatch) -> None:
    assert BatchBytes.of(rows.schema)(rows) == rows.nbytes


def test_booleans_have_bits() -> None:
    flags = pa.record_batch({"flag": pa.array([True] * 8)})
    assert BatchBytes.of(flags.schema)(flags) == 1


def test_the_bits_that_mark_nulls_do_not_count() -> None:
    numbers = pa.record_batch({"x": pa.array([1.0, None])})
    assert BatchBytes.of(numbers.schema)(numbers) == 16


def test_a_column_that_is_named_twice_counts_twice() -> None:
    assert BatchBytes.of(BATCH.schema, ["float", "float"])(BATCH) == 32


def test_only_columns_without_a_fixed_width_are_measured() -> None:
    others = BatchBytes.of(BATCH.schema).others
    assert [BATCH.schema.names[at] for at in others] == [
        "text",
        "word",
        "list",
        "vector",
        "struct",
        "nothing",
    ]


def test_columns_of_one_name_count_each() -> None:
    pair = pa.RecordBatch.from_arrays([COLUMNS["float"], COLUMNS["day"]], names=["x", "x"])
    assert BatchBytes.of(pair.schema)(pair) == pair.nbytes


def test_a_missing_column_is_an_error() -> None:
    with pytest.raises(KeyError, match="other"):
        BatchBytes.of(BATCH.schema, ["other"])
