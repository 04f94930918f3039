"""Exports any model as a SavedModel that every loader can run.

Input: a Keras model (Sequential, functional, subclassed) or a `tf.Module`. Output: the export dir
`<base>[/<name>]/<version>`, with the names of the model's inputs and output layers.

A Keras model that is saved directly tracks its variables under names that only Python resolves.
Here a plain `tf.Module` holds only the variables and tables that the signatures use; it loads
everywhere. The SavedModel is written in a hidden folder beside the versions, loaded back by
`tf.saved_model.load` and by a session, compared with the live model, and only then renamed.

Invariants: a version appears completely or not at all; two concurrent exports get two numbers; the
model is not changed. Not part of this module: training, and remote file systems.
"""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from models.check import check_export, feeds_of, live_answers
from models.endpoints import endpoints_of
from models.refusal import ExportError, refusing
from models.warmup import changes_state, write_requests
from tfspark.errors import explain

__all__ = ["export"]


def export(
    model: Any,
    base: str | os.PathLike[str],
    *,
    name: str | None = None,
    signatures: Mapping[str, Any] | None = None,
    inputs: Any = None,
    sample: Mapping[str, Any] | None = None,
) -> Path:
    """Write `model` as the next version under a base path, checked by two loaders.

    The name of an input is its key in a dict, otherwise that of its `keras.Input` or argument. The
    name of an output is its key in a dict, otherwise that of its Keras output layer, otherwise
    `output_0`, `output_1`, …

    Args:
        model: a Keras model, or a `tf.Module` with methods under `tf.function`; it owns the tables
            that the signatures look up.
        base: folder that holds the versions, or the models when `name` is given; created if
            missing.
        name: folder of this model under `base`.
        signatures: `{signature name: Keras model or tf.function with an input signature}`. By
            default, `serving_default` is the Keras model itself, or the `__call__` of the
            `tf.Module`.
        inputs: what a Keras model without symbolic inputs (a subclassed one) is called with: a
            named `tf.TensorSpec`, or a list or dict of them; dimension 0 is the batch.
        sample: `{input: array}` to compare on, and to warm up with: it is written beside the
            model. Other inputs get simple values: 3 rows, unknown dimensions of 3, integers 0
            and 1, strings `a b`.

    Returns:
        The export dir, `<base>/<version>` or `<base>/<name>/<version>`.

    Raises:
        ExportError: when inputs or outputs cannot be named, the model fails on the sample, or a
            loader fails or gives other answers. No folder is left.
        OSError: when the folder cannot be written.
    """
    versions = _local(base) / name if name else _local(base)
    endpoints = endpoints_of(model, signatures, inputs)
    feeds = feeds_of(endpoints, sample or {})
    with _aside(versions) as folder:
        functions = {end.name: end.trace() for end in endpoints}
        variables = _save([model, *(end.target for end in endpoints)], functions, folder)
        reference = live_answers(endpoints, feeds, variables)
        check_export(folder, reference, feeds)
        pure = {name: feeds[name] for name, one in functions.items() if not changes_state(one)}
        write_requests(folder, versions.name, pure, reference)
        return _publish(folder, versions)


def _save(owners: Sequence[Any], functions: Mapping[str, Any], folder: Path) -> list[tf.Variable]:
    """Write the signatures and only the state that they use; return their variables."""
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


def _local(base: str | os.PathLike[str]) -> Path:
    if "://" in os.fspath(base):
        raise ExportError(
            explain(
                "A model is exported to a local folder",
                expected="a path",
                found=os.fspath(base),
                hint="export locally, then copy the version folder there",
            )
        )
    return Path(base)


@contextmanager
def _aside(versions: Path) -> Iterator[Path]:
    """Yield a hidden folder on the same file system, and remove it at the end."""
    made = [folder for folder in (versions, *versions.parents) if not folder.exists()]
    versions.mkdir(parents=True, exist_ok=True)
    hidden = versions / f".export-{uuid.uuid4().hex}"
    try:
        yield hidden
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        for folder in made:
            with suppress(OSError):  # not empty: a version was published
                folder.rmdir()


def _publish(folder: Path, versions: Path) -> Path:
    """Rename to the next number; try again if another export took that number first."""
    try:
        return folder.rename(versions / str(_next_version(versions)))
    except OSError as exc:
        if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    return _publish(folder, versions)


def _next_version(versions: Path) -> int:
    names = (entry.name for entry in versions.iterdir())
    return 1 + max((int(name) for name in names if name.isascii() and name.isdigit()), default=0)
