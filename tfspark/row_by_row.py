"""Runs a signature without a batch dimension once for each row. Executor.

All inputs of such a signature are scalars. The result for each row is TensorFlow's result for that
row; the order of rows is kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from tfspark.engine import Engine
from tfspark.engine.protocol import MachineError
from tfspark.errors import EngineError
from tfspark.tensors import ByteStrings, Tensor, slice_rows


class ShapesDifferError(EngineError):
    """Rows whose outputs cannot be stacked; the caller scores them in smaller groups."""


def run_by_rows(engine: Engine, inputs: Mapping[str, Tensor], rows: int) -> dict[str, Tensor]:
    """Run a model once for each row and stack its outputs.

    Args:
        engine: The live model.
        inputs: Tensors of shape (rows,); a tensor of shape () is used for every row.
        rows: Number of rows, at least 1.

    Returns:
        Each output with a first dimension for the rows.

    Raises:
        EngineError: When the model fails.
        ShapesDifferError: When the shapes of an output differ from row to row.
    """
    return _joined([_run_row(engine, inputs, index) for index in range(rows)])


def run_good_rows(
    engine: Engine, inputs: Mapping[str, Tensor], rows: int
) -> tuple[dict[str, Tensor] | None, dict[int, EngineError]]:
    """Run a model once for each row, and go on after a row that it refuses.

    Args:
        engine: The live model.
        inputs: Tensors of shape (rows,); a tensor of shape () is used for every row.
        rows: Number of rows, at least 1.

    Returns:
        First the outputs, as from `run_by_rows`; the values of refused rows have no meaning, and if
        every row is refused, this is `None`. Then row → the error of the model.

    Raises:
        MachineError: When no row is the reason, such as too little memory.
        ShapesDifferError: When the shapes of an output differ from row to row.
    """
    results: dict[int, dict[str, Tensor]] = {}
    refused: dict[int, EngineError] = {}
    for index in range(rows):
        try:
            results[index] = _run_row(engine, inputs, index)
        except MachineError:
            raise
        except EngineError as error:
            refused[index] = error
    if not results:
        return None, refused
    stand_in = next(iter(results.values()))
    return _joined([results.get(index, stand_in) for index in range(rows)]), refused


def _run_row(engine: Engine, inputs: Mapping[str, Tensor], index: int) -> dict[str, Tensor]:
    return engine.run({name: _row(tensor, index) for name, tensor in inputs.items()})


def _joined(results: list[dict[str, Tensor]]) -> dict[str, Tensor]:
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
