"""Measures TFRecord readers: `python -m benchmarks.tfrecord --megabytes 200`.

Both sides read the same local file in one process: `tf.data.TFRecordDataset` with
`tf.io.parse_example` in batches, and tfspark's parser, which checks the checksums and makes Arrow
record batches. Wall and CPU time of the faster of some runs, alternating, with the ratio. The part
of Spark (Arrow batches to the JVM) is not included.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tfspark.tfrecord.columns import columns_of
from tfspark.tfrecord.decode import decode
from tfspark.tfrecord.encode import bytes_of, encode
from tfspark.tfrecord.files import find
from tfspark.tfrecord.records import framed

_BATCH = 4096


def scalars(rows: int) -> pa.Table:
    """Six floats, three integers and a string, like a table."""
    pick = np.random.default_rng(0)
    columns: dict[str, Any] = {f"f{i}": pick.random(rows, dtype="f4") for i in range(6)}
    columns |= {f"i{i}": pick.integers(0, 1000, rows) for i in range(3)}
    return pa.table({**columns, "s": pa.array([f"city{i % 100}".encode() for i in range(rows)])})


def vectors(rows: int) -> pa.Table:
    """A vector of 784 floats and a label, like images."""
    pick = np.random.default_rng(0)
    flat = pa.array(pick.random(rows * 784, dtype="f4"))
    lists = pa.FixedSizeListArray.from_arrays(flat, 784).cast(pa.list_(pa.float32()))
    return pa.table({"x": lists, "y": pick.integers(0, 10, rows)})


def write(table: pa.Table, path: Path, size: int) -> int:
    """Write a table again and again, until the file has this size; return the rows."""
    columns = columns_of(table.schema, "Example")
    arrays = [column.combine_chunks() for column in table.columns]
    chunk = b"".join(framed(bytes_of(encode(arrays, columns, "Example"))))
    times = max(1, size // len(chunk))
    with path.open("wb") as file:
        for _ in range(times):
            file.write(chunk)
    return times * len(table)


def ours(path: Path, schema: pa.Schema) -> int:
    """Read the file with tfspark; return the rows."""
    columns = columns_of(schema, "Example")
    rows = 0
    for records in find([str(path)])[0].records():
        rows += len(pa.RecordBatch.from_arrays(decode(records, columns, "Example"), schema=schema))
    return rows


def tensorflow(path: Path, schema: pa.Schema) -> int:
    """Read the file with TensorFlow; return the rows."""
    import tensorflow as tf

    kinds = {pa.float32(): tf.float32, pa.int64(): tf.int64, pa.binary(): tf.string}
    features = {
        field.name: tf.io.FixedLenFeature([784], tf.float32)
        if pa.types.is_list(field.type)
        else tf.io.FixedLenFeature([], kinds[field.type])
        for field in schema
    }
    records = tf.data.TFRecordDataset(str(path)).batch(_BATCH)
    parse = tf.autograph.experimental.do_not_convert(
        partial(tf.io.parse_example, features=features)
    )
    parsed = records.map(parse)
    first = schema.names[0]
    return sum(int(batch[first].shape[0]) for batch in parsed)


def measured(read: Callable[[], int], rows: int) -> tuple[float, float]:
    """Return the wall and CPU seconds of one run."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = read()
    assert found == rows, (found, rows)
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measure both sides."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print("| records | side | MB/s | MB per CPU second | speed, TensorFlow = 1 | by CPU time |")
    print("|---|---|---|---|---|---|")
    for name, table in (("scalars", scalars(20_000)), ("vectors", vectors(2_000))):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.tfrecord"
            rows = write(table, path, args.megabytes << 20)
            size = path.stat().st_size / 1e6
            sides = {
                "TensorFlow": partial(tensorflow, path, table.schema),
                "tfspark": partial(ours, path, table.schema),
            }
            runs: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
            for _ in range(args.repeat):
                for side, read in sides.items():
                    runs[side].append(measured(read, rows))
        best = {side: tuple(map(min, zip(*times, strict=True))) for side, times in runs.items()}
        for side, (wall, cpu) in best.items():
            base = best["TensorFlow"]
            print(
                f"| {name} | {side} | {size / wall:.0f} | {size / cpu:.0f} "
                f"| {base[0] / wall:.2f} | {base[1] / cpu:.2f} |"
            )


if __name__ == "__main__":
    main()
