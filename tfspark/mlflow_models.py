"""Copies models of MLflow to the driver: `models:/name@alias`, `models:/name/3`, `runs:/…`. Driver.

An alias is resolved once, to a version. The artifacts are copied to a folder of this process. If
they contain a Keras model instead of a SavedModel, another process with Keras exports it, because
the driver does not import TensorFlow. mlflow is imported on the first use. A look-up ends within
three minutes, even if the server does not answer; a download has the limits of mlflow.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeGuard

from tfspark.errors import (
    InvalidModelError,
    ModelNotFoundError,
    TimeLimitError,
    UsageError,
    explain,
    listing,
)
from tfspark.saved_model import graph_file
from tfspark.saved_model.other_formats import flavors_of

_URI = re.compile(r"(?:models|runs):/+(?P<rest>.*)", re.IGNORECASE)
_MODEL = re.compile(r"(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")
# The identifier of a logged model of MLflow 3, which has no version.
_LOGGED = re.compile(r"m-[0-9a-f]+")
_KERAS = ("*.keras", "*.h5")
_EXPORT = "import keras; keras.saving.load_model({0!r}).export({1!r})"
# Importing TensorFlow and exporting a model of some GB takes minutes on a slow disk.
_EXPORT_SECONDS = 1800
# With MLflow's own limits, a caller waits 4 minutes for a server that is down, and 20 minutes for a
# server that accepts connections but does not answer. These retries last a minute, because a server
# that limits the rate of requests may refuse them for that long.
_LIMITS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


@dataclass(frozen=True)
class MlflowModel:
    """A model of MLflow on this machine.

    Attributes:
        uri: Its URI, such as `models:/price/3`; an alias is replaced by its version.
        name: Its name in reports.
        version: Its version in the registry; `None` for an artifact of a run.
        folder: The export dir.
    """

    uri: str
    name: str
    version: int | None
    folder: Path


def is_mlflow_uri(model: object) -> TypeGuard[str]:
    """Whether a model is given by a URI of MLflow, and MLflow is installed."""
    return isinstance(model, str) and bool(_URI.match(model)) and find_spec("mlflow") is not None


@contextmanager
def limited_requests() -> Iterator[None]:
    """Make requests to MLflow fail within three minutes if the server does not answer.

    MLflow reads its limits from environment variables at each request. Limits that the user has set
    are kept.
    """
    added = {name: value for name, value in _LIMITS.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def download(uri: str, version: int | None = None, *, is_pinned: bool = False) -> MlflowModel:
    """Copy a model of MLflow to this machine.

    Args:
        uri: `models:/name@alias`, `models:/name/3` or `runs:/run/path`.
        version: The version in the options; must be `None`, because the URI selects the version.
        is_pinned: Whether the caller gives a digest. Keras then loads nothing, because a pin has to
            refuse another model before it is loaded.

    Raises:
        UsageError: When the options name a version too.
        ModelNotFoundError: When MLflow does not answer, or has no such model, version, alias or
            run.
        InvalidModelError: When the artifacts have several SavedModels, or neither a SavedModel nor
            a Keras model; or when a Keras model cannot be exported, or is pinned.
        TimeLimitError: When the export of a Keras model takes too long.
    """
    if version is not None:
        raise UsageError(
            explain(
                f"The URI {uri} already selects a version.",
                found=f"version {version}",
                hint="leave out the option version (--version), or write models:/name/version.",
            )
        )
    mlflow: Any = import_module("mlflow")
    exceptions: Any = import_module("mlflow.exceptions")
    try:
        with limited_requests():
            found = _resolved(mlflow.MlflowClient(), uri)
        folder = _temporary()
        mlflow.artifacts.download_artifacts(artifact_uri=found.uri, dst_path=str(folder))
    except (exceptions.MlflowException, OSError) as error:
        raise ModelNotFoundError(
            explain(
                f"MLflow cannot find or read {uri}.",
                found=str(error),
                hint="check the name and the alias or version, and MLFLOW_TRACKING_URI.",
            )
        ) from error
    return replace(found, folder=_export_dir(uri, folder, is_pinned=is_pinned))


def _resolved(client: Any, uri: str) -> MlflowModel:
    """Return the model with the version that its alias has now."""
    match = _URI.match(uri)
    rest = match["rest"] if match else ""
    is_run = uri.lower().startswith("runs:")
    if is_run or _LOGGED.fullmatch(rest):
        # Ask here, because the download waits longer for a server. MLflow 2 has no logged models.
        ask = client.get_run if is_run else getattr(client, "get_logged_model", str)
        ask(rest.partition("/")[0])
        return MlflowModel(uri, rest.rstrip("/").rpartition("/")[2], None, Path())
    parts = _MODEL.fullmatch(rest)
    if parts is None:
        raise ModelNotFoundError(
            explain(
                f"{uri} does not name a version.",
                expected="models:/name@alias or models:/name/3",
                hint="give the model an alias in the registry, or write its version.",
            )
        )
    name, alias = parts["name"], parts["alias"]
    if alias is not None:
        registered = client.get_model_version_by_alias(name, alias)
    else:
        registered = client.get_model_version(name, parts["version"])
    number = int(registered.version)
    return MlflowModel(f"models:/{name}/{number}", name, number, Path())


def _temporary() -> Path:
    """Return a new folder for this user only; it is deleted when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="tfspark-mlflow-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _export_dir(uri: str, folder: Path, *, is_pinned: bool) -> Path:
    """Return the only export dir among the artifacts; export a Keras model if there is none."""
    found = sorted({file.parent for name in graph_file.NAMES for file in folder.rglob(name)})
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidModelError(
            explain(
                f"{uri} has several SavedModels.",
                found=listing(str(one.relative_to(folder)) for one in found),
                hint="name one of them: runs:/RUN/PATH.",
            )
        )
    models = sorted(file for pattern in _KERAS for file in folder.rglob(pattern))
    if len(models) != 1:
        raise InvalidModelError(
            explain(
                f"{uri} has no SavedModel.",
                expected=f"a folder with {graph_file.BINARY}, or one Keras model",
                found=_contents(folder),
                hint="log the folder that model.export(…) or tf.saved_model.save(…) writes.",
            )
        )
    if is_pinned:
        raise InvalidModelError(
            explain(
                f"{uri} is a Keras model, so its digest cannot be checked before Keras loads it.",
                expected="a SavedModel, because sha256 (--model-sha256) is given",
                found=models[0].name,
                hint="export it, log the SavedModel, and pin that one: "
                + _EXPORT.format(models[0].name, "/path/to/model/1"),
            )
        )
    return _exported(uri, models[0])


