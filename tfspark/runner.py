"""Scores record batches with a bound model. Executor.

`score` takes the record batches of one partition, a `Binding` and a live `Engine`. It yields the
same rows in the same order, with the kept columns and the predictions. Every API of tfspark uses
it. No Spark, no TensorFlow.

Invariants: a model batch may contain rows of several record batches; in memory are at most one
model batch, its record batches, and 64 MiB of predictions; kept columns are not copied; a row with
a null input is not fed and gives null; a bad row gives null, or an error that names the row and its
partition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.assembly import Assembly
from tfspark.batch_size import CpuBatchSize
from tfspark.batching import Windows
from tfspark.bisection import Results, Search, first_refused
from tfspark.engine import Engine
from tfspark.engine.protocol import CannotServeError, OutOfMemoryError
from tfspark.errors import EngineError, RowError, UsageError, explain
from tfspark.gpu_batch_size import GpuBatchSize
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


def score(
    batches: Iterable[pa.RecordBatch],
    binding: Binding,
    engine: Engine,
    *,
    keep: Sequence[str] | None = None,
    batch_size: int | None = None,
    model_bytes: int = 0,
    on_gpu: bool = False,
    origin: Origin | None = None,
) -> Iterator[pa.RecordBatch]:
    """Score record batches.

    Args:
        batches: Record batches of one partition, all with the same schema.
        binding: The columns that are fed and the outputs that are returned.
        engine: The live model.
        keep: Columns to keep, in this order; by default all.
        batch_size: Rows per call of the model. By default, a call has at most 1 MiB of input and
            output, or a few larger rows, and fewer if the model is faster with fewer. A fixed batch
            dimension of the model overrides this size; the last batch is then padded, and its
            output cut.
        model_bytes: The size of the model's files. The first calls of a large model have few rows,
            because it may need much memory for 1 MiB of them.
        on_gpu: Whether the task has a GPU. A call may then have up to 64 MiB, see `gpu_batch_size`.
        origin: Model and partition, for errors.

    Yields:
        One record batch for each incoming batch that has rows, or several if its predictions have
        more than 64 MiB; same rows, same order.

    Raises:
        UsageError: When the batch size is below 1.
        RowError: When a row cannot be fed, or the model refuses it, and `on_error` is `raise`.
        EngineError: When the model fails on a batch but on none of its rows alone, or when its
            outputs do not match its signature.
    """
    if batch_size is not None and batch_size < 1:
        raise UsageError(
            explain(
                "The batch size must be at least 1.", expected="1 or more", found=str(batch_size)
            )
        )
    scorer = _Scorer(binding, engine, origin or Origin("model"), keep)
    assembly = Assembly(binding, keep)
    size = (GpuBatchSize if on_gpu else CpuBatchSize)(binding, batch_size, model_bytes)
    windows = Windows()
    for batch in batches:
        if not batch.num_rows:
            continue
        assembly.expect(batch)
        for window in windows.push(batch, size.of(batch)):
            start = perf_counter()
            predictions = scorer.outputs(window)
            size.record(predictions.num_rows, perf_counter() - start)
            size.learn(predictions)
            assembly.add(predictions)
            yield from assembly.finished()
    if windows.waiting:
        assembly.add(scorer.outputs(windows.rest()))
        yield from assembly.finished()


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
class _Scorer:
    """Scores windows of rows and counts the rows of the partition."""

    binding: Binding
    engine: Engine
    origin: Origin
    keep: Sequence[str] | None = None
    start: int = 0
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
        except (CannotServeError, OutOfMemoryError):
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
        try:
            if isinstance(error, (CannotServeError, OutOfMemoryError)):
                raise error
            culprit = None if self.may_reject else first_refused(self.call.run, group)
        except (CannotServeError, OutOfMemoryError) as no_row:
            return EngineError(f"{self._place(group)}: {no_row}")
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
