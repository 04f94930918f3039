"""The journal: one JSON file with the decision of a job to publish its files. Driver.

Before the journal exists, no file of the job is published. Once it exists, this run or a later one
publishes exactly the files that it names. Then the journal is renamed to the record that the job is
done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeAlias, get_args
from uuid import uuid4

from tfspark.errors import OutputBusyError, explain
from tfspark.scoring.output.foreign_record import (
    as_names_inside,
    as_record,
    as_run,
    as_text,
    as_texts,
)
from tfspark.scoring.output.owner import Owner

Mode: TypeAlias = Literal["error", "overwrite", "append", "overwrite-partitions"]

PARTITIONS: Mode = "overwrite-partitions"
# Prefix of a digest that no other run can have.
_ONE_RUN = "one-run-"


@dataclass(frozen=True)
class JobKey:
    """Identifies a job; two runs with equal keys are the same job.

    Attributes:
        digest: Digest of the settings, the model and the input; if the state of the input is not
            known and there is no run id, a text that is different in each run.
        run_id: The key that the user chose; empty when there is none.
    """

    digest: str
    run_id: str = ""

    @classmethod
    def of_one_run(cls) -> JobKey:
        """Return a key that no other run has."""
        return cls(f"{_ONE_RUN}{uuid4().hex}")

    @property
    def is_of_one_run(self) -> bool:
        """Whether no other run has this key, so that nobody looks for the record of the job."""
        return not self.run_id and self.digest.startswith(_ONE_RUN)

    @property
    def name(self) -> str:
        """The name of the job, from which the name of its record is derived."""
        return f"run id {self.run_id}" if self.run_id else f"digest {self.digest}"


@dataclass(frozen=True)
class TableRecord:
    """The table in the session's catalog whose files a job publishes.

    Attributes:
        name: Quoted name, with its schema.
        location: URI of its folder.
        partitions: Columns by which it is partitioned.
        definition: Name of the table that defines a new one; empty when the table existed.
    """

    name: str
    location: str
    partitions: Sequence[str] = ()
    definition: str = ""


@dataclass(frozen=True)
class Journal:
    """A decision.

    Attributes:
        mode: Mode of the job: error, overwrite, append or overwrite-partitions.
        run: The run that decided.
        job: The job of the run.
        owner: The process of the run.
        add: Files to publish, relative to the folder of new files.
        retire: Names in the output to delete; used where folders cannot be renamed atomically.
        folder: Identity of the folder of new files; used where folders can be exchanged.
        report: The report of the run; a later start of the same job returns it.
        table: The table of the files; `None` for a plain folder.
    """

    mode: Mode
    run: str
    job: JobKey
    owner: Owner
    add: Sequence[str]
    retire: Sequence[str] = ()
    folder: str = ""
    report: Mapping[str, Any] = field(default_factory=dict)
    table: TableRecord | None = None

    def to_json(self) -> str:
        """Return the file's text."""
        record = {"version": _version(self.mode), **asdict(self)}
        if self.table is None:
            del record["table"]
        return json.dumps(record, indent=1) + "\n"

    @property
    def partitions(self) -> dict[str, str]:
        """The folders of partitions that get files: folder → the first of its files."""
        found: dict[str, str] = {}
        for folder, _, name in (name.rpartition("/") for name in self.add):
            if folder:
                found.setdefault(folder, name)
        return found

    @classmethod
    def of(cls, text: str) -> Journal:
        """Return the journal in a file's text.

        Raises:
            OutputBusyError: When another version of tfspark wrote it.
            Exception: When no version wrote it, as `foreign_record.read_record` expects.
        """
        record = as_record(json.loads(text))
        known = {key.name for key in fields(cls)}
        version = record.pop("version", None)
        if version != _version(record.get("mode", "")) or not known >= record.keys():
            raise OutputBusyError(
                explain(
                    "Another version of tfspark left an unfinished job beside the output.",
                    hint="run its command again with that version.",
                )
            )
        return cls(**{name: _READERS[name](value) for name, value in record.items()})


def _mode(value: Any) -> Mode:
    if value not in get_args(Mode):
        raise ValueError(f"{value!r} is not a mode")
    mode: Mode = value
    return mode


def _job(value: Any) -> JobKey:
    return JobKey(**{name: as_text(text) for name, text in as_record(value).items()})


def _report(value: Any) -> dict[str, Any]:
    report = as_record(value)
    if "run" in report:
        as_run(report["run"])  # the name of the report's file contains it
    return report


def _table(value: Any) -> TableRecord:
    record = as_record(value)
    partitions = as_texts(record.pop("partitions", []))
    texts = {name: as_text(text) for name, text in record.items()}
    return TableRecord(**texts, partitions=partitions)


# Parameter of `Journal` → the function that checks its value.
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "mode": _mode,
    "run": as_run,
    "job": _job,
    "owner": Owner.of,
    "add": as_names_inside,
    "retire": as_names_inside,
    "folder": as_text,
    "report": _report,
    "table": _table,
}


def _version(mode: str) -> int:
    """Return the version of a journal; the first version knows no partitions to replace."""
    return 2 if mode == PARTITIONS else 1
