"""Scores one partition of a DataFrame for `predict`. Executor.

Spark pickles a `PartitionScorer` with its binding, which the driver has checked. Columns of the
input and of the result have numbers in place of names; see `numbered`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from tfspark.handle import ModelHandle
from tfspark.options import ScoreOptions
from tfspark.schema import Binding
from tfspark.spark.cluster.names import numbered
from tfspark.spark.worker.task import score_task


@dataclass(frozen=True)
class PartitionScorer:
    """Scores the record batches of one partition with a bound model.

    Attributes:
        handle: The model.
        binding: The fed columns and the fetched outputs.
        options: How to score.
        names: The names of a batch's columns in the binding, in order.
        kept: The number of kept columns; they are the first ones.
    """

    handle: ModelHandle
    binding: Binding
    options: ScoreOptions
    names: Sequence[str]
    kept: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Score the partition, batch by batch; no column is copied."""
        scored = score_task(
            self.handle,
            (_renamed(batch, self.names) for batch in batches),
            lambda _: self.binding,
            options=self.options,
            keep=self.names[: self.kept],
        )
        for batch in scored:
            yield _renamed(batch, numbered(batch.num_columns))


def _renamed(batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(batch.columns, names=list(names))
