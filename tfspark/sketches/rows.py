"""The statistics of the rows of a task, or of all tasks of a job. Driver and executor.

The parts of tasks may be merged in any order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tfspark.sketches.column import ColumnSketch

# A row of the sample: the number of the task, and the values as text.
Sampled = tuple[int, list[str]]


@dataclass
class RowSketch:
    """Statistics of scored rows.

    Attributes:
        rows: Number of rows with predictions; includes null predictions, not bad rows.
        inputs: Column that feeds a model → its statistics, over all rows.
        outputs: Column of predictions → its statistics, over the rows that were not bad.
        reasons: Code of a reason → number of bad rows.
        columns: The columns of the sample.
        sample: The first rows of the first tasks, at most `most`.
        most: The most rows of the sample.
        left_out: Columns without statistics, because there are too many.
        problem: Why a task could not collect its statistics; empty if all tasks could.
    """

    rows: int = 0
    inputs: dict[str, ColumnSketch] = field(default_factory=dict)
    outputs: dict[str, ColumnSketch] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    columns: tuple[str, ...] = ()
    sample: list[Sampled] = field(default_factory=list)
    most: int = 0
    left_out: int = 0
    problem: str = ""

    def finish(self) -> RowSketch:
        """Reduce all sketches to their smallest size, and return the same object."""
        for one in (*self.inputs.values(), *self.outputs.values()):
            one.finish()
        return self

    def merge(self, other: RowSketch) -> None:
        """Add the rows of another task."""
        self.rows += other.rows
        self.problem = self.problem or other.problem
        self.reasons.update(other.reasons)
        for mine, theirs in ((self.inputs, other.inputs), (self.outputs, other.outputs)):
            for name, sketch in theirs.items():
                mine.setdefault(name, ColumnSketch()).merge(sketch)
        self.columns = self.columns or other.columns
        self.most = max(self.most, other.most)
        self.left_out = max(self.left_out, other.left_out)
        both = sorted([*self.sample, *other.sample], key=lambda one: one[0])
        self.sample = both[: self.most]