def _contents(folder: Path) -> str:
    """Describe artifacts without a SavedModel."""
    files = listing(file.name for file in sorted(folder.rglob("*")) if file.is_file())
    flavors = [flavor for file in folder.rglob("MLmodel") for flavor in flavors_of(file)]
    return f"a model of the flavor {listing(flavors)} with the files {files}" if flavors else files


def _exported(uri: str, model: Path) -> Path:
    """Export a Keras model in another process."""
    model = model.absolute()
    target = model.parent / "exported"
    command = [sys.executable, "-c", _EXPORT.format(str(model), str(target))]
    by_hand = _EXPORT.format(model.name, "/path/to/model/1")
    try:
        # Python imports modules from the current folder, which could have a keras.py of others.
        with tempfile.TemporaryDirectory() as empty:
            done = subprocess.run(
                command,
                cwd=empty,
                capture_output=True,
                text=True,
                check=False,
                timeout=_EXPORT_SECONDS,
            )
    except subprocess.TimeoutExpired as error:
        raise TimeLimitError(
            explain(
                f"{uri} is a Keras model, and Keras did not finish exporting it.",
                expected=f"an export within {_EXPORT_SECONDS} s",
                hint=f"export it, and log the SavedModel: {by_hand}",
            )
        ) from error
    if done.returncode:
        raise InvalidModelError(
            explain(
                f"{uri} is a Keras model, and this Python cannot export it as a SavedModel.",
                found=(done.stderr.strip().splitlines() or ["no message"])[-1],
                hint="install tensorflow and keras on the driver; or export it where they are: "
                + by_hand,
            )
        )
    return target
