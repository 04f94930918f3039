"""Scores one partition of a DataFrame for `predict`. Executor.

Spark pickles a `PartitionScorer` with its bindings, which the driver has checked. Columns of the
input and of the result have numbers in place of names; see `numbered`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark import Accumulator, TaskContext

from tfspark.sketches import RowSketch, Wanted, Watch
from tfspark.spark.cluster.names import numbered
from tfspark.spark.cluster.task_sketches import Gathered
from tfspark.spark.worker.model_chain import ModelChain


@dataclass(frozen=True)
class Statistics:
    """The statistics and the engines of each partition.

    Attributes:
        wanted: The statistics to collect; `None` for none.
        gathered: Receives the statistics at the end of a partition.
    """

    wanted: Wanted | None
    gathered: Accumulator[Gathered]


@dataclass(frozen=True)
class PartitionScorer:
    """Scores the record batches of one partition.

    Attributes:
        chain: The models.
        names: The names of a batch's columns in the bindings, in order.
        kept: The number of kept columns, which come first.
        statistics: The statistics to collect; `None` if there are none.
    """

    chain: ModelChain
    names: Sequence[str]
    kept: int
    statistics: Statistics | None = None

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Score the partition, batch by batch; no column is copied."""
        named = (_renamed(batch, self.names) for batch in batches)
        score = self._scored if self.statistics is None else self._watched
        for batch in score(named):
            yield _renamed(batch, numbered(batch.num_columns))

    def _scored(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return self.chain.score(batches, self.names, self.names[: self.kept])

    def _watched(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        assert self.statistics is not None
        task = TaskContext.get()
        assert task is not None
        number, wanted, sketch = task.partitionId(), self.statistics.wanted, RowSketch()
        if wanted is None:
            yield from self._scored(batches)
        else:
            watch = Watch(wanted, number)
            added = [field.name for field in self.chain.fields]
            scored = self._scored(watch.before(batches, self.names))
            yield from watch.after(scored, [*self.names[: self.kept], *added])
            sketch = watch.end()
        self.statistics.gathered.add(Gathered({number}, sketch, self.chain.choices()))


def _renamed(batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(batch.columns, names=list(names))
