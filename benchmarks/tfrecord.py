"""Measures TFRecord readers: `python -m benchmarks.tfrecord --megabytes 200`.

Both sides read the same local files: `tf.data.TFRecordDataset` with `tf.io.parse_example` in
batches, and tfspark's parser, which checks the checksums and makes Arrow record batches. The sides
run in turns. Prints wall and CPU time of the fastest run of each side, and the ratio.

Without `--spark`, both sides run in one process and one thread, and the rows stay in Python. With
`--spark`, all sides have two cores: TensorFlow reads two files and parses two batches at once. A
session with two tasks reads the data source `tfrecord` and discards the rows. Two tasks of this
session read the files as on the direct path of a job. The CPU time of the session is not measured,
because other processes spend it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import fs
from pyspark.sql import Observation, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.pandas.types import from_arrow_schema

from benchmarks.spark_sides import open_session
from tfspark import register_tfrecord
from tfspark.data_files.listing import list_files
from tfspark.data_files.pieces import read_batches
from tfspark.data_files.splits import Piece, cut, plan_splits
from tfspark.spark.cluster.tasks import run_splits
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


def ours(paths: Sequence[Path], schema: pa.Schema) -> int:
    """Read files with tfspark; return the rows."""
    columns = columns_of(schema, "Example")
    rows = 0
    for file in find([str(path) for path in paths]):
        for records in file.records():
            arrays = decode(records, columns, "Example")
            rows += len(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return rows


def tensorflow(paths: Sequence[Path], schema: pa.Schema, threads: int | None = None) -> int:
    """Read files with TensorFlow; return the rows.

    `threads` is the number of files that are read, and of batches that are parsed, at once.
    """
    import tensorflow as tf

    kinds = {pa.float32(): tf.float32, pa.int64(): tf.int64, pa.binary(): tf.string}
    features = {
        field.name: tf.io.FixedLenFeature([784], tf.float32)
        if pa.types.is_list(field.type)
        else tf.io.FixedLenFeature([], kinds[field.type])
        for field in schema
    }
    files = [str(path) for path in paths]
    records = tf.data.TFRecordDataset(files, num_parallel_reads=threads).batch(_BATCH)
    parse = tf.autograph.experimental.do_not_convert(
        partial(tf.io.parse_example, features=features)
    )
    parsed = records.map(parse, num_parallel_calls=threads)
    first = schema.names[0]
    return sum(int(batch[first].shape[0]) for batch in parsed)


def through_spark(spark: SparkSession, paths: Sequence[Path], schema: pa.Schema) -> int:
    """Read files with the data source and discard the rows; return the counted rows."""
    df = spark.read.format("tfrecord").schema(from_arrow_schema(schema)).load(str(paths[0].parent))
    seen = Observation()
    counted = df.observe(seen, sf.count(sf.lit(1)).alias("rows"))
    counted.write.format("noop").mode("overwrite").save()
    return int(seen.get["rows"])


def in_tasks(spark: SparkSession, paths: Sequence[Path], schema: pa.Schema) -> int:
    """Read files like the tasks of a job on its direct path; return the rows."""
    files = list_files(fs.LocalFileSystem(), str(paths[0].parent))
    splits = plan_splits(cut(files, [], "tfrecord"), 2)

    def read(_: int, split: Sequence[Piece]) -> int:
        source = fs.LocalFileSystem()
        batches = (read_batches(source, piece, "tfrecord", schema) for piece in split)
        return sum(batch.num_rows for batch in chain.from_iterable(batches))

    return sum(run_splits(spark, splits, read))


def measured(read: Callable[[], int], rows: int) -> tuple[float, float]:
    """Return the wall and CPU seconds of one run."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = read()
    assert found == rows, (found, rows)
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(
    sides: Mapping[str, Callable[[], int]], rows: int, repeat: int
) -> dict[str, tuple[float, float]]:
    """Return the least wall and CPU seconds of each side, after one run to warm up."""
    runs: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    for turn in range(repeat + 1):
        for side, read in sides.items():
            seconds = measured(read, rows)
            if turn:
                runs[side].append(seconds)
    return {
        side: (min(wall for wall, _ in times), min(cpu for _, cpu in times))
        for side, times in runs.items()
    }


def main() -> None:
    """Measure both sides."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--spark", action="store_true", help="through Spark, on two cores")
    args = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with open_session("local[2]", {}) if args.spark else nullcontext() as spark:
        if spark is not None:
            register_tfrecord(spark)
        print("| records | side | MB/s | MB per CPU second | speed, TensorFlow = 1 | by CPU time |")
        print("|---|---|---|---|---|---|")
        for name, table in (("scalars", scalars(20_000)), ("vectors", vectors(2_000))):
            with tempfile.TemporaryDirectory() as folder:
                _print_case(name, table, Path(folder), spark, args)


def _print_case(
    name: str, table: pa.Table, folder: Path, spark: SparkSession | None, args: argparse.Namespace
) -> None:
    paths = [folder / f"{number}.tfrecord" for number in range(4 if spark else 1)]
    rows = sum(write(table, path, (args.megabytes << 20) // len(paths)) for path in paths)
    size = sum(path.stat().st_size for path in paths) / 1e6
    threads = 2 if spark else None
    sides = {"TensorFlow": partial(tensorflow, paths, table.schema, threads)}
    if spark:
        sides["data source"] = partial(through_spark, spark, paths, table.schema)
        sides["tasks of a job"] = partial(in_tasks, spark, paths, table.schema)
    else:
        sides["tfspark"] = partial(ours, paths, table.schema)
    best = measure(sides, rows, args.repeat)
    base = best["TensorFlow"]
    for side, (wall, cpu) in best.items():
        by_cpu = "–" if spark else f"{size / cpu:.0f}", "–" if spark else f"{base[1] / cpu:.2f}"
        speed = f"{base[0] / wall:.2f}"
        print(f"| {name} | {side} | {size / wall:.0f} | {by_cpu[0]} | {speed} | {by_cpu[1]} |")


if __name__ == "__main__":
    main()
