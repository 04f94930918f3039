"""Writes tiny SavedModels: of any TensorFlow function, and of a linear model with exact answers.

The functions import TensorFlow when they are called.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


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
