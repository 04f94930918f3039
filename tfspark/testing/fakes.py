"""An engine that calls a NumPy function, to test the code around it without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tfspark.errors import EngineError
from tfspark.tensors import Tensor


@dataclass
class FakeEngine:
    """An engine around a plain function.

    Attributes:
        function: Takes input name → tensor, and returns output name → tensor.
        calls: The number of rows of each call so far.
        closed: Whether `close` was called.
    """

    function: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
    calls: list[int] = field(default_factory=list)
    closed: bool = False

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the function; a `ValueError` of it counts as the model's refusal."""
        rows = (tensor.shape[0] for tensor in inputs.values() if tensor.shape)
        self.calls.append(next(rows, 1))
        try:
            return self.function(inputs)
        except ValueError as error:
            raise EngineError(str(error)) from error

    def close(self) -> None:
        """Remember that the engine was released."""
        self.closed = True
