"""What a Spark task does with a model: open it, score its partition, name itself in errors.

In come the record batches that Spark hands to a Python task, out go scored ones. Executor only; a
`PartitionScorer` is what a DataFrame job pickles.

Invariants: the model is opened at the first row, so an empty partition loads nothing; a task that
Spark gave a GPU scores on it or fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa
from pyspark import TaskContext

from tfspark.engine import Engine
from tfspark.handle import ModelHandle
from tfspark.origin import Origin
from tfspark.runner import score
from tfspark.schema import Binding


@dataclass(frozen=True)
class PartitionScorer:
    """Scores the record batches of one partition with a bound model."""

    handle: ModelHandle
    binding: Binding
    keep: Sequence[str]
    batch_size: int | None

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Score; see `tfspark.runner.score`."""
        stream = iter(batches)
        first = next((batch for batch in stream if batch.num_rows), None)
        if first is None:
            return
        yield from score(
            chain([first], stream),
            self.binding,
            open_model(self.handle),
            keep=self.keep,
            batch_size=self.batch_size,
            origin=origin(self.handle),
        )


def open_model(handle: ModelHandle) -> Engine:
    """Open a model on the GPUs that Spark gave the task (`spark.task.resource.gpu.amount`), if any.

    Raises:
        TfsparkError: As `ModelHandle.open`.
    """
    task = TaskContext.get()
    resources = {} if task is None else task.resources()
    return handle.open(resources["gpu"].addresses if "gpu" in resources else ())


def origin(handle: ModelHandle) -> Origin:
    """Return the words that place an error: the model and this task's partition."""
    task = TaskContext.get()
    return Origin(handle.title, None if task is None else task.partitionId())
