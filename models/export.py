"""Exports any model as a SavedModel that every loader can run.

Input: a Keras model (Sequential, functional, subclassed) or a `tf.Module`. Output: the export dir
`<base>[/<name>]/<version>`, with the names of the model's inputs and output layers.

A Keras model that is saved directly tracks its variables under names that only Python resolves.
`saving` writes only the variables and tables that the signatures use; such a SavedModel loads
everywhere. It is written in a hidden folder beside the versions, loaded back by
`tf.saved_model.load` and by a session, compared with the live model, and only then renamed.

Invariants: a version appears completely or not at all; two concurrent exports get two numbers; the
model is not changed. Not part of this module: training, and remote file systems.
"""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from models.check import check_export, feeds_of, live_answers
from models.endpoints import endpoints_of
from models.folding import check_foldable, fold_checked
from models.refusal import ExportError
from models.saving import save
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
    fold: bool = False,
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
        inputs: the inputs of a Keras model without symbolic inputs (a subclassed one): a named
            `tf.TensorSpec`, or a list or dict of them; dimension 0 is the batch.
        sample: `{input: array}` to compare on, and to warm up with: it is written beside the
            model. Other inputs get simple values: 3 rows, unknown dimensions of 3, integers 0
            and 1, strings `a b`.
        fold: Write the variables as constants of the graph, which makes some models faster; see
            `models.folding`. The log says whether the answers on the sample are bit-equal with
            the answers of the unfolded model, or by how much they differ.

    Returns:
        The export dir, `<base>/<version>` or `<base>/<name>/<version>`.

    Raises:
        ExportError: when inputs or outputs cannot be named, the model fails on the sample, a
            loader fails or gives other answers, or a variable cannot be folded. No folder is left.
        OSError: when the folder cannot be written.
    """
    versions = _local(base) / name if name else _local(base)
    endpoints = endpoints_of(model, signatures, inputs)
    feeds = feeds_of(endpoints, sample or {})
    functions = {end.name: end.trace() for end in endpoints}
    if fold:
        check_foldable(functions)
    with _hidden_folder(versions) as hidden:
        folder = hidden / "model"
        variables = save([model, *(end.target for end in endpoints)], functions, folder)
        reference = live_answers(endpoints, feeds, variables)
        check_export(folder, reference, feeds)
        if fold:
            folder = fold_checked(folder, hidden / "folded", reference, feeds)
        pure = {name: feeds[name] for name, one in functions.items() if not changes_state(one)}
        write_requests(folder, versions.name, pure, reference)
        return _publish(folder, versions)


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
def _hidden_folder(versions: Path) -> Iterator[Path]:
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
