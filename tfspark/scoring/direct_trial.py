"""Times the engines on the first rows of the files of a direct job. Driver and executor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from tfspark.data_files.pieces import read_batches
from tfspark.data_files.splits import Piece, cut
from tfspark.engine_choice import EngineChoice
from tfspark.file_systems import open_filesystem
from tfspark.scoring.direct_input import DirectInput
from tfspark.scoring.job import BatchJob
from tfspark.spark.cluster.tasks import run_splits
from tfspark.spark.fastest_engine import Trial
from tfspark.spark.worker.engine_trial import EngineTrial
from tfspark.spark.worker.model_chain import ModelChain

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class FileTrial:
    """A trial on the rows of some pieces. Spark pickles it into one task.

    Attributes:
        trial: The models.
        root: URI of the input, which opens its file system.
        format: Format of the input files.
        schema: The columns that are fed.
        allow_missing: Whether a column that a file lacks is null for its rows.
    """

    trial: EngineTrial
    root: str
    format: str
    schema: pa.Schema
    allow_missing: bool

    def __call__(self, _number: int, pieces: Sequence[Piece]) -> list[EngineChoice]:
        """Return one choice for each model."""
        return self.trial(self._read(pieces))

    def _read(self, pieces: Sequence[Piece]) -> Iterator[pa.RecordBatch]:
        source, _ = open_filesystem(self.root)
        for piece in pieces:
            yield from read_batches(
                source, piece, self.format, self.schema, allow_missing=self.allow_missing
            )


def trial_on_files(spark: SparkSession, source: DirectInput, job: BatchJob) -> Trial:
    """Return a function that times the engines on the first rows of the input."""

    def run(chain: ModelChain) -> Sequence[EngineChoice]:
        fed = [name for one in chain.models for name in one.binding.columns]
        names = list(dict.fromkeys(fed))
        source.check_columns(names, job)
        schema = pa.schema([source.schema.field(name) for name in names])
        trial = EngineTrial(chain, names)
        task = FileTrial(trial, source.root, source.format, schema, job.allow_missing)
        pieces = cut(source.files, source.footers, source.format)
        (choices,) = run_splits(spark, [pieces], task) if pieces else ([],)
        return choices

    return run
