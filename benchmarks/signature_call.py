"""Loads the signature of a SavedModel as a function of NumPy arrays, for the peers.

All sides that run TensorFlow's Python use the same function, so that none of them has an advantage.
TensorFlow is imported when the model is opened, in the worker. Standard library only until then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any, TypeAlias

# Export dir, shape of one row, numbers per prediction → function of an array of rows.
Opener: TypeAlias = Callable[[str, tuple[int, ...], int], Callable[[Any], Any]]


def open_signature(export_dir: str, shape: tuple[int, ...], width: int) -> Callable[[Any], Any]:
    """Load a model and return its call.

    Args:
        export_dir: The SavedModel.
        shape: The model's input shape of one row.
        width: Numbers per prediction.

    Returns:
        A function of an array with one row per input row, flat or not; it returns a vector when the
        width is 1, otherwise a matrix.
    """
    import tensorflow as tf

    model = tf.saved_model.load(export_dir)
    call = model.signatures["serving_default"]

    def predict(inputs: Any) -> Any:
        outputs = call(inputs=tf.constant(inputs.reshape(-1, *shape)))["outputs"].numpy()
        return outputs.reshape(-1) if width == 1 else outputs

    predict.model = model  # owns the variables; the call does not
    return predict


def kept_signature(export_dir: str, shape: tuple[int, ...], width: int) -> Callable[[Any], Any]:
    """Return `open_signature` of a model, loaded once per process."""
    return kept(open_signature, export_dir, shape, width)


def kept(
    open_model: Opener, export_dir: str, shape: tuple[int, ...], width: int
) -> Callable[[Any], Any]:
    """Open a model once per process, and return its call.

    Concurrent loads crash TensorFlow, so threads wait for each other.
    """
    with _loading:
        return _kept(open_model, export_dir, shape, width)


@cache
def _kept(
    open_model: Opener, export_dir: str, shape: tuple[int, ...], width: int
) -> Callable[[Any], Any]:
    return open_model(export_dir, shape, width)


_loading = Lock()
