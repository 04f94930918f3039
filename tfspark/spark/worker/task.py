"""Scores in a Spark task: opens the model, binds it, runs it. Executor.

All APIs and the batch job use it. Spark pickles a scorer for each task. The scorer converts the
rows of its API (record batches, arguments of a function, elements of an RDD, files) to record
batches, and calls `score_task`.

Invariants: a task without rows loads no model; the batches are not changed; a task with a GPU from
Spark scores on it or fails; with a time limit, a model that hangs ends the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain

import pyarrow as pa
from pyspark import TaskContext

from tfspark.engine import Engine
from tfspark.engine_choice import EngineChoice
from tfspark.handle import ModelHandle
from tfspark.options import DEFAULTS, ScoreOptions
from tfspark.origin import Origin
from tfspark.runner import score
from tfspark.schema import Binding
from tfspark.spark.worker.garbage import model_opened
from tfspark.spark.worker.time_limit import TimeLimit


def score_task(
    handle: ModelHandle,
    batches: Iterable[pa.RecordBatch],
    bind: Callable[[pa.Schema], Binding],
    *,
    options: ScoreOptions = DEFAULTS,
    keep: Sequence[str] = (),
    origin: Origin | None = None,
) -> Iterator[pa.RecordBatch]:
    """Score the record batches of one task.

    Args:
        handle: The model; it is opened at the first row.
        batches: Record batches of one schema.
        bind: Returns the binding of a schema. The DataFrame API gets it from the driver; APIs whose
            types are known only on the executor create it here.
        options: How to score.
        keep: Columns to keep beside the predictions.
        origin: Origin of the rows, for errors; by default the partition of this task.

    Yields:
        The same rows in the same order, in record batches as from `tfspark.runner.score`.

    Raises:
        TfsparkError: From `ModelHandle.open`, `bind` or `tfspark.runner.score`.
    """
    stream = iter(batches)
    first = next((batch for batch in stream if batch.num_rows), None)
    if first is None:
        return
    binding, origin = bind(first.schema), origin or origin_of(handle)
    with TimeLimit(options.timeout, origin) as limit:
        with limit.loading():
            engine = open_model(handle)
        yield from score(
            chain([first], stream),
            binding,
            limit.wrap(engine),
            keep=keep,
            batch_size=options.batch_size,
            model_bytes=handle.size,
            on_gpu=has_gpu(),
            origin=origin,
        )


def origin_of(handle: ModelHandle) -> Origin:
    """Return the origin of rows in errors: the model and the partition of this task."""
    task = TaskContext.get()
    return Origin(handle.title, None if task is None else task.partitionId())


def open_model(handle: ModelHandle) -> Engine:
    """Open a model on the GPUs that Spark gave the task (`spark.task.resource.gpu.amount`)."""
    engine = handle.open(_gpus())
    model_opened()
    return engine


def choice_in(handle: ModelHandle) -> EngineChoice | None:
    """Return the engine that runs a model in this process; `None` if it is not open."""
    return handle.choice(_gpus())


def has_gpu() -> bool:
    """Whether Spark gave this task a GPU."""
    return bool(_gpus())


def _gpus() -> Collection[str]:
    task = TaskContext.get()
    resources = {} if task is None else task.resources()
    return resources["gpu"].addresses if "gpu" in resources else ()
