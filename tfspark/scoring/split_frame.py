"""Good and bad rows of a scored DataFrame, which go to two outputs. Driver.

Spark writes one output in one pass. So the scored rows wait on the workers' disks while the bad
ones are written, then the good ones. If a worker is lost, its rows are scored again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfspark.columns import resolve
from tfspark.schema import Binding, kept_columns
from tfspark.scoring.output.bad_rows import FILE, REASON, BadRowsOutput
from tfspark.spark.cluster.bad_rows import bad_rows, good_rows
from tfspark.spark.cluster.counting import counted
from tfspark.spark.cluster.tables import keep_on_disk

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass
class SplitFrame:
    """Scored rows and their good and bad parts. Nothing is stored before `holding`.

    Attributes:
        scored: All rows: the columns of the input, the outputs, the reason.
        good: The kept columns and the outputs of the good rows.
        bad: The columns of the input, the reason and the file of the bad rows.
        output: The output of the bad rows.
    """

    scored: DataFrame
    good: DataFrame
    bad: DataFrame
    output: BadRowsOutput

    @classmethod
    def of(
        cls,
        scored: DataFrame,
        binding: Binding,
        names: Sequence[str],
        keep: Sequence[str] | None,
        output: BadRowsOutput,
    ) -> SplitFrame:
        """Split a scored frame, lazily, and check that bad rows of its columns can be written."""
        chosen = None if keep is None else [resolve(name, names) or name for name in keep]
        kept = kept_columns(names, chosen)
        outputs = [bound.column for bound in binding.outputs]
        bad = bad_rows(scored, REASON, FILE, names)
        output.check_columns(dict(bad.dtypes))
        return cls(scored, good_rows(scored, REASON, [*kept, *outputs]), bad, output)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Keep the scored rows on the workers' disks while a block writes them."""
        keep_on_disk(self.scored)
        try:
            yield
        finally:
            self.scored.unpersist()

    def stage_bad(self) -> int:
        """Score all rows, write the bad ones aside, and return their number."""
        watched, rows = counted(self.bad)
        self.output.stage(watched)
        return rows.rows
