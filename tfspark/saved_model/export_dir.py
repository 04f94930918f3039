"""Finds the export dir of a model's path: the path itself, or a version folder below it.

Returns the export dir and its version number, for a path that this process sees. For other file
systems, `choose_version` applies the same rule to the names of folders. Driver only.

Invariant: the newest version is the largest number, even if its folder is broken. A broken version
is an error later; an older version is never used instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tfspark.errors import InvalidModelError, ModelNotFoundError, explain, listing
from tfspark.saved_model.graph_file import BINARY, check_size, has_graph
from tfspark.saved_model.other_formats import near_names, other_format

_WHICH = "give the export dir, or the base path above its version folders."


def find(path: Path, version: int | None) -> tuple[Path, int | None]:
    """Return the export dir of a path and a version, and the number of its version folder.

    Raises:
        ModelNotFoundError: When the path has no SavedModel, or not this version.
        InvalidModelError: When two folders have the same number, or the graph is too large.
    """
    folder, number = _find(path, version)
    check_size(folder)
    return folder, number


def _find(path: Path, version: int | None) -> tuple[Path, int | None]:
    given, path = path, path.resolve() if ".." in path.parts else path.absolute()
    if not path.exists():
        raise _nothing_there(path, given)
    if not path.is_dir():
        raise _no_folder(path)
    if has_graph(path):
        own = number_of(path.name)
        if version not in (None, own):
            bare = "a SavedModel without version folder"
            raise ModelNotFoundError(
                explain(
                    f"{path} is one export dir; it has no version {version} inside.",
                    found=bare if own is None else f"version {own}",
                    hint="give the base path above the version folders, or leave the version out.",
                )
            )
        return path, own
    return _version_folder(path, version)


def number_of(name: str) -> int | None:
    """Return the number of a version folder; `None` when its name is not a number."""
    return int(name) if name.isascii() and name.isdigit() else None


def _nothing_there(path: Path, given: Path) -> ModelNotFoundError:
    working = "" if given.is_absolute() else f"the working directory is {Path.cwd()}"
    found = "; ".join(filter(None, ["nothing", near_names(path), working]))
    is_home = given.parts[:1] and given.parts[0].startswith("~")
    return _no_model(path, found, "write the whole path instead of ~." if is_home else _WHICH)


def _no_folder(path: Path) -> ModelNotFoundError:
    other = other_format(path)
    if other is None:
        return _no_model(path, "a file", _WHICH)
    return _no_model(path, f"a file, {other.what}", other.hint)


def _no_model(path: Path, found: str, hint: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        explain(
            f"There is no model folder at {path}.",
            expected=f"a folder with {BINARY}, or with version folders 1, 2, …",
            found=found,
            hint=hint,
        )
    )


def _version_folder(path: Path, version: int | None) -> tuple[Path, int]:
    """Return the version folder of a base path, by default the newest, and its number."""
    entries = sorted(path.iterdir())
    chosen = choose_version((entry.name for entry in entries if entry.is_dir()), version, str(path))
    if chosen is not None:
        return path / chosen[0], chosen[1]
    other = other_format(path)
    names = listing(entry.name for entry in entries[:8])
    raise ModelNotFoundError(
        explain(
            f"There is no SavedModel in {path}.",
            expected=f"{BINARY}, or version folders named 1, 2, …",
            found=f"{other.what}: {names}" if other else names,
            hint=other.hint
            if other
            else "give the folder of one exported model, or the base path above its versions.",
        )
    )


def choose_version(
    folders: Iterable[str], version: int | None, path: str
) -> tuple[str, int] | None:
    """Choose among the folders of a base path, on any file system.

    Args:
        folders: Names of the folders in the base path.
        version: The version that is wanted; `None` for the newest.
        path: The base path, for messages.

    Returns:
        The name of the version folder and its number; `None` when no folder is one.

    Raises:
        ModelNotFoundError: When there is not that version.
        InvalidModelError: When two folders have the same number.
    """
    found: dict[int, str] = {}
    for name in sorted(folders):
        number = number_of(name)
        if number is None:
            continue
        if number in found:
            raise InvalidModelError(
                explain(
                    f"Version {number} of the model at {path} exists twice.",
                    found=listing([found[number], name]),
                    hint="remove or rename one of the two folders.",
                )
            )
        found[number] = name
    if not found:
        return None
    chosen = max(found) if version is None else version
    if chosen not in found:
        raise ModelNotFoundError(
            explain(
                f"There is no version {chosen!r} of the model at {path}.",
                expected=f"one of the versions {', '.join(map(str, sorted(found)))}",
                hint="leave the version out to take the newest.",
            )
        )
    return found[chosen], chosen
