"""Groups of input files that are scored through Spark one after the other. Driver.

The files of a finished group are kept when the job is killed. The same job, run again, does not
score them again.

Invariants: a group is a filter on the files of the whole input, so types, partition columns and
defaults do not depend on the groups. Each row is in exactly one group: the last group takes all
rows that no other group has.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfspark.data_files.listing import DataFile
from tfspark.data_files.splits import Piece, pack
from tfspark.errors import UsageError, explain
from tfspark.scoring.input.spark_input import SparkInput
from tfspark.scoring.job import BatchJob, Outcome
from tfspark.scoring.output.finished_groups import Group
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.protocol import Output
from tfspark.spark.cluster.counting import counted
from tfspark.spark.cluster.reading import has_files, rows_of_files

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileGroup:
    """Some files of an input.

    Attributes:
        name: Its number, and a digest of the paths, sizes and times of its files.
        uris: The URIs of the files, as Spark writes them.
    """

    name: str
    uris: Sequence[str]


def refuse_chunks(job: BatchJob) -> None:
    """Refuse to divide a job whose parts cannot be kept.

    Raises:
        UsageError: When the input or output is a table, or the job sets bad rows aside.
    """
    reasons = {
        "an output table keeps no finished groups": job.target.table,
        "an input table or view has no groups of files": job.source.table,
        "a job with bad rows keeps no finished groups": job.bad_rows,
    }
    found = [reason for reason, is_true in reasons.items() if is_true]
    if job.chunks > 1 and found:
        raise _not_divided("; ".join(found))


def _name(number: int, files: Sequence[DataFile]) -> str:
    return f"{number:05d}-{hashlib.sha256(repr(files).encode()).hexdigest()[:16]}"


def _not_divided(found: str) -> UsageError:
    return UsageError(
        explain(
            "This job cannot keep finished groups of files.",
            expected="files as the input, and a folder as the output",
            found=found,
            hint="leave out --chunks.",
        )
    )


@dataclass(frozen=True)
class GroupStage:
    """Scores all unfinished groups, then stages the files of all groups.

    Attributes:
        rows: The rows of the whole input.
        source: The files of the input.
        groups: All groups.
        output: The output folder.
        score: Scores some of the rows.
    """

    rows: DataFrame
    source: SparkInput
    groups: Sequence[FileGroup]
    output: PathOutput
    score: Callable[[DataFrame], DataFrame]

    @classmethod
    def of(
        cls,
        rows: DataFrame,
        source: SparkInput | None,
        output: Output,
        count: int,
        score: Callable[[DataFrame], DataFrame],
    ) -> GroupStage:
        """Divide the files of an input into at most `count` groups of similar size, in order.

        Raises:
            UsageError: When Spark does not give the file of each row.
        """
        if source is None or not source.uris or not has_files(rows):
            raise _not_divided("Spark does not give the file of each row")
        assert isinstance(output, PathOutput)  # see `refuse_chunks`
        uri_of = dict(zip(source.files, source.uris, strict=True))
        packed = pack([Piece(file, file.size) for file in source.files], count)
        files = [[piece.file for piece in group] for group in packed]
        groups = [
            FileGroup(_name(number, some), [uri_of[file] for file in some])
            for number, some in enumerate(files)
        ]
        return cls(rows, source, groups, output, score)

    def __call__(self) -> Outcome:
        """Score and stage."""
        kept = self.output.groups.all()
        kept_rows = sum(group.counts["rows_in"] for group in kept.values())
        if self.output.keeps:
            count = "%d of %d groups of an earlier run are kept, with %d rows"
            _log.info(count, len(kept), len(self.groups), kept_rows)
        for number, group in enumerate(self.groups):
            if group.name not in kept:
                self._score(number, group)
                _log.info("group %d of %d is scored", number + 1, len(self.groups))
        names = [group.name for group in self.groups]
        groups = self.output.take_groups(names)
        rows_in, rows_out, nulls = (
            sum(group.counts[count] for group in groups)
            for count in ("rows_in", "rows_out", "null_rows")
        )
        return Outcome(rows_in, rows_out, nulls, kept_rows=kept_rows)

    def _score(self, number: int, group: FileGroup) -> None:
        is_last = number == len(self.groups) - 1
        before = [uri for other in self.groups[:-1] for uri in other.uris]
        chosen = rows_of_files(self.rows, before if is_last else group.uris, others=is_last)
        watched, rows_in = counted(chosen)
        scored = self.score(watched)
        scored, rows_out = counted(scored, null_in=scored.columns[-1])
        written = self.output.write_group(scored, group.name)
        self.source.check_unchanged(group.uris)
        counts = {"rows_in": rows_in.rows, "rows_out": rows_out.rows, "null_rows": rows_out.nulls}
        self.output.groups.add(group.name, Group(written, counts))
