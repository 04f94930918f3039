"""Daft: `read_parquet` → a class with a batch method → `write_parquet`.

Runs in the environment of `daft.txt`, in two ways: `daft` runs the model in two processes, which
start and end with each query; `daft_threads` calls it from threads of this process, which keeps the
model between queries. Daft's own engine reads and writes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from benchmarks.peers.arrow_input import input_of, output_of
from benchmarks.serve import Side, serve
from benchmarks.signature_call import kept_signature
from benchmarks.task import Task


@contextmanager
def open_daft(slots: int) -> Iterator[Mapping[str, Side]]:
    """Select Daft's engine for one machine."""
    import daft

    daft.set_runner_native()
    yield {"daft": partial(_run, slots, True), "daft_threads": partial(_run, slots, False)}


def _run(slots: int, processes: bool, task: Task) -> None:
    import daft

    model = _class_of(slots, processes, task)(task)
    rows = daft.read_parquet(f"{task.data}/*.parquet")
    outputs = model.predict(*(daft.col(name) for name in task.columns))
    rows.select(outputs.alias("outputs")).write_parquet(task.out)


def _class_of(slots: int, processes: bool, task: Task) -> Any:
    import daft
    from daft import DataType

    number = DataType.float32()
    # With a number of instances, Daft always uses processes.
    where = {"max_concurrency": slots, "use_process": True} if processes else {"use_process": False}

    @daft.cls(**where)
    class Model:
        def __init__(self, task: Task) -> None:
            self._task = task
            self._predict = kept_signature(task.export_dir, task.shape, task.width)

        @daft.method.batch(
            return_dtype=number if task.width == 1 else DataType.list(number),
            batch_size=task.batch,
        )
        def predict(self, *columns: Any) -> Any:
            arrow = [column.to_arrow() for column in columns]
            return output_of(self._predict(input_of(self._task, arrow)))

    return Model


def main() -> None:
    """Serve Daft."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=2)
    slots = parser.parse_args().slots
    serve(lambda: open_daft(slots))


if __name__ == "__main__":
    main()
