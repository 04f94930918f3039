"""The records and features of TFRecord files, without Spark."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tfspark.errors import InputNotFoundError, InvalidInputError, RowError, UnsupportedTypeError
from tfspark.example_pb2 import Example, Feature, SequenceExample
from tfspark.tfrecord import decode as decoding
from tfspark.tfrecord.columns import Inference, columns_of
from tfspark.tfrecord.decode import decode
from tfspark.tfrecord.encode import encode
from tfspark.tfrecord.files import find
from tfspark.tfrecord.records import framed, read_records
from tfspark.tfrecord.values import BadRecordError

pytest.importorskip("google_crc32c")

LISTS = pa.schema(
    [
        ("f", pa.float32()),
        ("floats", pa.list_(pa.float32())),
        ("i", pa.int64()),
        ("ints", pa.list_(pa.int64())),
        ("s", pa.string()),
        ("texts", pa.list_(pa.binary())),
    ]
)


def table(rows: int, seed: int = 0) -> pa.Table:
    pick = random.Random(seed)

    def maybe(value: Any) -> Any:
        return value if pick.random() < 0.8 else None

    def some(make: Any) -> list[Any]:
        return [make() for _ in range(pick.choice((0, 1, 1, 3, 40)))]

    def integer() -> int:
        return pick.choice((0, 5, 127, 128, 1 << 20, -1, -(1 << 63), (1 << 63) - 1))

    def text() -> str:
        return "é" * pick.choice((0, 1, 3, 70, 700))

    columns = {
        "f": [maybe(pick.randrange(99) / 4) for _ in range(rows)],
        "floats": [maybe(some(lambda: pick.randrange(99) / 4)) for _ in range(rows)],
        "i": [maybe(integer()) for _ in range(rows)],
        "ints": [maybe(some(integer)) for _ in range(rows)],
        "s": [maybe(text()) for _ in range(rows)],
        "texts": [maybe(some(lambda: text().encode())) for _ in range(rows)],
    }
    return pa.table(columns, LISTS)


def encoded(rows: pa.Table, record_type: Any = "Example") -> list[bytes]:
    arrays = [column.combine_chunks() for column in rows.columns]
    found: list[bytes] = encode(
        arrays, columns_of(rows.schema, record_type), record_type
    ).to_pylist()
    return found


def read(data: bytes, schema: pa.Schema, record_type: Any = "Example", chunk: int = 99) -> pa.Table:
    columns = columns_of(schema, record_type)
    batches = [
        pa.RecordBatch.from_arrays(decode(records, columns, record_type), schema=schema)
        for records in read_records("a.tfrecord", pa.BufferReader(data), chunk)
    ]
    return pa.Table.from_batches(batches, schema)


@pytest.mark.parametrize(("rows", "chunk"), [(1, 99), (9, 99), (200, 1 << 22), (200, 20000)])
def test_rows_survive_a_round_trip(rows: int, chunk: int) -> None:
    there = table(rows)
    assert read(b"".join(framed(encoded(there))), LISTS, chunk=chunk).equals(there)


def test_records_are_those_of_protobuf() -> None:
    for row, record in zip(table(60).to_pylist(), encoded(table(60)), strict=True):
        features = Example.FromString(record).features.feature
        assert set(features) == {name for name, value in row.items() if value is not None}
        for name, feature in features.items():
            values = list(getattr(feature, feature.WhichOneof("kind")).value)
            expected = row[name] if isinstance(row[name], list) else [row[name]]
            assert values == [v.encode() if isinstance(v, str) else v for v in expected]


def rewritten(record: bytes, pick: random.Random) -> bytes:
    """The same Example as another writer could write it: in parts, shuffled, not packed."""
    features = list(Example.FromString(record).features.feature.items())
    pick.shuffle(features)
    parts = [b"\x78\x01"]  # an unknown field
    for name, feature in features:
        one = Example()
        one.features.feature[name].CopyFrom(feature)
        part = one.SerializeToString()
        if name == "f":  # a float that is not packed: a tag of five bytes in place of a list
            value = part[-4:]
            part = bytes.fromhex("0a0e0a0c0a016612071205" + "0d") + value
        parts.append(part)
    return b"".join(parts)


def test_unusual_layouts_are_read_like_protobuf() -> None:
    pick, there = random.Random(1), table(60)
    records = [
        rewritten(record, pick) if index % 2 else record
        for index, record in enumerate(encoded(there))
    ]
    assert read(b"".join(framed(records)), LISTS, chunk=1 << 22).equals(there)


def test_the_last_of_equal_names_counts() -> None:
    first, second = Example(), Example()
    first.features.feature["i"].int64_list.value[:] = [1]
    second.features.feature["i"].int64_list.value[:] = [2]
    entries = [one.SerializeToString()[2:] for one in (first, second)]
    record = b"\x0a" + bytes([sum(map(len, entries))]) + b"".join(entries)
    assert Example.FromString(record).features.feature["i"].int64_list.value == [2]
    schema = pa.schema([("i", pa.int64())])
    assert read(b"".join(framed([record] * 40)), schema)["i"].to_pylist() == [2] * 40


def test_feature_lists() -> None:
    schema = pa.schema([("n", pa.string()), ("steps", pa.list_(pa.list_(pa.float32())))])
    steps = [[[1.0], [], [2.0, 3.0]], None, [], [[float(i)] for i in range(50)]] * 9
    there = pa.table({"n": [str(i) for i in range(36)], "steps": steps}, schema)
    records = encoded(there, "SequenceExample")
    first = SequenceExample.FromString(records[0]).feature_lists.feature_list["steps"]
    assert [list(one.float_list.value) for one in first.feature] == steps[0]
    assert read(b"".join(framed(records)), schema, "SequenceExample").equals(there)


def test_types_of_a_given_schema() -> None:
    schema = pa.schema([("f", pa.float64()), ("i", pa.int32()), ("s", pa.binary())])
    there = pa.table({"f": [0.5], "i": [7], "s": [b"a"]}, schema)
    data = b"".join(framed(encoded(there)))
    assert read(data, schema).equals(there)
    assert read(data, pa.schema([("b", pa.bool_()), ("i", pa.bool_())])).to_pylist() == [
        {"b": None, "i": True}
    ]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (("i", pa.float32()), 7, "its feature 'i' has values of int64, not of float"),
        (("i", pa.int8()), 300, "its feature 'i' does not fit: Integer value 300"),
        (("i", pa.int64()), [1, 2], "its feature 'i' has 2 values, but the column has one"),
        (("i", pa.string()), b"\xff", "its feature 'i' does not fit: Invalid UTF8"),
    ],
)
def test_a_value_that_does_not_fit(field: Any, value: Any, message: str) -> None:
    fine = pa.table({"i": pa.array([None, None], type=pa.array([value]).type)})
    bad = pa.table({"i": pa.array([value])})
    data = b"".join(framed([*encoded(fine), *encoded(bad)]))
    with pytest.raises(BadRecordError, match=message) as caught:
        read(data, pa.schema([field]), chunk=1 << 20)
    assert caught.value.index == 2


def test_a_record_lacks_the_feature_of_a_column_that_cannot_be_null() -> None:
    data = b"".join(framed(encoded(pa.table({"i": [1, None]}))))
    schema = pa.schema([pa.field("i", pa.int64(), nullable=False)])
    with pytest.raises(BadRecordError, match="has no feature 'i', but the column cannot") as caught:
        read(data, schema, chunk=1 << 20)
    assert caught.value.index == 1


def test_a_record_that_is_no_example() -> None:
    data = b"".join(framed([*encoded(table(3)), b"not an Example"]))
    with pytest.raises(BadRecordError, match="not a valid Example") as caught:
        read(data, LISTS, chunk=1 << 22)
    assert caught.value.index == 3


def test_a_null_inside_an_array_is_refused() -> None:
    with pytest.raises(RowError, match="found:    a null in row 1"):
        encoded(pa.table({"x": [[1], [1, None]]}))


@pytest.mark.parametrize("values", [[1.0, 1e300], [[1.0], [2.0, -1e300]]])
def test_a_double_that_a_float_cannot_hold_is_refused(values: Any) -> None:
    with pytest.raises(RowError, match="column 'x' is too large for the float of an Example"):
        encoded(pa.table({"x": values}))
    kept = pa.table({"x": pa.array([float("inf"), float("nan"), 0.1])})
    found = read(b"".join(framed(encoded(kept))), kept.schema)["x"].to_pylist()
    assert found == pytest.approx([float("inf"), float("nan"), 0.1], nan_ok=True)


def test_whole_records_are_the_bytes_of_one_column() -> None:
    with pytest.raises(RowError, match="found:    a null in row 1"):
        encoded(pa.table({"r": [b"a", None]}), "ByteArray")
    assert encoded(pa.table({"r": ["a", "é"]}), "ByteArray") == [b"a", "é".encode()]
    for schema in ([("x", pa.int64())], [("a", pa.binary()), ("b", pa.binary())]):
        with pytest.raises(UnsupportedTypeError, match="one binary column"):
            columns_of(pa.schema(schema), "ByteArray")


def test_a_glob_at_the_root_does_not_search_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no-such-1.tfrecord").write_bytes(b"")
    with pytest.raises(InputNotFoundError):
        find(["/no-such-*.tfrecord"])


def test_a_type_without_a_feature_is_refused() -> None:
    schema = pa.schema([("a", pa.date32()), ("b", pa.list_(pa.list_(pa.int64())))])
    with pytest.raises(UnsupportedTypeError, match="2 mismatches"):
        columns_of(schema, "Example")


def check_corruption(tmp_path: Path, seed: int, compression: str | None) -> None:
    """Flip a bit of a file or cut it, and read it."""
    pick = random.Random(seed)
    records = encoded(table(30, seed))
    ends = [0]
    for record in records:
        ends.append(ends[-1] + len(record) + 16)
    path = tmp_path / ("a.tfrecord" + (".gz" if compression else ""))
    with pa.output_stream(str(path), compression=compression) as stream:
        stream.write(b"".join(framed(records)))
    data = bytearray(path.read_bytes())
    # gzip ignores most bytes of its header.
    at = pick.randrange(18 if compression else 0, len(data) - 1)
    if pick.random() < 0.5:
        data[at] ^= 1 << pick.randrange(8)
    elif at in ends:
        return  # a file that ends between two records is a shorter file
    else:
        del data[at:]
    path.write_bytes(bytes(data))
    (file,) = find([str(path)])
    message = r"The record at byte \d+ of .*a\.tfrecord"
    with pytest.raises(InvalidInputError, match=message) as caught:
        list(file.records())
    if not compression:
        offset = max(end for end in ends if end <= at)
        assert f"byte {offset} of {path} is broken" in str(caught.value)


@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("seed", range(10))
def test_corrupt_files_name_file_and_offset(
    tmp_path: Path, seed: int, compression: str | None
) -> None:
    check_corruption(tmp_path, seed, compression)


def test_a_compressed_file_without_its_name() -> None:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "gzip") as stream:
        stream.write(b"".join(framed(encoded(table(3)))))
    with pytest.raises(InvalidInputError, match=r"give it a name that ends in \.gz"):
        read(sink.getvalue().to_pybytes(), LISTS)


def test_inferred_types() -> None:
    inference = Inference("Example")
    inference.add(encoded(table(40)), "a")
    types = {
        "f": pa.float32(),
        "floats": pa.list_(pa.float32()),
        "i": pa.int64(),
        "ints": pa.list_(pa.int64()),
        "s": pa.binary(),
        "texts": pa.list_(pa.binary()),
    }
    assert inference.schema == pa.schema(list(types.items()))
    other = Example()
    other.features.feature["s"].CopyFrom(Feature(float_list={"value": [1.0]}))
    with pytest.raises(UnsupportedTypeError, match="a feature of bytes, as in a") as caught:
        inference.add([other.SerializeToString()], "b")
    assert "found:    a feature of float in b" in str(caught.value)


def test_names_that_share_a_beginning() -> None:
    names = ["a" * size for size in range(1, 40)] + ["", "b" * 8, "b" * 7 + "c"]
    there = pa.table({name: [number] * 30 for number, name in enumerate(names)})
    assert read(b"".join(framed(encoded(there))), there.schema, chunk=1 << 20).equals(there)


def test_large_records_and_long_lists() -> None:
    there = pa.table({"t": [[b"x" * (i % 3) for i in range(3000)]], "f": [[0.5] * 100_000]})
    schema = pa.schema([("t", pa.list_(pa.binary())), ("f", pa.list_(pa.float32()))])
    there = there.cast(schema)
    assert read(b"".join(framed(encoded(there))), schema).equals(there)


@pytest.mark.parametrize("copies", [1, 40])
def test_empty_parts_of_a_record_take_little_memory(copies: int) -> None:
    there = encoded(table(1))[0]
    record = there + b"\x0a\x00" * 2_000_000
    data = b"".join(framed([record] * copies))
    [records] = read_records("a.tfrecord", pa.BufferReader(data), len(data))
    tracemalloc.start()
    [*_] = decode(records, columns_of(LISTS, "Example"), "Example")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * len(data)


def test_a_record_with_too_many_features(monkeypatch: pytest.MonkeyPatch) -> None:
    there, names = Example(), "abcd"
    for name in names:
        there.features.feature[name].int64_list.value[:] = [1]
    data = b"".join(framed([there.SerializeToString()]))
    schema = pa.schema([("a", pa.int64())])
    assert read(data, schema)["a"].to_pylist() == [1]
    monkeypatch.setattr(decoding, "_MOST_FEATURES", 3)
    with pytest.raises(BadRecordError, match="not a valid Example"):
        read(data, schema)
