"""Rules for the folder of an output: not the input, same columns, no mount point. Driver."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tfspark.errors import (
    InputNotFoundError,
    InvalidInputError,
    OutputBusyError,
    UsageError,
    explain,
)
from tfspark.file_systems import is_hidden
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output.column_types import stored
from tfspark.scoring.output.journal import PARTITIONS, Mode
from tfspark.scoring.output.local_store import LocalStore
from tfspark.scoring.output.mounts import is_fuse, type_at
from tfspark.scoring.output.partitions import partitions_in, refuse_other_partitions
from tfspark.scoring.output.protocol import check_same_columns
from tfspark.scoring.output.store import Store
from tfspark.scoring.output.stores import resolve_links
from tfspark.spark.cluster.files import HadoopFiles, local_path
from tfspark.spark.cluster.reading import escaped_glob, read_path
from tfspark.spark.cluster.sources import Source

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)

# Errors of files that disappear while they are read.
UNREADABLE = (InvalidInputError, InputNotFoundError)
# Formats whose files name their columns.
_SELF_DESCRIBING = ("parquet", "orc", "avro")


def refuse_own_input(spark: SparkSession, folder: str, inputs: Collection[str], mode: Mode) -> None:
    """Refuse a folder that the job reads, that contains its input, or that is inside its input.

    Mode `error` never changes existing files.

    Raises:
        UsageError: The message names the first such input.
    """
    if mode == "error":
        return
    written = _canonical(spark, folder)
    for path in inputs:
        read = _canonical(spark, path)
        if _is_inside(read, written) or _is_inside(written, read):
            raise UsageError(would_change(folder, path, mode))


def _canonical(spark: SparkSession, path: str) -> str:
    """Return the path behind its links; two names of one file system become equal."""
    files = HadoopFiles(spark, path)
    where = files.qualified(path)
    return (resolve_links(where) if local_path(where) else files.canonical(where)).rstrip("/")


def _is_inside(path: str, folder: str) -> bool:
    """Whether a path is a folder or is inside it; a local folder may be mounted at two places."""
    if f"{path}/".startswith(f"{folder}/"):
        return True
    here, there = local_path(path), local_path(folder)
    if here is None or there is None or not os.path.exists(there):  # noqa: PTH110
        return False  # unlike `Path.exists`, it does not fail in a closed folder
    above = filter(os.path.exists, (here, *here.parents))
    return any(one.samefile(there) for one in above)


def refuse_own_files(folder: str, sources: Collection[Source], mode: Mode) -> None:
    """Refuse a folder with files that the job reads, such as those behind a view or a glob.

    Raises:
        UsageError: The message names the folder of such a file.
    """
    if own := _own_folders(folder, sources):
        raise UsageError(would_change(folder, f"files in {min(own)}", mode))


def refuse_stale(folder: str, planned: Collection[Source], now: Collection[Source]) -> None:
    """Refuse a query that reads its target, and whose plan lists other files of it than now.

    Raises:
        OutputBusyError: Other jobs published rows after Spark had planned the query.
    """
    if own_files(folder, planned) != own_files(folder, now):
        raise OutputBusyError(
            explain(
                f"The files in {folder} have changed since the query that reads them was planned.",
                expected="no other job that publishes while this one starts",
                hint="run the same command again.",
            )
        )


def own_files(folder: str, sources: Collection[Source]) -> set[str]:
    """Return the URIs of the files that lie in a folder, behind its links."""
    own = _own_folders(folder, sources)
    return {uri for source in sources for uri in source.uris if _folder_of(uri) in own}


def _own_folders(folder: str, sources: Collection[Source]) -> set[str]:
    """Return the folders of the files that lie in a folder, behind its links."""
    written = resolve_links(folder)
    read = {_folder_of(uri) for source in sources for uri in source.uris}
    return {one for one in read if _is_inside(resolve_links(one), written)}


def _folder_of(uri: str) -> str:
    return unquote(uri).rpartition("/")[0]


def would_change(target: str, read: str, mode: Mode) -> str:
    """Return the message about an output that overlaps with the input."""
    change = "Appending to" if mode == "append" else "Overwriting"
    return explain(
        f"{change} {target} would change {read}, which the job reads.",
        expected="an output outside of the input, and an input outside of the output",
        hint="write to another place.",
    )


def refuse_other_columns(
    spark: SparkSession, folder: str, target: Dataset, columns: Mapping[str, str], hint: str
) -> None:
    """Refuse to append rows with other columns or partitions than the files of a folder.

    Raises:
        BindingError: When they differ; the message has both lists of columns, and the hint.
    """
    files = HadoopFiles(spark, folder)
    if all(map(is_hidden, files.children(folder))):
        return
    partitions = partitions_in(files, folder)
    refuse_other_partitions(target, partitions)
    header = target.option("header", "true").lower()
    named = target.format == "csv" and header == "true"
    if target.format in _SELF_DESCRIBING or named:
        literal = escaped_glob(folder)  # Spark takes the path as a glob
        there = read_path(spark, literal, target.format, target.writer_options)
        # Spark guesses the type of a partition column from the names of folders.
        written = {name: stored(kind, target.format) for name, kind in columns.items()}
        types = {**dict(there.dtypes), **{name: written.get(name, "") for name in partitions}}
        check_same_columns(target, types if not named else list(types), written, hint)


def refuse_mount(store: Store, folder: str) -> None:
    """Refuse a mount point: no file can be renamed into it from the hidden folder beside it.

    Raises:
        UsageError: A disk or volume is mounted at the folder, as in a container.
    """
    if isinstance(store, LocalStore) and store.is_mount(folder):
        raise UsageError(
            explain(
                f"A disk or volume is mounted at {folder}, so no file can be moved into it.",
                expected="a folder on the same disk as the folder above it",
                hint=f"write to a folder in it, such as {folder}/scores.",
            )
        )


def refuse_unusable(store: Store, folder: str, work: str, mode: Mode) -> None:
    """Refuse an output that the job cannot change; called before any row is scored.

    Args:
        store: The file system.
        folder: The output; it may not exist.
        work: The folder of the run.
        mode: Overwrite renames the output; otherwise files are moved into it.

    Raises:
        UsageError: For example, the folder is in a lower layer of an overlay, or another user's.
    """
    if not store.exists(folder):
        return
    if mode != "overwrite":
        refuse_closed(store, folder, work, mode, ["file"])
    elif _can_ask(store, folder) and (reason := store.reason_to_stay(folder, _full(store, work))):
        raise UsageError(
            explain(
                f"The folder {folder} cannot be replaced, because it cannot be renamed.",
                expected="a folder that this user can rename",
                found=reason,
                hint="delete the folder yourself and run the job again, or write to another place.",
            )
        )


def refuse_closed(store: Store, root: str, work: str, mode: Mode, names: Collection[str]) -> None:
    """Refuse folders of an existing output that cannot get their files; before the decision.

    After the decision, no job could go on until a person has changed the folder.

    Args:
        store: The file system.
        root: The output.
        work: The folder of the run.
        mode: Append moves files into folders; otherwise the folders of partitions are replaced.
        names: The new files, relative to the output.

    Raises:
        UsageError: For example, a folder belongs to another user, or is a link to another disk.
    """
    if not _can_ask(store, root):
        return
    folders = {name.rpartition("/")[0] for name in names}
    replaced = {one for one in folders if one and store.exists(f"{root}/{one}")}
    replaced = replaced if mode == PARTITIONS else set()
    above = {_existing(store, root, one) for one in folders - replaced}
    full = _full(store, work) if replaced else ""
    reasons = {one: store.reason_to_stay(f"{root}/{one}", full) for one in sorted(replaced)}
    reasons |= {one: store.reason_to_refuse(f"{root}/{one}", work) for one in sorted(above)}
    for folder, reason in reasons.items():
        if reason:
            where = f"{root}/{folder}".rstrip("/")
            raise UsageError(
                explain(
                    f"The new files cannot be moved to {where}; nothing is published.",
                    expected="a folder that this user can change, on the disk of the output",
                    found=reason,
                    hint="change the folder and run the job again, or write to another place.",
                )
            )


def _full(store: Store, work: str) -> str:
    """Make a folder with an entry in the folder of the run; return its path.

    Folders are renamed to it for a test, which a file system refuses. If another run takes the
    folder of the run, this path is gone too, so that nothing can be renamed to it.
    """
    store.make(f"{work}/probe/full")
    return f"{work}/probe"


def _can_ask(store: Store, folder: str) -> bool:
    """Whether renames for a test change nothing."""
    is_local = isinstance(store, LocalStore)
    return store.is_atomic and not (is_local and is_fuse(type_at(folder)))


def _existing(store: Store, root: str, folder: str) -> str:
    """Return the first folder above that exists, or the folder itself."""
    while folder and not store.exists(f"{root}/{folder}"):
        folder = folder.rpartition("/")[0]
    return folder


def warn_without_guarantee(store: Store, folder: str, target: object) -> None:
    """Log a warning if nothing prevents a second job at the same time."""
    if not store.is_atomic:
        _log.warning(
            "%s is on a file system that copies instead of renaming: a dead job is recovered, "
            "but a second job is not prevented from writing at the same time",
            target,
        )
    elif isinstance(store, LocalStore) and is_fuse(kind := type_at(folder)):
        _log.warning(
            "%s is on a mount of type %s: many such mounts copy instead of renaming, and let two "
            "jobs create the same file, so rows may be lost or duplicated if a second job runs at "
            "the same time, or if this job is killed while it publishes files",
            target,
            kind,
        )
