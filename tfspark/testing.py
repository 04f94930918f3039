"""Fakes and tiny hand-weighted models, for tfspark's own tests and for those of its users.

`FakeEngine` runs a NumPy function where an engine is wanted, so that code around the runner is
tested without TensorFlow. `save_function` writes a real SavedModel around a TensorFlow function
and `save_linear` one whose answers are exact. Test code only; the two writers import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfspark.errors import EngineError
from tfspark.tensors import Tensor


@dataclass
class FakeEngine:
    """An engine around a plain function.

    Attributes:
        function: Input name → tensor, in; output name → tensor, out.
        calls: Rows of each call so far.
        closed: Whether `close` was called.
    """

    function: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
    calls: list[int] = field(default_factory=list)
    closed: bool = False

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the function; a `ValueError` of it counts as the model's refusal."""
        self.calls.append(next(iter(inputs.values())).shape[0])
        try:
            return self.function(inputs)
        except ValueError as error:
            raise EngineError(str(error)) from error

    def close(self) -> None:
        """Remember that the engine was released."""
        self.closed = True


def save_function(
    path: str | Path, function: Callable[..., Any], *specs: Any, **signatures: Any
) -> Path:
    """Write a SavedModel whose `serving_default` is a TensorFlow function.

    Args:
        path: Export dir, such as `<base>/1`.
        function: Takes one tensor per spec and returns a dict of tensors.
        specs: `tf.TensorSpec`s with names; dimension 0 is the batch.
        signatures: Further signatures: name → `tf.function` with an input signature.

    Returns:
        The export dir.
    """
    import tensorflow as tf

    module = tf.Module()
    module.serve = tf.function(function, input_signature=specs, autograph=False)
    for name, other in signatures.items():
        setattr(module, name, other)
    tf.saved_model.save(
        module, str(path), signatures={"serving_default": module.serve, **signatures}
    )
    return Path(path)


def save_linear(path: str | Path) -> Path:
    """Write the SavedModel of `2·x0 − x1 + 3`, with weights in variables.

    Input `inputs` (None, 2) float32, output `outputs` (None, 1) float32, exact for small integers.
    """
    import tensorflow as tf

    module = tf.Module()
    module.weights = tf.Variable([[2.0], [-1.0]])
    module.bias = tf.Variable([3.0])
    spec = tf.TensorSpec((None, 2), tf.float32, name="inputs")
    module.serve = tf.function(
        lambda inputs: {"outputs": inputs @ module.weights + module.bias},
        input_signature=[spec],
        autograph=False,
    )
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})
    return Path(path)
