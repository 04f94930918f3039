"""Scores one partition of a DataFrame for `predict`. Executor.

Spark pickles a `PartitionScorer` with its bindings, which the driver has checked. Columns of the
input and of the result have numbers in place of names; see `numbered`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from tfspark.spark.cluster.names import numbered
from tfspark.spark.worker.model_chain import ModelChain


@dataclass(frozen=True)
class PartitionScorer:
    """Scores the record batches of one partition.

    Attributes:
        chain: The models.
        names: The names of a batch's columns in the bindings, in order.
        kept: The number of kept columns; they are the first ones.
    """

    chain: ModelChain
    names: Sequence[str]
    kept: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Score the partition, batch by batch; no column is copied."""
        named = (_renamed(batch, self.names) for batch in batches)
        for batch in self.chain.score(named, self.names, self.names[: self.kept]):
            yield _renamed(batch, numbered(batch.num_columns))


def _renamed(batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(batch.columns, names=list(names))
