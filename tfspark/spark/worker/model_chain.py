"""Scores record batches with several models, one after the other. Executor.

Rows reach the worker once. The scored batches of one model are the batches of the next one, so each
model has its own batch size, and its own rules for nulls and bad rows.

Invariants: row order is kept, no column is copied; each model holds at most one model batch and its
record batches; a task without rows loads no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfspark import dtypes
from tfspark.bound_models import Difference
from tfspark.engine_choice import EngineChoice
from tfspark.handle import ModelHandle
from tfspark.options import ScoreOptions
from tfspark.origin import Origin
from tfspark.schema import Binding
from tfspark.spark.worker.task import choice_in, score_task
from tfspark.tensors.values import to_arrow, to_numpy


@dataclass(frozen=True)
class BoundModel:
    """A model of a task.

    Attributes:
        handle: The model.
        binding: The fed columns and the fetched outputs.
        options: How to score.
    """

    handle: ModelHandle
    binding: Binding
    options: ScoreOptions


@dataclass(frozen=True)
class ModelChain:
    """The models of a task, in order, and the differences of their predictions."""

    models: tuple[BoundModel, ...]
    differences: tuple[Difference, ...] = ()

    @property
    def subject(self) -> str:
        """The models, for messages."""
        return ", ".join(f"model {one.handle.title}" for one in self.models)

    @property
    def watched(self) -> str:
        """The last output of the last model; it is null in rows that this model did not score."""
        return self.models[-1].binding.outputs[-1].column

    @property
    def fields(self) -> list[dtypes.ArrowField]:
        """The fields of all new columns."""
        added = [field for one in self.models for field in one.binding.output_fields]
        return [*added, *(pa.field(one.column, one.arrow) for one in self.differences)]

    def choices(self) -> tuple[EngineChoice, ...]:
        """Return the engine of each model in this process; empty before the first row."""
        found = [choice_in(one.handle) for one in self.models]
        known = tuple(one for one in found if one is not None)
        return known if len(known) == len(found) else ()

    def score(
        self,
        batches: Iterable[pa.RecordBatch],
        names: Sequence[str],
        keep: Sequence[str],
        origin: Origin | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Score the record batches of one task.

        Args:
            batches: Record batches of one schema.
            names: The names of their columns, each once.
            keep: Columns to keep beside the predictions.
            origin: Origin of the rows, for errors; by default the partition of this task.

        Yields:
            The kept columns, the outputs of each model and the differences, in record batches as
            from `tfspark.runner.score`.

        Raises:
            TfsparkError: From `score_task`.
        """
        held: list[str] = []
        for position, model in enumerate(self.models):
            is_last = position == len(self.models) - 1
            kept = [*(keep if is_last else names), *held]
            scored = _scored(model, batches, kept, origin)
            if is_last:
                batches = scored
                break
            held += _free_names(model.binding, [*names, *held])
            batches = _renamed(scored, [*names, *held])
        if len(self.models) == 1:
            yield from batches
            return
        for batch in batches:
            yield self._finished(batch, len(keep))

    def _finished(self, batch: pa.RecordBatch, kept: int) -> pa.RecordBatch:
        """Add the differences, and give the new columns their names."""
        columns = batch.columns
        for one in self.differences:
            first, second = (columns[kept + at] for at in (one.first, one.second))
            columns.append(difference(first, second))
        fields = [batch.schema.field(at) for at in range(kept)]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema([*fields, *self.fields]))


def difference(first: Any, second: Any) -> Any:
    """Return the second array minus the first, as doubles; null where either is null.

    Arrays are subtracted element by element; the difference of arrays of different lengths is null.
    """
    if not dtypes.is_list(first.type):
        return pc.subtract(*(array.cast(pa.float64(), safe=False) for array in (second, first)))
    lengths: Any = pc.list_value_length(first)
    equal: Any = pc.equal(lengths, pc.list_value_length(second)).fill_null(False)
    inner = difference(*(array.filter(equal).flatten() for array in (first, second)))
    flags = to_numpy(equal)
    sizes = np.where(flags, to_numpy(lengths.fill_null(0)), 0)
    offsets: Any = to_arrow(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, inner, mask=to_arrow(~flags))


def _scored(
    model: BoundModel,
    batches: Iterable[pa.RecordBatch],
    keep: Sequence[str],
    origin: Origin | None,
) -> Iterator[pa.RecordBatch]:
    """Score with one model; a generator, so that nothing runs before the first row is wanted."""
    return score_task(
        model.handle,
        batches,
        lambda _: model.binding,
        options=model.options,
        keep=keep,
        origin=origin and replace(origin, model=model.handle.title),
    )


def _renamed(batches: Iterable[pa.RecordBatch], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Rename columns; their types and metadata stay."""
    for batch in batches:
        pairs = zip(batch.schema, names, strict=True)
        fields = [field.with_name(name) for field, name in pairs]
        yield pa.RecordBatch.from_arrays(batch.columns, schema=pa.schema(fields))


def _free_names(binding: Binding, taken: Sequence[str]) -> list[str]:
    """Return names for predictions that no fed column has; these may have the same names."""
    used, found = set(taken), []
    for field in binding.output_fields:
        name = field.name
        while name in used:
            name += " of the model"
        used.add(name)
        found.append(name)
    return found
