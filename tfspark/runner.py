"""Scores record batches with a bound model. Executor.

`score` takes the record batches of one partition, a `Binding` and a live `Engine`. It yields the
same rows in the same order, with the kept columns and the predictions. Every API of tfspark uses
it. No Spark, no TensorFlow.

Invariants: a model batch may contain rows of several record batches, and at most one model batch
and its record batches are held in memory; kept columns are not copied; a row with a null input is
not fed and gives null; the error of a failed row names the row and its partition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from time import perf_counter

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.assembly import Assembly
from tfspark.batching import BatchSize, Windows
from tfspark.engine import Engine
from tfspark.engine.protocol import CannotServeError, OutOfMemoryError
from tfspark.errors import EngineError, RowError, UsageError, explain
from tfspark.fetching import OutputBinding
from tfspark.origin import Origin, row_in_words
from tfspark.row_by_row import ShapesDifferError, run_by_rows
from tfspark.schema import Binding
from tfspark.signature import format_shape
from tfspark.tensors import (
    ByteStrings,
    Group,
    RowProblem,
    Tensor,
    decode,
    encode,
    pad_rows,
    slice_rows,
    to_arrow,
)

# Arrow counts the elements of lists, as Spark takes them, in 32 bits.
_MAX_ELEMENTS = 2**31 - 1

_HINT = "fix the row or filter it out."


def score(
    batches: Iterable[pa.RecordBatch],
    binding: Binding,
    engine: Engine,
    *,
    keep: Sequence[str] | None = None,
    batch_size: int | None = None,
    origin: Origin | None = None,
) -> Iterator[pa.RecordBatch]:
    """Score record batches.

    Args:
        batches: Record batches of one partition, all with the same schema.
        binding: The columns that are fed and the outputs that are returned.
        engine: The live model.
        keep: Columns to keep, in this order; by default all.
        batch_size: Rows per call of the model. By default a call has up to 1 MiB of input and
            output, less if this model is faster with less. A fixed batch dimension of the model
            overrides it; the last batch is then padded, and its output cut.
        origin: Model and partition, for errors.

    Yields:
        One record batch for each incoming batch that has rows; same rows, same order.

    Raises:
        UsageError: When the batch size is below 1.
        RowError: When a row cannot be fed, or the model refuses it.
        EngineError: When the model fails on a batch but on none of its rows alone, or when its
            outputs do not match its signature.
    """
    if batch_size is not None and batch_size < 1:
        raise UsageError(
            explain("A batch needs rows.", expected="1 or more", found=str(batch_size))
        )
    scorer = _Scorer(binding, engine, origin or Origin("model"), keep)
    assembly = Assembly(binding, keep)
    size = BatchSize(binding, batch_size)
    windows = Windows()
    for batch in batches:
        if not batch.num_rows:
            continue
        assembly.expect(batch)
        for window in windows.push(batch, size.of(batch)):
            start = perf_counter()
            predictions = scorer.outputs(window)
            size.took(predictions.num_rows, perf_counter() - start)
            assembly.add(predictions)
            yield from assembly.finished()
    if windows.waiting:
        assembly.add(scorer.outputs(windows.rest()))
        yield from assembly.finished()


@dataclass
class _Scorer:
    """Scores windows of rows and counts the rows of the partition."""

    binding: Binding
    engine: Engine
    origin: Origin
    keep: Sequence[str] | None = None
    start: int = 0

    def __post_init__(self) -> None:
        self.columns = self.binding.columns
        self.schema = pa.schema(self.binding.output_fields)

    def outputs(self, window: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
        """Return the predictions of one window, in the order of its rows."""
        rows = sum(batch.num_rows for batch in window)
        chunks = {name: [batch.column(name) for batch in window] for name in self.columns}
        try:
            groups = encode(self.binding.inputs, chunks, self.binding.terms)
            columns = [self._predictions(group) for group in groups]
        except RowProblem as problem:
            place = self.origin.of_row(self.start + problem.row, f"column {problem.column!r}, ")
            hint = problem.hint or _HINT
            about = f"{place}: {problem.problem}{self._beside(window, problem.row)}"
            raise RowError(explain(about, hint=hint)) from None
        except _RefusedRow as refused:
            place = self.origin.of_row(self.start + refused.row)
            about = f"{place}: the model refuses the row: {refused.error}"
            beside = self._beside(window, refused.row)
            raise RowError(f"{about}{beside}\nHint: {_HINT}") from refused.error
        self.start += rows
        return _in_order(self.schema, rows, groups, columns)

    def _beside(self, window: Sequence[pa.RecordBatch], row: int) -> str:
        """Return the kept columns of a row as text, so that the user can find the row."""
        for batch in window:
            if row < batch.num_rows:
                return row_in_words(batch, row, self.keep)
            row -= batch.num_rows
        return ""

    def _predictions(self, group: Group) -> list[dtypes.ArrowArray]:
        try:
            results = self._run(group)
        except (OutOfMemoryError, ShapesDifferError) as error:
            if len(group.rows) == 1 or self.binding.batch_dimension:
                raise self._named(group, error) from error
            halves = [self._predictions(half) for half in group.halves()]
            return [pa.concat_arrays(list(pair)) for pair in zip(*halves, strict=True)]
        except EngineError as error:
            raise self._named(group, error) from error
        return [self._decoded(group, output, results) for output in self.binding.outputs]

    def _run(self, group: Group) -> Mapping[str, Tensor]:
        """Call the model on one group, padded when its batch dimension is fixed."""
        if self.binding.row_by_row:
            return run_by_rows(self.engine, group.inputs, len(group.rows))
        fed = self._fed_rows(group)
        if fed == len(group.rows):
            return self.engine.run(group.inputs)
        padded = {name: pad_rows(tensor, fed) for name, tensor in group.inputs.items()}
        return self.engine.run(padded)

    def _fed_rows(self, group: Group) -> int:
        return self.binding.batch_dimension or len(group.rows)

    def _decoded(
        self, group: Group, output: OutputBinding, results: Mapping[str, Tensor]
    ) -> dtypes.ArrowArray:
        """Return one output of a group as a column, without the padding rows."""
        tensor = results.get(output.spec.name)
        problem = _misfit(tensor, output, self._fed_rows(group))
        if tensor is None or problem:
            raise EngineError(f"{self._place(group)}: {problem}")
        if tensor.shape[0] != len(group.rows):
            tensor = slice_rows(tensor, 0, len(group.rows))
        try:
            return decode(tensor, output)
        except RowProblem as row_problem:
            hint = f"take the bytes with {self.binding.terms.strings}."
            there = row_problem.among(group.rows)
            raise RowProblem(there.row, there.column, there.problem, hint) from None

    def _named(self, group: Group, error: EngineError) -> EngineError | _RefusedRow:
        """Return the error of a failed batch, or of the row that causes it."""
        if isinstance(error, CannotServeError):
            return EngineError(f"{self._place(group)}: {error}")
        culprit = self._first_failing(group)
        if culprit is not None:
            return _RefusedRow(culprit, error)
        alone = ""
        if len(group.rows) > 1 and not self.binding.batch_dimension:
            alone = f"\nHint: each row works alone; score with {self.binding.terms.batch_size}."
        return EngineError(f"{self._place(group)}: {error}{alone}")

    def _place(self, group: Group) -> str:
        first, last = (self.start + int(group.rows[index]) for index in (0, -1))
        return self.origin.at(f"rows {first} to {last}")

    def _first_failing(self, group: Group) -> int | None:
        """Find a row that fails alone, by bisection; `None` when there is none."""
        while len(group.rows) > 1:
            left, right = group.halves()
            group = left if self._fails(left) else right
        return int(group.rows[0]) if self._fails(group) else None

    def _fails(self, group: Group) -> bool:
        try:
            self._run(group)
        except EngineError:
            return True
        return False


class _RefusedRow(Exception):  # noqa: N818 - becomes a RowError once the place is known
    """A row of the current window that the model refuses even alone."""

    def __init__(self, row: int, error: EngineError) -> None:
        super().__init__(row, error)
        self.row = row
        self.error = error


def _misfit(tensor: Tensor | None, output: OutputBinding, rows: int) -> str | None:
    """Return how an output differs from its signature; `None` when it does not."""
    spec = output.spec
    if tensor is None:
        return f"the engine gave no output {spec.name!r}"
    if prod(tensor.shape) > _MAX_ELEMENTS:
        found, hint = f"{prod(tensor.shape)} elements", "give a smaller batch_size."
        most = f"at most {_MAX_ELEMENTS} elements in a batch"
        return explain(f"output {spec.name!r} is too large.", expected=most, found=found, hint=hint)
    found = "string" if isinstance(tensor, ByteStrings) else tensor.dtype.name
    wanted = (rows, *(spec.row_shape or ()))
    if found == spec.dtype and _fits(tensor.shape, wanted):
        return None
    return explain(
        f"output {spec.name!r} is not what its signature says.",
        expected=f"{spec.dtype} {format_shape(wanted)}",
        found=f"{found} {format_shape(tensor.shape)}",
        hint="fetch other outputs only, or export a function that keeps the batch dimension.",
    )


def _fits(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return len(shape) == len(wanted) and all(
        size in (None, there) for size, there in zip(wanted, shape, strict=True)
    )


def _in_order(
    schema: pa.Schema,
    rows: int,
    groups: Sequence[Group],
    columns: Sequence[Sequence[dtypes.ArrowArray]],
) -> pa.RecordBatch:
    """Join the predictions of all groups in the order of rows; rows that were not fed get null."""
    if not groups:
        nulls = [pa.nulls(rows, field.type) for field in schema]
        return pa.RecordBatch.from_arrays(nulls, schema=schema)
    joined = [
        parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
        for parts in zip(*columns, strict=True)
    ]
    fed = np.concatenate([group.rows for group in groups])
    if len(groups) == 1 and len(fed) == rows:
        return pa.RecordBatch.from_arrays(joined, schema=schema)
    position = np.full(rows, -1, dtype=np.int64)
    position[fed] = np.arange(len(fed))
    indices = to_arrow(position, position >= 0)
    return pa.RecordBatch.from_arrays([array.take(indices) for array in joined], schema=schema)
