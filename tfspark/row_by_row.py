"""Runs a signature that has no dimension for rows: once for each row. Executor.

All inputs of such a signature are scalars. It gives what TensorFlow gives for each row alone, in
the order of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from tfspark.engine import Engine
from tfspark.errors import EngineError
from tfspark.tensors import ByteStrings, Tensor, slice_rows


class ShapesDifferError(EngineError):
    """Rows whose outputs cannot be stacked: they are scored in smaller groups."""


def run_by_rows(engine: Engine, inputs: Mapping[str, Tensor], rows: int) -> dict[str, Tensor]:
    """Run a model once for each row and stack its outputs.

    Args:
        engine: The live model.
        inputs: (rows,) each; a tensor without dimensions is the same for every row.
        rows: Their number, at least 1.

    Returns:
        Each output with one more dimension in front: the rows.

    Raises:
        EngineError: When the model fails.
        ShapesDifferError: When an output has another shape in another row.
    """
    results = [
        engine.run({name: _row(tensor, index) for name, tensor in inputs.items()})
        for index in range(rows)
    ]
    return {name: _stacked(name, [one[name] for one in results]) for name in results[0]}


def _row(tensor: Tensor, index: int) -> Tensor:
    if not tensor.shape:
        return tensor
    row = slice_rows(tensor, index, index + 1)
    if isinstance(row, ByteStrings):
        return ByteStrings(row.values, row.shape[1:])
    return row.reshape(row.shape[1:])


def _stacked(name: str, values: list[Tensor]) -> Tensor:
    shapes = {value.shape for value in values}
    if len(shapes) > 1:
        raise ShapesDifferError(f"output {name!r} has another shape in another row")
    shape = (len(values), *values[0].shape)
    strings = [value.values for value in values if isinstance(value, ByteStrings)]
    if strings:
        return ByteStrings(pa.concat_arrays(strings), shape)
    return np.stack([np.asarray(value) for value in values])
