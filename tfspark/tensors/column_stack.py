"""Stacks many columns of numbers with one call of Arrow. Executor.

Reading each column of a wide table in Python takes longer than a light model. This is the fast path
of a model with one input that is fed by columns of one type. `encode` reads all other rows: it
handles nulls and numbers that do not fit.

Invariants: one copy turns the columns into rows. A window of several record batches is copied once
before it; numbers of another type are copied once after it. A window with another schema is not
stacked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.batch_bytes import BatchBytes
from tfspark.feeding import InputBinding
from tfspark.rounding import narrowed
from tfspark.tensors.narrow import misfits
from tfspark.tensors.values import Array, Group

# Arrow reserves 8 times the bytes of the tensor; it writes to the first eighth.
_MOST_BYTES = 8 << 20
# Since this version, Arrow can write the columns into rows.
_HAS_ROWS = int(pa.__version__.partition(".")[0]) >= 17


@dataclass
class ColumnStack:
    """The columns that feed the only input of a model.

    Attributes:
        inputs: The bound inputs of the model.
        schema: Schema of the record batches.
    """

    inputs: Sequence[InputBinding]
    schema: pa.Schema

    def group(self, window: Sequence[pa.RecordBatch]) -> Group | None:
        """Return all rows of a window as one group; `None` if `encode` must read them."""
        if self._positions is None or any(one.schema != self.schema for one in window):
            return None
        if sum(one.num_rows for one in window) * self._row_bytes > _MOST_BYTES:
            return None
        batch, *others = [batch.select(self._positions) for batch in window]
        if others:
            (batch,) = pa.Table.from_batches([batch, *others]).combine_chunks().to_batches()
        try:
            rows = batch.to_tensor(row_major=True)
        except pa.ArrowTypeError:  # a null
            return None
        tensor = self._converted(np.asarray(rows))
        if tensor is None:
            return None
        (bound,) = self.inputs
        count, width = tensor.shape
        shape = (width,) if bound.spec.row_size is None else bound.spec.row_shape or ()
        return Group(np.arange(count), {bound.spec.name: tensor.reshape(count, *shape)})

    @cached_property
    def _positions(self) -> list[int] | None:
        """The positions of the columns; `None` if Arrow cannot stack them."""
        if not _HAS_ROWS or len(self.inputs) != 1 or not self.inputs[0].is_stacked:
            return None
        dtype = dtypes.by_name(self.inputs[0].spec.dtype)
        found = [self.schema.get_field_index(name) for name in self.inputs[0].columns]
        kinds = {self.schema.field(position).type for position in found}
        if -1 in found or len(kinds) != 1 or dtype.is_string or dtype.is_bfloat16:
            return None
        (kind,) = kinds
        is_number = pa.types.is_floating(kind) or pa.types.is_integer(kind)
        return found if is_number and dtypes.conversion(kind, dtype) else None

    @cached_property
    def _row_bytes(self) -> float:
        return BatchBytes.of(self.schema, self.inputs[0].columns).row

    def _converted(self, rows: Array) -> Array | None:
        """Return numbers in the type of the input; `None` if one of them does not fit."""
        dtype = dtypes.by_name(self.inputs[0].spec.dtype)
        if rows.dtype == np.dtype(dtype.numpy):
            return rows
        found = narrowed(rows, dtype)
        return None if misfits(rows, found).any() else found
