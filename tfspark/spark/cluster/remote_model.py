"""Copies a remote model to the driver, when only Spark can read its file system.

Takes the URI of an export dir or base path, copies the requested version and returns a local folder
for `package.load`. Driver of a classic session.

Invariants: the file system is opened with the configuration of the SparkContext, and outside
Hadoop's cache, which may contain another file system for the same URI; it is closed after use. The
export dir is listed before it is copied: links, names that lead out of it, too many entries or
levels, and more bytes than fit on the driver's disk are refused.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

from tfspark.errors import InvalidModelError, ModelNotFoundError, TfsparkError, explain
from tfspark.saved_model import graph_file
from tfspark.saved_model.export_dir import choose_version
from tfspark.saved_model.files import MOST_ENTRIES, is_too_long
from tfspark.spark.cluster.failures import cause
from tfspark.spark.cluster.files import HadoopFiles


def fetched(spark: SparkSession, model: str, version: int | None) -> Path | None:
    """Copy a remote model to the driver.

    Args:
        spark: A classic session.
        model: A path or URI of an export dir or base path.
        version: Version folder; by default the newest.

    Returns:
        The local base path or export dir; `None` when the model is on this machine.

    Raises:
        UsageError: When Spark has no file system for the URI.
        ModelNotFoundError: When there is no such model, or it cannot be read.
        InvalidModelError: When the folder has links, too many entries or too many bytes, or two
            version folders have the same number.
    """
    with HadoopFiles.outside_cache(spark, model) as files:
        try:
            if files.qualified(model).startswith("file:"):
                return None
            return _fetch(files, model.rstrip("/"), version)
        except (TfsparkError, OSError):
            raise
        except Exception as error:  # of the JVM
            raise ModelNotFoundError(
                explain(
                    f"The model at {model} cannot be read.",
                    found=cause(error),
                    hint="give Spark's user the right to read the folder and all files in it.",
                )
            ) from error


def driver_folder(purpose: str) -> Path:
    """Return a new folder for this user only; it is deleted when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"tfspark-{purpose}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _fetch(files: HadoopFiles, uri: str, version: int | None) -> Path:
    """Copy the wanted version and return the local base path."""
    names = files.children(uri)
    parent, name = uri.rsplit("/", 2)[-2:]
    # A version folder keeps the name of its model.
    local = driver_folder("model") / (Path(parent, name) if name.isdigit() else name)
    if not graph_file.NAMES.isdisjoint(names):
        _copy(files, uri, local)
        return local
    chosen = choose_version(files.folders(uri), version, uri)
    if chosen is None:
        raise ModelNotFoundError(
            explain(
                f"There is no SavedModel at {uri}.",
                expected=f"{graph_file.BINARY}, or version folders named 1, 2, …",
                found=", ".join(names) or "nothing",
                hint="give the export dir, or the base path above its version folders.",
            )
        )
    folder, _ = chosen
    _copy(files, f"{uri}/{folder}", local / folder)
    return local


def _copy(files: HadoopFiles, uri: str, target: Path) -> None:
    """Copy the files of an export dir, after listing and checking all of them."""
    listed: dict[str, int] = {}
    for count, entry in enumerate(files.entries_below(uri), 1):
        if count > MOST_ENTRIES:
            raise _refusal(uri, f"more than {MOST_ENTRIES} entries")
        if entry.is_link:
            raise _refusal(uri, f"{entry.name!r}, a link")
        if ".." in entry.name.split("/") or is_too_long(entry.name):
            raise _refusal(uri, f"{entry.name!r}, a name that no model has")
        if not entry.is_folder:
            listed[entry.name] = entry.size
    target.mkdir(parents=True)
    room = shutil.disk_usage(target).free
    if sum(listed.values()) > room:
        raise _refusal(uri, f"{sum(listed.values())} bytes, where the driver has room for {room}")
    for name in listed:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        files.copy_to_local(f"{uri}/{name}", target / name)


def _refusal(uri: str, found: str) -> InvalidModelError:
    return InvalidModelError(
        explain(
            f"The model at {uri} cannot be copied to the driver.",
            expected=f"regular files and folders, at most {MOST_ENTRIES} of them, without links",
            found=found,
            hint="give the export dir of a single model, or a copy of it without links.",
        )
    )
