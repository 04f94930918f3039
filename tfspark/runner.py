"""The one way through a model: Iterator[RecordBatch] → Iterator[RecordBatch].

In come the record batches of one partition, a `Binding` and a live `Engine`; out come the same rows
in the same order, with the kept columns and the predictions. Runs on executors; every face of
tfspark ends here. Holds no Spark and no TensorFlow.

Invariants: rows are joined and cut into model batches across record batches, while at most one model
batch and the record batches it touches are held; kept columns are passed on without a copy; a row
with a null input is not fed and gives null; a row that fails is named, with model and partition.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tfspark.engine import Engine
from tfspark.errors import EngineError, RowError, explain
from tfspark.schema import Binding, OutputBinding
from tfspark.tensors import Group, RowProblem, Tensor, decode, encode, pad_rows, slice_rows

# Bytes fed per model batch when no size is given, and the rows that bound it for narrow inputs.
TARGET_BYTES = 1 << 20
MAX_ROWS = 16_384


@dataclass(frozen=True)
class Origin:
    """Whose rows these are; the words that every error of a row begins with."""

    model: str
    partition: int | None = None

    def at(self, rows: str) -> str:
        """Return the place of some rows in words."""
        where = "" if self.partition is None else f" of partition {self.partition}"
        return f"model {self.model}, {rows}{where}"


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
        batches: Record batches of one partition, all of one schema.
        binding: Which columns feed, which outputs come back.
        engine: The live model.
        keep: Columns passed on, in this order; by default all.
        batch_size: Rows per call of the model; by default as many as make about 1 MiB of input.
            A model with a fixed batch dimension gets exactly that, the last batch padded and cut.
        origin: Names model and partition in errors.

    Yields:
        One record batch per non-empty incoming one, same rows, same order.

    Raises:
        RowError: When a row cannot be fed, or the model refuses it.
        EngineError: When the model refuses a batch but none of its rows alone.
    """
    scorer = _Scorer(binding, engine, origin or Origin("model"))
    assembly = _Assembly(binding, keep)
    windows: _Windows | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        if windows is None:
            windows = _Windows(_window_rows(binding, batch, batch_size))
        assembly.expect(batch)
        for window in windows.push(batch):
            assembly.add(scorer.outputs(window))
            yield from assembly.finished()
    if windows is not None and windows.waiting:
        assembly.add(scorer.outputs(windows.rest()))
        yield from assembly.finished()


