"""The floor: two cores with the same files and the same engine, without Spark.

Two processes with one thread each share the row groups: pyarrow reads one, the native engine runs
it batch by batch, and pyarrow writes the answers. Except in a cold run, the processes are started
and have loaded the model before the measurement. This is the fastest program that we know how to
write, so the difference to a job is the cost of Spark and tfspark.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.serve import Side, serve
from benchmarks.task import Task
from tfspark import package
from tfspark.engine import EngineOptions, load_engine
from tfspark.tensors import ByteStrings


@contextmanager
def open_floor(processes: int) -> Iterator[Mapping[str, Side]]:
    """Start the processes, which wait for tasks."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        pool.map(_warm_up, range(processes), chunksize=1)

        def floor(task: Task) -> None:
            Path(task.out).mkdir(parents=True)
            shares = [(task, number, processes) for number in range(processes)]
            pool.starmap(run_share, shares, chunksize=1)

        yield {"floor": floor}


def _warm_up(number: int) -> int:
    return number


@cache
def engine_of(base: str) -> Any:
    """Load a model once per process, with one thread."""
    model = package.load(base)
    return load_engine(model.path, model.tags, model.signature, EngineOptions(name="native"))


def run_share(task: Task, number: int, shares: int) -> None:
    """Read, score and write one process's share of the row groups."""
    run = engine_of(task.model).run
    groups = row_groups(task.data)
    mine = groups[len(groups) * number // shares : len(groups) * (number + 1) // shares]
    field = pa.field("outputs", pa.float32() if task.width == 1 else pa.list_(pa.float32()))
    schema = pa.schema([field])
    with pq.ParquetWriter(f"{task.out}/part-{number}.parquet", schema, use_dictionary=False) as out:
        for path, group in mine:
            table = pq.ParquetFile(path).read_row_group(
                group, columns=list(task.columns), use_threads=False
            )
            fed = fed_of(task, table)
            step = task.batch or len(table)
            results = [
                run({"inputs": part})["outputs"] for part in cut(fed, len(table), step, task.shape)
            ]
            out.write_table(pa.Table.from_arrays([_column(results, task.width)], schema=schema))


def row_groups(data: str) -> list[tuple[str, int]]:
    """Return every row group of a folder, in order."""
    return [
        (str(path), group)
        for path in sorted(Path(data).glob("*.parquet"))
        for group in range(pq.read_metadata(path).num_row_groups)
    ]


def fed_of(task: Task, table: pa.Table) -> Any:
    """Return the input of a table as one array: strings unchanged, numbers in the model's shape."""
    columns = [column.combine_chunks() for column in table.columns]
    if task.strings:
        return columns[0].cast(pa.binary())
    if task.stacked:
        return np.stack([column.to_numpy() for column in columns], axis=1)
    values = columns[0]
    while pa.types.is_list(values.type):
        values = values.flatten()
    return values.to_numpy().reshape(len(table), *task.shape)


def cut(fed: Any, rows: int, step: int, shape: tuple[int, ...]) -> Iterator[Any]:
    """Cut an input into batches, without a copy."""
    for start in range(0, rows, step):
        size = min(step, rows - start)
        if isinstance(fed, pa.Array):
            yield ByteStrings(fed.slice(start, size), (size, *shape))
        else:
            yield fed[start : start + size]


def _column(results: list[Any], width: int) -> Any:
    values = np.concatenate(results).ravel()
    if width == 1:
        return pa.array(values)
    offsets = np.arange(0, len(values) + 1, width, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))


def main() -> None:
    """Serve the floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=2)
    slots = parser.parse_args().slots
    serve(lambda: open_floor(slots))


if __name__ == "__main__":
    main()
