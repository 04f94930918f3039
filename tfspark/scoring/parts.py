"""One task of the direct path: read a split, score it, write one Parquet file. Executor.

Scores a split into a file in the staging folder, and its bad rows into another one if the job sets
them aside. Returns a `Part` that describes the files. Only that one record passes through the JVM.

Invariants: each attempt of a task writes files with its own names, so two attempts never write to
the same file. Only a part that a task returned to the driver is published. A file gets the name of
a part only when it is complete.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from tfspark.data_files.pieces import read_batches
from tfspark.data_files.splits import Piece, rows_of
from tfspark.engine_choice import EngineChoice
from tfspark.file_systems import open_filesystem
from tfspark.origin import Origin
from tfspark.scoring.output.bad_rows import REASON
from tfspark.scoring.part_file import PartFile
from tfspark.scoring.split_rows import SplitRows
from tfspark.sketches import RowSketch, Wanted, Watch
from tfspark.spark.worker.model_chain import ModelChain


@dataclass(frozen=True)
class Part:
    """The files and row counts of one task.

    Attributes:
        split: Number of the split; parts are sorted by it.
        name: Its file in the staging folder; empty when the split had no rows.
        rows_in: Rows read.
        rows_out: Rows written.
        null_rows: Rows whose prediction is null.
        bad_name: Its file of bad rows; empty when it has none.
        bad_rows: Rows in that file.
        is_kept: Whether an earlier run wrote it.
        sketch: Statistics of its rows; `None` if they are not collected or an earlier run wrote it.
        choices: The engine of each model; empty if the task had no rows or an earlier run wrote it.
    """

    split: int
    name: str
    rows_in: int
    rows_out: int
    null_rows: int
    bad_name: str = ""
    bad_rows: int = 0
    is_kept: bool = False
    sketch: RowSketch | None = None
    choices: tuple[EngineChoice, ...] = ()


@dataclass(frozen=True)
class PartScorer:
    """Scores splits into files. Spark pickles it into the tasks of a direct job.

    Attributes:
        chain: The models, bound to `schema`.
        keep: Columns to write beside the predictions.
        root: URI of the input, which opens its file system.
        format: Format of the input files.
        schema: Columns to read.
        allow_missing: Whether a column that a file lacks is null for its rows.
        staged: URI of the folder to write into.
        staged_bad: URI of the folder for bad rows; `None` when the first one ends the job.
        wanted: The statistics to collect; `None` for none.
    """

    chain: ModelChain
    keep: Sequence[str]
    root: str
    format: str
    schema: pa.Schema
    allow_missing: bool
    staged: str
    staged_bad: str | None = None
    wanted: Wanted | None = None

    def numbered(self, _position: int, numbered: tuple[int, Sequence[Piece]]) -> Part:
        """Score one split, which comes with its number."""
        return self(*numbered)

    def __call__(self, number: int, split: Sequence[Piece]) -> Part:
        """Score one split."""
        reader, names = _SplitReader(self), self.schema.names
        rows: Iterable[pa.RecordBatch] = reader.read(split)
        keep = self.keep if self.staged_bad is None else names
        watch = None
        if self.wanted is not None:
            watch = Watch(self.wanted, number, rows_of(split) or 0)
        if watch is not None:
            rows = watch.before(rows, names)
        scored = self.chain.score(rows, names, keep, Origin("model", number, reader.file_of))
        if watch is None:
            return self._write(number, split, scored, reader)
        added = [field.name for field in self.chain.fields]
        part = self._write(number, split, watch.after(scored, [*keep, *added]), reader)
        return replace(part, sketch=watch.end())

    def _write(
        self,
        number: int,
        split: Sequence[Piece],
        scored: Iterator[pa.RecordBatch],
        reader: _SplitReader,
    ) -> Part:
        """Write the files of the good and of the bad rows."""
        prefix = part_prefix(number, split)
        good = PartFile(self.staged, prefix, self.chain.watched)
        bad = PartFile(self.staged_bad or self.staged, prefix, REASON)
        with good, bad:
            for rows, bad_rows in self._split(scored, reader):
                good.add(rows)
                if bad_rows is not None:
                    bad.add(bad_rows)
        return Part(
            number,
            good.name,
            reader.rows,
            good.rows,
            good.nulls,
            bad.name,
            bad.rows,
            choices=self.chain.choices(),
        )

    def _split(
        self, scored: Iterator[pa.RecordBatch], reader: _SplitReader
    ) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch | None]]:
        if self.staged_bad is None:
            return ((batch, None) for batch in scored)
        binding = self.chain.models[0].binding  # bad rows are those of a single model
        return SplitRows(self.schema.names, self.keep, binding, reader.file_of).pairs(scored)


@dataclass
class _SplitReader:
    """Reads the rows of a split. Counts them, and knows the file of each row."""

    scorer: PartScorer
    rows: int = 0
    starts: list[int] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def read(self, split: Sequence[Piece]) -> Iterator[pa.RecordBatch]:
        """Read the pieces of a split one after the other."""
        source, _ = open_filesystem(self.scorer.root)
        for piece in split:
            self.starts.append(self.rows)
            self.files.append(piece.file.path)
            for batch in read_batches(
                source,
                piece,
                self.scorer.format,
                self.scorer.schema,
                allow_missing=self.scorer.allow_missing,
            ):
                if batch.num_rows:
                    self.rows += batch.num_rows
                    yield batch

    def file_of(self, row: int) -> str | None:
        """Return the file of a row of the split."""
        return self.files[bisect_right(self.starts, row) - 1] if self.starts else None


def part_prefix(number: int, split: Sequence[Piece]) -> str:
    """Return the prefix of part names: the number of the split and a digest of its pieces."""
    digest = hashlib.sha256(repr(tuple(split)).encode()).hexdigest()
    return f"part-{number:05d}-{digest[:16]}-"
