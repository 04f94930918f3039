"""Writes signatures as a SavedModel, with only the variables and tables that they use.

The signatures are concrete functions. The root of the SavedModel is a plain `tf.Module` with a list
of variables, so that every loader finds them. The checks are in other modules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from models.refusal import refusing

__all__ = ["save"]


def save(owners: Sequence[Any], functions: Mapping[str, Any], folder: Path) -> list[tf.Variable]:
    """Write a SavedModel with only the state that its signatures use.

    Args:
        owners: Objects that own the tables of the signatures, at any depth.
        functions: `{signature: concrete function}`.
        folder: The export dir; it does not exist.

    Returns:
        The variables of the signatures.

    Raises:
        ExportError: When TensorFlow cannot save a signature, for example because no owner has its
            table.
    """
    used = {id(v): v for function in functions.values() for v in function.graph.variables}
    holder = tf.Module()
    holder.state = list(used.values())
    holder.resources = list(_resources(owners))
    with refusing(
        "TensorFlow cannot save the model",
        hint="keep every variable and table that a signature uses as an attribute of the model",
    ):
        tf.saved_model.save(holder, str(folder), signatures=functions)
    return list(used.values())


def _resources(owners: Sequence[Any]) -> Iterator[Any]:
    """Find the tables (vocabularies, with their asset files) that a model owns at any depth.

    TensorFlow's own search stops at Keras layers, because Keras tracks their sublayers.
    """
    seen: set[int] = set()
    waiting = list(owners)
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, tf.saved_model.experimental.TrackableResource):
            yield item
        waiting.extend(tf.train.TrackableView.children(item).values())
        waiting.extend(item._layers if isinstance(item, keras.Layer) else ())
