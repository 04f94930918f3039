"""Separates the good and the bad rows of scored batches by their reason. Executor.

A scored batch has the columns of the input, the outputs and the reason. Good rows keep the kept
columns and the outputs. Bad rows keep the columns of the input and the reason, and get the name of
their file. A batch without bad rows is not copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tfspark.rows import REASON_TYPE
from tfspark.schema import Binding
from tfspark.scoring.output.bad_rows import FILE, REASON
from tfspark.tensors.values import to_numpy


@dataclass
class SplitRows:
    """Splits a stream of scored batches.

    Attributes:
        inputs: The columns of the input.
        keep: The columns that a good row keeps beside the predictions.
        binding: The binding that was scored.
        file_of: Row of the stream → the file it was read from.
    """

    inputs: Sequence[str]
    keep: Sequence[str]
    binding: Binding
    file_of: Callable[[int], str | None]

    def pairs(
        self, scored: Iterator[pa.RecordBatch]
    ) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch | None]]:
        """Yield the good rows of each batch and its bad rows, `None` where there are none."""
        start, width = 0, len(self.inputs)
        chosen = [self.inputs.index(name) for name in self.keep]
        chosen += range(width, width + len(self.binding.outputs))
        for batch in scored:
            reasons = batch.column(batch.num_columns - 1)
            if reasons.null_count == batch.num_rows:
                yield batch.select(chosen), None
            else:
                bad = self._bad(batch.filter(reasons.is_valid()), reasons, start)
                yield batch.filter(reasons.is_null()).select(chosen), bad
            start += batch.num_rows

    def _bad(self, bad: pa.RecordBatch, reasons: pa.Array[Any], start: int) -> pa.RecordBatch:
        rows = np.flatnonzero(to_numpy(reasons.is_valid()))
        files = pa.array([self.file_of(start + int(row)) for row in rows], pa.string())
        columns = [*bad.columns[: len(self.inputs)], bad.column(bad.num_columns - 1), files]
        return pa.RecordBatch.from_arrays(columns, schema=bad_schema(bad.schema, self.inputs))


def bad_schema(schema: pa.Schema, inputs: Sequence[str]) -> pa.Schema:
    """Return the columns of bad rows: those of the input, the first in `schema`, and two more."""
    fields = [schema.field(at) for at in range(len(inputs))]
    return pa.schema([*fields, pa.field(REASON, REASON_TYPE), pa.field(FILE, pa.string())])