def _window_rows(binding: Binding, batch: pa.RecordBatch, batch_size: int | None) -> int:
    """Return the rows per call of the model, from what the first record batch shows of their size."""
    if binding.batch_dimension or batch_size:
        return binding.batch_dimension or batch_size or 1
    row_bytes = batch.select(list(binding.columns)).nbytes / batch.num_rows
    return int(min(max(TARGET_BYTES // max(row_bytes, 1.0), 1), MAX_ROWS))


@dataclass
class _Windows:
    """Cuts a stream of record batches into windows of exactly `rows` rows, without a copy."""

    rows: int
    waiting: list[pa.RecordBatch] = field(default_factory=list)
    count: int = 0

    def push(self, batch: pa.RecordBatch) -> Iterator[list[pa.RecordBatch]]:
        """Take a batch and yield each window that it completes."""
        start = 0
        while self.count + batch.num_rows - start >= self.rows:
            stop = start + self.rows - self.count
            yield [*self.rest(), batch.slice(start, stop - start)]
            start = stop
        if start < batch.num_rows:
            self.waiting.append(batch.slice(start))
            self.count += batch.num_rows - start

    def rest(self) -> list[pa.RecordBatch]:
        """Hand over what waits for more rows."""
        waiting, self.waiting, self.count = self.waiting, [], 0
        return waiting


@dataclass
class _Assembly:
    """Puts predictions beside the incoming batches they belong to."""

    binding: Binding
    keep: Sequence[str] | None
    incoming: deque[pa.RecordBatch] = field(default_factory=deque)
    pieces: deque[pa.RecordBatch] = field(default_factory=deque)
    count: int = 0

    def expect(self, batch: pa.RecordBatch) -> None:
        """Take an incoming batch, whose predictions will follow."""
        self.incoming.append(batch)

    def add(self, predictions: pa.RecordBatch) -> None:
        """Take the predictions of the next rows."""
        self.pieces.append(predictions)
        self.count += predictions.num_rows

    def finished(self) -> Iterator[pa.RecordBatch]:
        """Yield each incoming batch whose predictions are complete."""
        while self.incoming and self.incoming[0].num_rows <= self.count:
            batch = self.incoming.popleft()
            kept = batch if self.keep is None else batch.select(list(self.keep))
            predictions = self._take(batch.num_rows)
            yield pa.RecordBatch.from_arrays(
                [*kept.columns, *predictions], schema=_joined(kept.schema, self.binding)
            )

    def _take(self, rows: int) -> list[pa.Array]:
        """Remove and return the predictions of the next rows."""
        self.count -= rows
        parts = []
        while rows:
            piece = self.pieces.popleft()
            if piece.num_rows > rows:
                self.pieces.appendleft(piece.slice(rows))
                piece = piece.slice(0, rows)
            rows -= piece.num_rows
            parts.append(piece)
        if len(parts) == 1:
            return list(parts[0].columns)
        return [pa.concat_arrays(columns) for columns in zip(*(p.columns for p in parts), strict=True)]


def _joined(kept: pa.Schema, binding: Binding) -> pa.Schema:
    return pa.schema([*kept, *binding.output_fields])


@dataclass
class _Scorer:
    """Runs windows of rows through the engine and knows where in the partition they are."""

    binding: Binding
    engine: Engine
    origin: Origin
    start: int = 0

    def outputs(self, window: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
        """Return the predictions of one window: as many rows, in the same order."""
        rows = sum(batch.num_rows for batch in window)
        chunks = {name: [batch.column(name) for batch in window] for name in self.binding.columns}
        try:
            groups = encode(self.binding.inputs, chunks)
            columns = [self._predictions(group) for group in groups]
        except RowProblem as problem:
            place = self.origin.at(f"column {problem.column!r}, row {self.start + problem.row}")
            raise RowError(f"{place}: {problem.problem}") from None
        self.start += rows
        return _in_order(self.binding, rows, groups, columns)

    def _predictions(self, group: Group) -> list[pa.Array]:
        try:
            results = self._run(group)
        except EngineError as error:
            raise self._named(group, error) from error
        decoded = []
        for output in self.binding.outputs:
            try:
                decoded.append(decode(results[output.spec.name], output))
            except RowProblem as problem:
                raise RowProblem(int(group.rows[problem.row]), problem.column, problem.problem) from None
        return decoded

    def _run(self, group: Group) -> dict[str, Tensor]:
        """Call the model on one group, padded when its batch dimension is fixed."""
        rows = len(group.rows)
        fed = self.binding.batch_dimension or rows
        inputs = group.inputs
        if fed != rows:
            inputs = {name: pad_rows(tensor, fed) for name, tensor in inputs.items()}
        results = self.engine.run(inputs)
        for output in self.binding.outputs:
            _check_shape(results[output.spec.name], output, fed)
        if fed == rows:
            return results
        return {name: slice_rows(tensor, 0, rows) for name, tensor in results.items()}

    def _named(self, group: Group, error: EngineError) -> EngineError | RowError:
        """Return the error of a failed batch, with the row that causes it where there is one."""
        culprit = self._first_failing(group)
        if culprit is not None:
            place = self.origin.at(f"row {self.start + culprit}")
            return RowError(f"{place}: the model refuses the row: {error}")
        first, last = (self.start + int(group.rows[index]) for index in (0, -1))
        return EngineError(f"{self.origin.at(f'rows {first} to {last}')}: {error}")

    def _first_failing(self, group: Group) -> int | None:
        """Find by bisection a row that the model refuses on its own; `None` when there is none."""
        while len(group.rows) > 1:
            half = len(group.rows) // 2
            left = group.slice(0, half)
            group = left if self._fails(left) else group.slice(half, len(group.rows))
        return int(group.rows[0]) if self._fails(group) else None

    def _fails(self, group: Group) -> bool:
        try:
            self._run(group)
        except EngineError:
            return True
        return False


def _check_shape(tensor: Tensor, output: OutputBinding, rows: int) -> None:
    """Refuse an output that is not what the signature says: rows first, and of its rank."""
    wanted = output.spec.shape
    if wanted is None or len(tensor.shape) != len(wanted) or tensor.shape[0] != rows:
        raise EngineError(
            explain(
                f"Output {output.spec.name!r} does not have one element per row.",
                expected=f"shape ({rows}, …) as in {output.spec}",
                found=f"shape {tensor.shape}",
                hint="fetch other outputs only, or export a function that keeps the batch dimension.",
            )
        )


def _in_order(
    binding: Binding, rows: int, groups: Sequence[Group], columns: Sequence[Sequence[pa.Array]]
) -> pa.RecordBatch:
    """Join the predictions of all groups in row order, with null for rows that were not fed."""
    schema = pa.schema(binding.output_fields)
    if not groups:
        return pa.RecordBatch.from_arrays([pa.nulls(rows, one.type) for one in schema], schema=schema)
    joined = [parts[0] if len(parts) == 1 else pa.concat_arrays(parts) for parts in zip(*columns, strict=True)]
    fed = np.concatenate([group.rows for group in groups])
    if len(groups) == 1 and len(fed) == rows:
        return pa.RecordBatch.from_arrays(joined, schema=schema)
    position = np.full(rows, -1, dtype=np.int64)
    position[fed] = np.arange(len(fed))
    indices = pa.array(position, mask=position < 0)
    return pa.RecordBatch.from_arrays([array.take(indices) for array in joined], schema=schema)
