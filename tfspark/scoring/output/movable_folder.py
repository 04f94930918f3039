"""Whether the files of a commit can be moved into an output, and its folders be renamed. Driver.

The answers come from renames that a file system refuses, or that no reader sees. They are needed
before the decision, because afterwards each start would fail until somebody changes the folder.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from tfspark.errors import UsageError, explain
from tfspark.scoring.output.journal import PARTITIONS, Mode
from tfspark.scoring.output.local_store import LocalStore
from tfspark.scoring.output.mounts import is_fuse, type_at
from tfspark.scoring.output.places import SUCCESS
from tfspark.scoring.output.store import Store

_log = logging.getLogger(__name__)


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
        refuse_closed(store, folder, work, mode, [SUCCESS])  # as any file in the output itself
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
