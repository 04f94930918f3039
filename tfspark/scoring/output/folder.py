"""A folder of files as the output of a job: staged in a hidden folder, then committed. Driver.

Only counted files are published, not those that a lost attempt of a task writes later.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from tfspark.errors import OutputExistsError, UsageError, explain
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.input.lakes import refuse_lake
from tfspark.scoring.output import folder_rules, movable_folder
from tfspark.scoring.output.commit import Commit
from tfspark.scoring.output.csv_columns import refuse_nested, refusing_blank_lines
from tfspark.scoring.output.finished_groups import FinishedGroups, Group, name_in_group
from tfspark.scoring.output.journal import PARTITIONS, JobKey, Journal, Mode, TableRecord
from tfspark.scoring.output.lock import Lock
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.output.partitions import (
    check_partitions,
    refuse_unpartitioned,
    visible_files,
)
from tfspark.scoring.output.places import SUCCESS, Places
from tfspark.scoring.output.protocol import CHOOSE_COLUMNS, already_there
from tfspark.scoring.output.recover import recover_folder
from tfspark.scoring.output.session_tables import SessionTables
from tfspark.scoring.output.stores import resolve_links, store_of
from tfspark.scoring.output.tfrecord_columns import refuse_unsupported_types
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.running_tasks import tasks_ended
from tfspark.spark.cluster.sources import Source, sources_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Subfolders: files of tasks, files of Spark, counted files, records of finished groups.
_ATTEMPTS, _SPARK, _NEW, _GROUPS = "attempts", "spark", "new", "groups"


@dataclass
class PathOutput:
    """A folder of files."""

    records_runs: ClassVar[bool] = True
    # The hint of the error if existing files have other columns.
    columns_hint: ClassVar[str] = CHOOSE_COLUMNS

    spark: SparkSession
    target: Dataset
    mode: Mode
    run: str
    taken: list[str] = field(default_factory=list, init=False)
    _inputs: Collection[str] = field(default=(), init=False)
    _columns: Mapping[str, str] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        path = self.target.path
        self._open_at(resolve_links(HadoopFiles(self.spark, path).qualified(path)))

    def _open_at(self, path: str) -> None:
        self._files = HadoopFiles(self.spark, path)
        self._path = self._files.qualified(path).rstrip("/")
        parent = self._path.rpartition("/")[0]
        if not parent or parent.endswith(":/"):
            raise UsageError(explain(f"{path} is a whole file system.", hint="name a folder."))
        self._store, root = store_of(self.spark, self._path)
        lock = Lock(self._store, Places(root), self.run, Owner.this_process())
        self._root, self._commit = root, Commit(lock, SessionTables(self.spark, self._path))
        # Spark needs the URI of a local path if its default file system is not the local one.
        self._staged = Places(self._path).work(self.run)

    @property
    def folder(self) -> str | None:
        """See `Output.folder`."""
        return self._files.uri(f"{self._staged}/{_ATTEMPTS}")

    @property
    def keeps(self) -> bool:
        """See `Output.keeps`."""
        return self._commit.keeps

    @property
    def has_leftover(self) -> bool:
        """See `Output.has_leftover`."""
        return self._commit.has_leftover

    @property
    def place(self) -> str:
        """See `Output.place`."""
        return self._path

    @property
    def is_decided(self) -> bool:
        """See `Output.is_decided`."""
        return self._commit.is_decided

    def check(self, *inputs: str) -> None:
        """See `Output.check`. After a dead job, `begin` recovers first and checks then."""
        self._files.check_creatable(self._path)
        self._check_hidden()
        self.target.check_format(self.spark)
        refuse_lake(self.spark, self.target, "output")
        if self.mode == PARTITIONS:
            refuse_unpartitioned(self.target, is_partitioned=bool(self.target.partition_by))
        self._inputs = inputs
        folder_rules.refuse_own_input(self.spark, self._path, inputs, self.mode)
        if not self.has_leftover:
            self._check_there()

    def _check_hidden(self) -> None:
        """Refuse an output with a hidden folder of another user, or that others can write."""
        self._files.check_creatable(Places(self._path).lock(1))
        self._commit.lock.check_folder()

    def _check_there(self) -> None:
        if not self._files.exists(self._path):
            return
        if self.mode == "error":
            raise self.already_there()
        if not self._files.is_folder(self._path):
            problem = f"{self._path} is a file."
            raise OutputExistsError(explain(problem, expected="a folder, or nothing"))
        folder_rules.refuse_own_input(self.spark, self._path, self._inputs, self.mode)
        self._check_folder()

    def already_there(self) -> OutputExistsError:
        """Return the error of a folder that exists in mode `error`."""
        return already_there(str(self.target))

    def _check_folder(self) -> None:
        """Refuse a folder that this user cannot move files into."""
        self._files.check_creatable(f"{self._path}/{SUCCESS}")
        movable_folder.refuse_mount(self._store, self._root)

    def check_sources(self, sources: Sequence[Source]) -> None:
        """See `Output.check_sources`."""
        folder_rules.refuse_own_files(self._path, sources, self.mode)

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """See `Output.check_columns`."""
        check_partitions(self.target, columns)
        refuse_unsupported_types(self.target, columns)
        refuse_nested(self.target, columns)
        self._columns = columns
        if not self.has_leftover:
            # Another job may replace the files meanwhile; `begin` checks again.
            with suppress(*folder_rules.UNREADABLE):
                self._check_existing_columns()

    def _check_existing_columns(self) -> None:
        if self._columns is not None and self.mode in ("append", PARTITIONS):
            folder_rules.refuse_other_columns(
                self.spark, self._path, self.target, self._columns, self.columns_hint
            )

    def recover(self) -> None:
        """Finish or remove the work of dead jobs before a query of this job lists the files."""
        recover_folder(self.spark, self._path)

    def refuse_stale(self, planned: Sequence[Source], read: Callable[[], DataFrame]) -> None:
        """Refuse a query whose plan lists other files of this target than a new plan by `read`."""
        self._refresh()
        folder_rules.refuse_stale(self._path, planned, sources_of(read()))

    def _refresh(self) -> None:
        """Let Spark list the files of a table again; it never remembers those of a folder."""

    def begin(self, job: JobKey) -> Journal | None:
        """See `Output.begin`."""
        done = self._commit.begin(job)
        if done is None:
            self._check_again()
            self._open()
        return done

    def may_have_published(self, run: str, job: JobKey) -> bool:  # noqa: ARG002
        """See `Output.may_have_published`."""
        return self._commit.has_published(job)

    def _check_again(self) -> None:
        """Check again, because other jobs could write before the lock was held."""
        self._check_there()
        self._check_existing_columns()
        movable_folder.warn_without_guarantee(self._store, self._root, self.target)

    def _open(self) -> None:
        """Make the folder of the run; keep counted parts and finished groups, remove the rest."""
        self._commit.open_work()
        work = self._commit.work
        if self.mode == "overwrite" or not self.target.partition_by:  # else files go below it
            movable_folder.refuse_unusable(self._store, self._root, work, self.mode)
        self._store.make(f"{work}/{_ATTEMPTS}")
        if not self.keeps:
            return
        self._store.delete(f"{work}/{_SPARK}")
        if self.groups.all():
            self.groups.remove_others(self._files.files_below(f"{self._staged}/{_NEW}"))
            return
        # Only files of tasks are kept as parts; files that Spark wrote are written again.
        may_be_parts = self.folder is not None and not self.target.partition_by
        self._commit.take_back(f"{work}/{_ATTEMPTS}" if may_be_parts else None)

    @property
    def groups(self) -> FinishedGroups:
        """The groups that this run, or an earlier run of the same job, has finished."""
        work = self._commit.work
        return FinishedGroups(self._store, f"{work}/{_GROUPS}", f"{work}/{_NEW}")

    def write_group(self, df: DataFrame, name: str) -> list[str]:
        """Write the rows of a group to the folder of new files; return the file names."""
        files = {file: name_in_group(file, name) for file in self._write(df)}
        self._move(files, _SPARK)
        self._store.delete(f"{self._commit.work}/{_SPARK}")
        if not self._commit.lock.holds():
            raise self._commit.lost("its lock was taken over")
        return list(files.values())

    def take_groups(self, names: Sequence[str]) -> list[Group]:
        """Stage the files of these finished groups."""
        there = self.groups.complete()
        if not set(names) <= set(there):
            raise self._commit.lost("its folder was taken")
        groups = [there[name] for name in names]
        self.taken = [file for group in groups for file in group.files]
        return groups

    def stage(self, df: DataFrame) -> None:
        """See `Output.stage`."""
        self._take(self._write(df), _SPARK)

    def _write(self, df: DataFrame) -> list[str]:
        """Let Spark write rows; return the names of the files."""
        with refusing_blank_lines(self.target, df) as rows, tasks_ended(self.spark):
            writer = rows.write.format(self.target.format).options(**self.target.writer_options)
            if self.target.format == "tfrecord":  # its data source has no mode `error`
                writer = writer.mode("append")
            writer.partitionBy(*self.target.partition_by).save(self._spark_folder)
        return self._written()

    @property
    def _spark_folder(self) -> str:
        return f"{self._staged}/{_SPARK}"  # a URI

    def _written(self) -> list[str]:
        """Return the names of the files that Spark wrote, in folders of partitions or directly."""
        return visible_files(self.target, self._files.files_below(self._spark_folder))

    def take(self, files: Sequence[str]) -> None:
        """See `Output.take`."""
        self._take(files, _ATTEMPTS)

    def _take(self, files: Sequence[str], where: str) -> None:
        """Step `count`. If a file is missing, another run has taken the folder."""
        self._move({name: name for name in files}, where)
        self.taken = list(files)

    def _move(self, files: Mapping[str, str], where: str) -> None:
        """Move files into the folder of new files; `files` maps old names to new names."""
        source, new = f"{self._commit.work}/{where}", f"{self._commit.work}/{_NEW}"
        try:
            self._store.make(new)
            for folder in {name.rpartition("/")[0] for name in files} - {""}:
                self._store.make(f"{new}/{folder}")
            for name, target in files.items():
                self._store.rename(f"{source}/{name}", f"{new}/{target}")
        except FileNotFoundError as error:
            raise self._commit.lost(f"{error}") from error

    def publish(self, account: Mapping[str, object]) -> None:
        """See `Output.publish`."""
        is_there, names = self._store.exists(self._root), list(self.taken)
        if is_there and self.mode == "error":  # another program created it after the check
            raise self.already_there()
        if is_there and self.mode in ("append", PARTITIONS):
            store, root, work = self._store, self._root, self._commit.work
            movable_folder.refuse_closed(store, root, work, self.mode, names)
        else:
            names.append(self._commit.mark_whole())
        self._commit.publish(self.mode, names, account, self._table_record())

    def _table_record(self) -> TableRecord | None:
        """Return the table of the files; `None` for a plain folder."""
        return None

    def acknowledge(self) -> None:
        """See `Output.acknowledge`."""
        self._commit.acknowledge()

    def suspend(self) -> None:
        """See `Output.suspend`."""
        self._commit.suspend()

    def discard(self) -> None:
        """See `Output.discard`."""
        self._commit.abandon()
