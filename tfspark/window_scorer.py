"""Scores one window of rows after the other, and finds the bad ones. Executor.

A window is scored with one call of the model. If the call fails, the window is cut: into halves
that fit into memory, or until the refused rows are found. No Spark, no TensorFlow.

Invariants: predictions have the order of the rows; a row that is not scored gives null; a failure
of the engine or the machine is never blamed on a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.bisection import Results, Search, first_refused
from tfspark.engine import Engine
from tfspark.engine.protocol import MachineError, OutOfMemoryError
from tfspark.errors import EngineError, RowError, explain
from tfspark.model_call import ModelCall
from tfspark.origin import Origin, row_in_words
from tfspark.row_by_row import ShapesDifferError, run_good_rows
from tfspark.rows import Reason, reason_array
from tfspark.schema import Binding
from tfspark.tensors import (
    ColumnStack,
    Group,
    RowProblem,
    Tensor,
    decode,
    encode_good,
    take_rows,
    to_arrow,
)
from tfspark.tensors.values import Rows

_HINT = "fix the row or filter it out."


@dataclass(frozen=True)
class _Scored:
    """Rows of a window and their predictions, one column per output."""

    rows: Rows
    columns: list[dtypes.ArrowArray]


@dataclass
class _Rejects:
    """The bad rows of a window; if none are allowed, the first one ends the scoring."""

    are_allowed: bool
    problems: list[RowProblem] = field(default_factory=list)

    def add(self, problem: RowProblem) -> None:
        if not self.are_allowed:
            raise problem
        self.problems.append(problem)

    def reasons(self) -> dict[int, Reason]:
        """Return row → why it is bad."""
        return dict(pair for problem in self.problems for pair in problem.reasons())


@dataclass
class WindowScorer:
    """Scores windows of rows and counts the rows of the partition.

    Attributes:
        binding: The columns that are fed and the outputs that are returned.
        engine: The live model.
        origin: Model and partition, for errors.
        keep: The columns that errors show; by default all.
        start: Number of the window's first row in the partition.
        scored: Rows of the last window that the model scored.
    """

    binding: Binding
    engine: Engine
    origin: Origin
    keep: Sequence[str] | None = None
    start: int = 0
    scored: int = field(default=0, init=False)
    stack: ColumnStack | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.columns = self.binding.columns
        self.schema = pa.schema(self.binding.output_fields)
        self.predicted = list(self.schema)[: len(self.binding.outputs)]
        self.call = ModelCall(self.binding, self.engine)
        self.may_reject = self.binding.on_error == "null"

    def outputs(self, window: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
        """Return the predictions of one window, in the order of its rows."""
        rows = sum(batch.num_rows for batch in window)
        rejects = _Rejects(self.may_reject)
        try:
            groups = self._groups(window, rejects)
            scored = [part for group in groups for part in self._scored(group, rejects)]
        except RowProblem as problem:
            raise self._row_error(window, problem) from problem.cause
        self.start += rows
        self.scored = sum(len(part.rows) for part in scored)
        columns = _in_order(self.predicted, rows, scored)
        if self.binding.reason is not None:
            columns.append(reason_array(rows, rejects.reasons()))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _groups(self, window: Sequence[pa.RecordBatch], rejects: _Rejects) -> list[Group]:
        """Return the rows that can be fed as tensors."""
        if self.stack is None:
            self.stack = ColumnStack(self.binding.inputs, window[0].schema)
        if (group := self.stack.group(window)) is not None:
            return [group]
        chunks = {name: [batch.column(name) for batch in window] for name in self.columns}
        return encode_good(self.binding.inputs, chunks, rejects.add, self.binding.terms)

    def _row_error(self, window: Sequence[pa.RecordBatch], problem: RowProblem) -> RowError:
        reason = problem.first
        column = f"column {reason.column!r}, " if reason.column else ""
        place = self.origin.of_row(self.start + problem.row, column)
        about = f"{place}: {reason.message}{self._row_text(window, problem.row)}"
        hint = reason.hint or _HINT
        if problem.cause is None:
            return RowError(explain(about, hint=hint))
        return RowError(f"{about}\nHint: {hint}")  # TensorFlow's message has several lines

    def _row_text(self, window: Sequence[pa.RecordBatch], row: int) -> str:
        """Return the kept columns of a row as text, so that the user can find the row."""
        for batch in window:
            if row < batch.num_rows:
                return row_in_words(batch, row, self.keep)
            row -= batch.num_rows
        return ""

    def _scored(self, group: Group, rejects: _Rejects) -> list[_Scored]:
        """Score one group, in parts if it does not fit into memory."""
        try:
            results, refused = self._run(group)
        except (OutOfMemoryError, ShapesDifferError) as error:
            if len(group.rows) == 1 or self.binding.batch_dimension:
                raise self._error_of(group, error) from error
            return [part for half in group.halves() for part in self._scored(half, rejects)]
        except EngineError as error:
            raise self._error_of(group, error) from error
        if refused:
            rejects.add(_refusal(group, refused))
        if results is None:
            return []
        rows, tensors = group.rows, self._fetched(group, results)
        if refused:
            rows, tensors = _without(rows, tensors, list(refused))
        return self._decoded(rows, tensors, rejects)

    def _run(self, group: Group) -> tuple[Results | None, dict[int, EngineError]]:
        """Return the results of a group, and its refused rows if bad rows are allowed."""
        if not self.may_reject:
            return self.call.run(group), {}
        if self.binding.row_by_row:
            return run_good_rows(self.engine, group.inputs, len(group.rows))
        try:
            return self.call.run(group), {}
        except MachineError:
            raise
        except EngineError as error:
            search = Search(self.call.run, group)
            results = search.others(error)
            if not search.refused:
                raise
            return results, search.refused

    def _fetched(self, group: Group, results: Results) -> list[Tensor]:
        try:
            return self.call.fetched(group, results)
        except EngineError as error:
            raise EngineError(f"{self._place(group)}: {error}") from None

    def _decoded(self, rows: Rows, tensors: list[Tensor], rejects: _Rejects) -> list[_Scored]:
        """Return the outputs of some rows as columns."""
        hint = f"take the bytes with {self.binding.terms.strings}."
        while len(rows):
            pairs = zip(tensors, self.binding.outputs, strict=True)
            try:
                return [_Scored(rows, [decode(tensor, output) for tensor, output in pairs])]
            except RowProblem as problem:
                rejects.add(problem.among(rows).with_hint(hint))
                rows, tensors = _without(rows, tensors, problem.rows)
        return []

    def _error_of(self, group: Group, error: EngineError) -> EngineError | RowProblem:
        """Return the error of a failed batch, or of the row that causes it."""
        if isinstance(error, MachineError):
            return EngineError(f"{self._place(group)}: {error}")
        try:
            culprit = None if self.may_reject else first_refused(self.call.run, group)
        except MachineError as other:
            return EngineError(f"{self._place(group)}: {other}")
        if culprit is not None:
            return _refusal(group, {culprit: error})
        alone = ""
        if len(group.rows) > 1 and not self.binding.batch_dimension:
            alone = f"\nHint: each row works alone; score with {self.binding.terms.batch_size}."
        return EngineError(f"{self._place(group)}: {error}{alone}")

    def _place(self, group: Group) -> str:
        first, last = (self.start + int(group.rows[index]) for index in (0, -1))
        return self.origin.at(f"rows {first} to {last}")


def _refusal(group: Group, refused: dict[int, EngineError]) -> RowProblem:
    """Return the problem of rows that the model refuses, by their position in the group."""
    positions = sorted(refused)

    def reason_of(at: int) -> Reason:
        return Reason("MODEL_REFUSED", f"the model refuses the row: {refused[positions[at]]}")

    return RowProblem(group.rows[positions], reason_of, refused[positions[0]])


def _without(
    rows: Rows, tensors: list[Tensor], positions: Sequence[int] | Rows
) -> tuple[Rows, list[Tensor]]:
    """Leave out the rows at some positions."""
    good = np.setdiff1d(np.arange(len(rows)), positions)
    return rows[good], [take_rows(tensor, good) for tensor in tensors]


def _in_order(
    fields: Sequence[dtypes.ArrowField], rows: int, scored: Sequence[_Scored]
) -> list[dtypes.ArrowArray]:
    """Join the predictions in the order of rows; rows that were not scored get null."""
    if not scored:
        return [pa.nulls(rows, one.type) for one in fields]
    if len(scored) == 1 and len(scored[0].rows) == rows:
        return scored[0].columns
    joined = [
        parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
        for parts in zip(*(part.columns for part in scored), strict=True)
    ]
    position = np.full(rows, -1, dtype=np.int64)
    scored_rows = np.concatenate([part.rows for part in scored])
    position[scored_rows] = np.arange(len(scored_rows))
    indices = to_arrow(position, position >= 0)
    return [array.take(indices) for array in joined]
