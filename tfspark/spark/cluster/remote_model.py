"""Copies a remote model to the driver, when only Spark can read its file system.

Takes the URI of an export dir or base path, copies the requested version and returns a local folder
for `package.load`. Driver of a classic session.

A model that was copied before is copied again only if a file has another size or time.

Invariants: the file system is opened with the configuration of the SparkContext, and outside
Hadoop's cache, which may contain another file system for the same URI; it is closed after use. The
export dir is listed before it is copied: links, names that lead out of it, too many entries or
levels, and more bytes than fit on the driver's disk are refused.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import SparkSession

from tfspark.errors import InvalidModelError, ModelNotFoundError, TfsparkError, explain
from tfspark.saved_model import graph_file
from tfspark.saved_model.export_dir import choose_version
from tfspark.saved_model.files import MOST_ENTRIES, is_too_long
from tfspark.spark.cluster.failures import cause
from tfspark.spark.cluster.files import Entry, HadoopFiles

# URI and files of an export dir → its copy. A copy stays until the process ends, because packages
# refer to it.
_copies: dict[tuple[str, tuple[Entry, ...]], Path] = {}


def copy_to_driver(spark: SparkSession, model: str, version: int | None) -> Path | None:
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
    """Copy the wanted version and return the local base path or export dir."""
    names = files.children(uri)
    parent, name = uri.rsplit("/", 2)[-2:]
    if not graph_file.NAMES.isdisjoint(names):
        # A version folder keeps the name of its model.
        return _copied(files, uri, Path(parent, name) if name.isdigit() else Path(name))
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
    return _copied(files, f"{uri}/{folder}", Path(name, folder)).parent


def _copied(files: HadoopFiles, uri: str, place: Path) -> Path:
    """Return the driver's copy of an export dir, at this place in a folder of its own."""
    listed = _listed(files, uri)
    state = (uri, tuple(listed))
    known = _copies.get(state)
    if known is not None and _is_whole(known, listed):
        return known
    target = driver_folder("model") / place
    target.mkdir(parents=True)
    size, room = sum(entry.size for entry in listed), shutil.disk_usage(target).free
    if size > room:
        raise _refusal(uri, f"{size} bytes, where the driver has room for {room}")
    for entry in listed:
        (target / entry.name).parent.mkdir(parents=True, exist_ok=True)
        files.copy_to_local(f"{uri}/{entry.name}", target / entry.name)
    if all(entry.changed for entry in listed):
        _copies[state] = target
    return target


def _listed(files: HadoopFiles, uri: str) -> list[Entry]:
    """Return the files of an export dir, sorted by name, after checking all entries."""
    listed = []
    for count, entry in enumerate(files.entries_below(uri), 1):
        if count > MOST_ENTRIES:
            raise _refusal(uri, f"more than {MOST_ENTRIES} entries")
        if entry.is_link:
            raise _refusal(uri, f"{entry.name!r}, a link")
        if ".." in entry.name.split("/") or is_too_long(entry.name):
            raise _refusal(uri, f"{entry.name!r}, a name that no model has")
        if not entry.is_folder:
            listed.append(entry)
    return sorted(listed, key=lambda entry: entry.name)


def _is_whole(folder: Path, listed: Sequence[Entry]) -> bool:
    """Whether no file of a copy is missing; cleaners remove old files of the temporary folder."""
    paths = [(folder / entry.name, entry.size) for entry in listed]
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def _refusal(uri: str, found: str) -> InvalidModelError:
    return InvalidModelError(
        explain(
            f"The model at {uri} cannot be copied to the driver.",
            expected=f"regular files and folders, at most {MOST_ENTRIES} of them, without links",
            found=found,
            hint="give the export dir of a single model, or a copy of it without links.",
        )
    )
