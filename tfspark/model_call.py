"""Calls a model with a group of rows and returns the fetched outputs. Executor.

Pads the rows to a fixed batch dimension and removes the padding from the outputs. Checks the
outputs against the signature: an output that does not match it is an error of the engine, never of
a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from tfspark.dtypes import by_name
from tfspark.engine import Engine
from tfspark.errors import EngineError, explain
from tfspark.fetching import OutputBinding
from tfspark.row_by_row import run_by_rows
from tfspark.schema import Binding
from tfspark.signature import fits, format_shape
from tfspark.tensors import ByteStrings, Group, Tensor, pad_rows, slice_rows

# Spark accepts only Arrow lists and strings with 32-bit offsets.
MAX_ELEMENTS = 2**31 - 1


@dataclass(frozen=True)
class ModelCall:
    """Calls a live model with groups of rows."""

    binding: Binding
    engine: Engine

    def run(self, group: Group) -> Mapping[str, Tensor]:
        """Call the model on one group, padded when its batch dimension is fixed.

        Raises:
            EngineError: When the model fails.
        """
        if self.binding.row_by_row:
            return run_by_rows(self.engine, group.inputs, len(group.rows))
        fed = self._fed_rows(group)
        if fed == len(group.rows):
            return self.engine.run(group.inputs)
        padded = {name: pad_rows(tensor, fed) for name, tensor in group.inputs.items()}
        return self.engine.run(padded)

    def fetched(self, group: Group, results: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the outputs of a group, without the rows that only padded it.

        Raises:
            EngineError: When an output is not what the signature says.
        """
        tensors = []
        for output in self.binding.outputs:
            tensor = results.get(output.spec.name)
            problem = _misfit(tensor, output, self._fed_rows(group))
            if tensor is None or problem:
                raise EngineError(problem)
            if tensor.shape[0] != len(group.rows):
                tensor = slice_rows(tensor, 0, len(group.rows))
            tensors.append(tensor)
        return tensors

    def _fed_rows(self, group: Group) -> int:
        return self.binding.batch_dimension or len(group.rows)


def _misfit(tensor: Tensor | None, output: OutputBinding, rows: int) -> str | None:
    """Say why an output is not what the signature says; `None` when it is."""
    spec = output.spec
    if tensor is None:
        return f"the engine gave no output {spec.name!r}"
    elements = prod(tensor.shape)
    # Beside its bytes, each element of a large_binary has an offset of 8 bytes.
    text = tensor.values.nbytes - 8 * elements if isinstance(tensor, ByteStrings) else 0
    for size, unit in ((elements, "elements"), (text, "bytes of text")):
        if size > MAX_ELEMENTS:
            return explain(
                f"output {spec.name!r} is too large.",
                expected=f"at most {MAX_ELEMENTS} {unit} in a batch",
                found=f"{size} {unit}",
                hint="give a smaller batch_size (--batch-size).",
            )
    found = "string" if isinstance(tensor, ByteStrings) else tensor.dtype.name
    wanted = (rows, *(spec.row_shape or ()))
    # The tensor of a bfloat16 has the name of its NumPy type.
    if found in (spec.dtype, by_name(spec.dtype).numpy) and fits(tensor.shape, wanted):
        return None
    return explain(
        f"output {spec.name!r} is not what its signature says.",
        expected=f"{spec.dtype} {format_shape(wanted)}",
        found=f"{found} {format_shape(tensor.shape)}",
        hint="fetch other outputs only, or export a function that keeps the batch dimension.",
    )
