"""One export for every model: a SavedModel that any loader can run, or none at all.

In: a Keras model (Sequential, functional, subclassed) or a `tf.Module`. Out: the export dir
`<base>[/<name>]/<version>`, with the names of the model's inputs and output layers.

A Keras model saved as it is tracks its variables under names that only Python resolves. Here a
bare `tf.Module` holds the variables and tables that the signatures use, and nothing else, which
loads everywhere. The SavedModel is written in a hidden folder beside the versions, loaded back by
`tf.saved_model.load` and by a session, compared with the live model, and only then renamed.

Invariants: a version appears whole or not at all; two exports at once get two numbers; the model
is left as it was. Not here: training, and remote file systems.
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

    An input is called by its key in a dict, else by its `keras.Input` or argument. An output is
    called by its key in a dict, else by its Keras output layer, else `output_0`, `output_1`, …

    Args:
        model: a Keras model, or a `tf.Module` with methods under `tf.function`; it owns the tables
            that the signatures look up.
        base: folder that holds the versions, or the models when `name` is given; made if missing.
        name: folder of this model under `base`.
        signatures: `{signature name: Keras model or tf.function with an input signature}`. Left
            out: `serving_default` is the Keras model itself, or the `__call__` of the `tf.Module`.
        inputs: what a Keras model without symbolic inputs (a subclassed one) is called with: a
            named `tf.TensorSpec`, or a list or dict of them; dimension 0 is the batch.
        sample: `{input: array}` to compare on, and to warm up with: it is written beside the
            model. Inputs left out get made-up values: 3 rows, unknown dimensions of 3, integers 0
            and 1, strings `a b`.

    Returns:
        The export dir, `<base>/<version>` or `<base>/<name>/<version>`.

    Raises:
        ExportError: when inputs or outputs cannot be named, the model fails on the sample, or a
            loader fails or disagrees. Nothing is left behind.
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
    """Write the signatures and exactly the state they use; return their variables."""
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
    """Find the tables (vocabularies, and with them their asset files) owned at any depth.

    TensorFlow's own walk stops at Keras layers, whose sublayers Keras tracks by itself.
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
    """Give a hidden folder on the same file system; whatever is still there goes at the end."""
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
    """Rename to the next number; another export may take that number first, so try again."""
    try:
        return folder.rename(versions / str(_next_version(versions)))
    except OSError as exc:
        if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    return _publish(folder, versions)


def _next_version(versions: Path) -> int:
    names = (entry.name for entry in versions.iterdir())
    return 1 + max((int(name) for name in names if name.isascii() and name.isdigit()), default=0)
