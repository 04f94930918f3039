"""Ray Data: `read_parquet` → `map_batches` over a pool of actors → `write_parquet`.

Runs in the environment of `ray.txt`. Two actors with one thread each run the model; Ray Data starts
and ends them with every execution. Batches are Arrow tables, the format without a conversion. An
actor asks for half a CPU, because reading and writing tasks need the rest: with whole CPUs, none is
left for reading.
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
from benchmarks.signature_call import open_signature
from benchmarks.task import Task

SHARE = 0.5


class Model:
    """An actor's state and its call."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._predict = open_signature(task.export_dir, task.shape, task.width)

    def __call__(self, batch: Any) -> Any:
        """Score one Arrow table."""
        import pyarrow as pa

        columns = [batch.column(name).combine_chunks() for name in self._task.columns]
        outputs = self._predict(input_of(self._task, columns))
        return pa.table({"outputs": output_of(outputs)})


@contextmanager
def open_ray(slots: int) -> Iterator[Mapping[str, Side]]:
    """Start Ray on this machine."""
    import ray

    # Its workers inherit the environment of this process, with the thread settings and the path.
    ray.init(num_cpus=slots, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield {"ray": partial(_run, slots)}
    finally:
        ray.shutdown()


def _run(slots: int, task: Task) -> None:
    import ray

    Path(task.out).mkdir(parents=True)
    rows = ray.data.read_parquet(task.data, columns=list(task.columns))
    scored = rows.map_batches(
        Model,
        fn_constructor_args=(task,),
        batch_size=task.batch,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=slots),
        num_cpus=SHARE,
    )
    scored.write_parquet(task.out)


def main() -> None:
    """Serve Ray Data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=2)
    slots = parser.parse_args().slots
    serve(lambda: open_ray(slots))


if __name__ == "__main__":
    main()
