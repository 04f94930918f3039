"""The finished groups of a job that scores its input in groups. Driver.

The record of a group is created after its last file was moved to the folder of new files. It lists
the files and the row counts. A group without a record is scored again; its files are removed first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tfspark.scoring.output.foreign_record import as_names_inside, as_record, read_record
from tfspark.scoring.output.store import Store


@dataclass(frozen=True)
class Group:
    """A finished group.

    Attributes:
        files: Its files, relative to the folder of new files.
        counts: Row counts by name.
    """

    files: Sequence[str]
    counts: Mapping[str, int]

    @classmethod
    def of(cls, text: str) -> Group:
        """Return the group in a file's text; raise `TypeError` or `ValueError` for other texts."""
        record = as_record(json.loads(text))
        counts = as_record(record["counts"])
        if not all(type(count) is int for count in counts.values()):
            raise TypeError(f"{counts!r} are not row counts")
        return cls(as_names_inside(record["files"]), counts)


@dataclass(frozen=True)
class FinishedGroups:
    """The records in one folder.

    Attributes:
        store: The file system.
        folder: The folder of the records.
        new: The folder of new files.
    """

    store: Store
    folder: str
    new: str

    def all(self) -> dict[str, Group]:
        """Return the finished groups by name."""
        names = [name for name in self.store.names(self.folder) if not name.startswith(".")]
        found = {name: read_record(self.store, f"{self.folder}/{name}", Group.of) for name in names}
        return {name: group for name, group in found.items() if group is not None}

    def complete(self) -> dict[str, Group]:
        """Return the finished groups by name, without those that miss a file."""
        return {
            name: group
            for name, group in self.all().items()
            if all(self.store.exists(f"{self.new}/{file}") for file in group.files)
        }

    def remove_others(self, files: Iterable[str]) -> None:
        """Remove the new files that belong to no finished group."""
        finished = {file for group in self.all().values() for file in group.files}
        for file in set(files) - finished:
            self.store.delete(f"{self.new}/{file}")

    def add(self, name: str, group: Group) -> None:
        """Record that a group is finished."""
        self.store.make(self.folder)
        text = json.dumps({"files": group.files, "counts": group.counts}, indent=1) + "\n"
        self.store.create(f"{self.folder}/{name}", text)


def name_in_group(file: str, group: str) -> str:
    """Return the name of a file with the name of its group in front of Spark's numbers."""
    folder, slash, name = file.rpartition("/")
    return f"{folder}{slash}part-{group}-{name.removeprefix('part-')}"
