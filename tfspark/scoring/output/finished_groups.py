"""The finished groups of a job that scores its input in groups. Driver.

The record of a group says that all of its files are in the folder of new files, and what was
counted. It is created after the last file was moved there. So a group without a record is scored
again, and its files are removed first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tfspark.scoring.output.store import Store


@dataclass(frozen=True)
class Group:
    """A finished group.

    Attributes:
        files: Its files, relative to the folder of new files.
        counts: What was counted.
    """

    files: Sequence[str]
    counts: Mapping[str, int]


@dataclass(frozen=True)
class FinishedGroups:
    """The records in one folder.

    Attributes:
        store: The file system.
        folder: Of the records.
        new: The folder of new files.
    """

    store: Store
    folder: str
    new: str

    def all(self) -> dict[str, Group]:
        """Return the finished groups by name."""
        names = [name for name in self.store.names(self.folder) if not name.startswith(".")]
        texts = {name: self.store.read(f"{self.folder}/{name}") for name in names}
        return {name: Group(**json.loads(text)) for name, text in texts.items() if text is not None}

    def complete(self) -> dict[str, Group]:
        """Return the finished groups all of whose files are there, by name."""
        return {
            name: group
            for name, group in self.all().items()
            if all(self.store.exists(f"{self.new}/{file}") for file in group.files)
        }

    def remove_others(self, files: Iterable[str]) -> None:
        """Remove those of the new files that are of no finished group."""
        finished = {file for group in self.all().values() for file in group.files}
        for file in set(files) - finished:
            self.store.delete(f"{self.new}/{file}")

    def add(self, name: str, group: Group) -> None:
        """Record that a group is finished."""
        self.store.make(self.folder)
        text = json.dumps({"files": group.files, "counts": group.counts}, indent=1) + "\n"
        self.store.create(f"{self.folder}/{name}", text)


def name_in_group(file: str, group: str) -> str:
    """Return the name of a file that Spark wrote, with the group in front of Spark's numbers."""
    folder, slash, name = file.rpartition("/")
    return f"{folder}{slash}part-{group}-{name.removeprefix('part-')}"
