"""Ray Data: `read_parquet` → `map_batches` → `write_parquet`.

Runs in the environment of `ray.txt`. Each setting of `SETTINGS` is tried, and the fastest is used:

- `actors`: the number of actors that run the model. Ray Data starts and ends them with every
  execution. An actor asks for half a CPU, because reading and writing tasks need the rest: with
  whole CPUs, none is left for reading. With 0, tasks run the model; they run in Ray's worker
  processes, which keep the model between executions.
- `blocks`: the number of blocks into which the files are read; 0 lets Ray choose.
- `format` and `zero_copy`: how a batch is passed to the function.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.peers.arrow_input import input_of, output_of
from benchmarks.serve import Side, serve
from benchmarks.signature_call import kept_signature
from benchmarks.task import Task

SHARE = 0.5


class Model:
    """An actor's state and its call."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __call__(self, batch: Any) -> Any:
        """Score one batch."""
        return score(batch, self._task)


def score(batch: Any, task: Task) -> Any:
    """Score one batch with the model of this process."""
    import pyarrow as pa

    predict = kept_signature(task.export_dir, task.shape, task.width)
    return pa.table({"outputs": output_of(predict(_input(batch, task)))})


def _input(batch: Any, task: Task) -> Any:
    """Return the model's input from an Arrow table, or from a dict of NumPy arrays."""
    import numpy as np

    columns = [batch[name] for name in task.columns]
    if not isinstance(batch, dict):
        return input_of(task, [column.combine_chunks() for column in columns])
    if task.strings:
        return columns[0].astype(object)
    return np.stack(columns, axis=1) if task.stacked else _dense(columns[0])


def _dense(values: Any) -> Any:
    """Return an array of arrays as one array."""
    import numpy as np

    return np.stack([_dense(row) for row in values]) if values.dtype == object else values


@contextmanager
def open_ray(slots: int) -> Iterator[Mapping[str, Side]]:
    """Start Ray on this machine."""
    import ray

    # Its workers inherit the environment of this process, with the thread settings and the path.
    ray.init(num_cpus=slots, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield {"ray": _run}
    finally:
        ray.shutdown()


def _run(task: Task) -> None:
    import ray

    Path(task.out).mkdir(parents=True)
    chosen = dict(task.settings)
    rows = ray.data.read_parquet(
        task.data, columns=list(task.columns), override_num_blocks=chosen["blocks"] or None
    )
    batches = partial(
        rows.map_batches,
        batch_size=task.batch,
        batch_format=chosen["format"],
        zero_copy_batch=chosen["zero_copy"],
    )
    if chosen["actors"]:
        pool = ray.data.ActorPoolStrategy(size=chosen["actors"])
        scored = batches(Model, fn_constructor_args=(task,), compute=pool, num_cpus=SHARE)
    else:
        scored = batches(score, fn_args=(task,), num_cpus=1)
    scored.write_parquet(task.out)


def main() -> None:
    """Serve Ray Data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=2)
    slots = parser.parse_args().slots
    serve(lambda: open_ray(slots))


if __name__ == "__main__":
    main()
