"""Write aside, then show: the output of a job appears whole, or not at all. Driver.

In come a DataFrame and where it shall go; rows are written under a name of this run beside the
target, and when all of them are there, renamed into place. Spark's own `overwrite` deletes the old
output before the first task; here the old one leaves after the new one is complete.

Invariants: a job that fails or is killed before `publish` leaves the target as it was (a killed
one leaves a hidden folder `.<name>.tfspark-<run>` beside it); what already exists is never touched
in mode `error`. A rename is atomic where the file system's is (local disks, HDFS; object stores
copy).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from tfspark.errors import BindingError, OutputExistsError, UsageError, explain, listing
from tfspark.scoring.dataset import WRITE_DEFAULTS, Dataset
from tfspark.spark.files import HadoopFiles

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Mode: TypeAlias = Literal["error", "overwrite", "append"]


class Output(Protocol):
    """A target that can be written aside and shown."""

    def check(self) -> None:
        """Raise when the mode forbids what is there, before anything is written."""

    def stage(self, df: DataFrame) -> None:
        """Run the job and write its rows aside."""

    def publish(self) -> None:
        """Show what was staged."""

    def discard(self) -> None:
        """Remove what was staged and not shown; fine when there is nothing."""


def output_of(spark: SparkSession, target: Dataset, mode: Mode, run: str) -> Output:
    """Return the output of a target; `run` makes the names of this run its own."""
    if target.table:
        return TableOutput(spark, target, mode, run)
    return PathOutput(spark, target, mode, run)


@dataclass
class PathOutput:
    """A folder of files."""

    spark: SparkSession
    target: Dataset
    mode: Mode
    run: str

    def __post_init__(self) -> None:
        self._files = HadoopFiles(self.spark, self.target.path)
        self._path = self._files.qualified(self.target.path).rstrip("/")
        parent, name = self._path.rsplit("/", 1)
        self._staged = f"{parent}/.{name}.tfspark-{self.run}"
        self._old = f"{parent}/.{name}.tfspark-{self.run}-old"

    @property
    def staged(self) -> str:
        """URI of the folder that holds this run's files until they are shown."""
        return re.sub("^file:/+", "file:///", self._staged)

    def keep_only(self, names: Collection[str]) -> None:
        """Remove every staged file but these, and mark the folder complete as Spark does."""
        for name in self._files.children(self._staged):
            if name not in names:
                self._files.delete(f"{self._staged}/{name}")
        self._files.write_text(f"{self._staged}/_SUCCESS", "")

    def check(self) -> None:
        """See `Output.check`."""
        if not self._files.exists(self._path):
            return
        if self.mode == "error":
            raise _exists(str(self.target))
        if not self._files.is_folder(self._path):
            raise OutputExistsError(
                explain(f"{self._path} is a file.", expected="a folder, or nothing")
            )

    def stage(self, df: DataFrame) -> None:
        """See `Output.stage`."""
        options = {**WRITE_DEFAULTS.get(self.target.format, {}), **self.target.options}
        df.write.format(self.target.format).options(**options).save(self._staged)

    def publish(self) -> None:
        """See `Output.publish`."""
        if self.mode == "append" and self._files.exists(self._path):
            self._append()
        else:
            exists = self.mode == "overwrite" and self._files.exists(self._path)
            _replace(
                exists,
                retire=lambda: self._files.rename(self._path, self._old),
                show=lambda: self._files.rename(self._staged, self._path),
                restore=lambda: self._files.rename(self._old, self._path),
            )
            self._files.delete(self._old)

    def _append(self) -> None:
        """Move the new files in; their names hold an id of Spark's job, so none exists yet."""
        for name in self._files.children(self._staged):
            if not name.startswith(("_", ".")):
                self._files.rename(f"{self._staged}/{name}", f"{self._path}/{name}")
        self._files.delete(self._staged)

    def discard(self) -> None:
        """See `Output.discard`."""
        self._files.delete(self._staged)


@dataclass
class TableOutput:
    """A table of the session's catalog, Hive's included."""

    spark: SparkSession
    target: Dataset
    mode: Mode
    run: str

    def __post_init__(self) -> None:
        suffix = self.run.replace("-", "_")
        self._table = self.target.table
        self._staged = f"{self._table}__tfspark_{suffix}"
        self._old = f"{self._staged}_old"

    def check(self) -> None:
        """See `Output.check`."""
        if self.mode == "error" and self._exists():
            raise _exists(str(self.target))

    def stage(self, df: DataFrame) -> None:
        """See `Output.stage`; an append to an existing table is one insert, committed by Spark."""
        if self.mode == "append" and self._exists():
            self._columns_fit(df)
            df.select(self.spark.table(self._table).columns).write.insertInto(self._table)
        else:
            writer = df.write.format(self.target.format).options(**self.target.options)
            writer.saveAsTable(self._staged)

    def publish(self) -> None:
        """See `Output.publish`."""
        if not self._exists(self._staged):
            return
        _replace(
            self.mode == "overwrite" and self._exists(),
            retire=lambda: self._rename(self._table, self._old),
            show=lambda: self._rename(self._staged, self._table),
            restore=lambda: self._rename(self._old, self._table),
        )
        self.spark.sql(f"DROP TABLE IF EXISTS {self._old}")

    def discard(self) -> None:
        """See `Output.discard`."""
        self.spark.sql(f"DROP TABLE IF EXISTS {self._staged}")

    def _exists(self, table: str = "") -> bool:
        return self.spark.catalog.tableExists(table or self._table)

    def _rename(self, source: str, target: str) -> None:
        self.spark.sql(f"ALTER TABLE {source} RENAME TO {target}")

    def _columns_fit(self, df: DataFrame) -> None:
        wanted = self.spark.table(self._table).columns
        if {name.lower() for name in wanted} != {name.lower() for name in df.columns}:
            raise BindingError(
                explain(
                    f"The rows do not fit {self.target}.",
                    expected=listing(wanted),
                    found=listing(df.columns),
                    hint="choose columns with --keep and name predictions with --fetch.",
                )
            )


def check_mode(mode: str) -> Mode:
    """Return a mode.

    Raises:
        UsageError: For any other word.
    """
    if mode not in ("error", "overwrite", "append"):
        raise UsageError(
            explain("No such mode.", expected="error, overwrite or append", found=repr(mode))
        )
    return mode  # type: ignore[return-value]


def _exists(what: str) -> OutputExistsError:
    return OutputExistsError(
        explain(
            f"The output exists: {what}.",
            expected="nothing there in mode error",
            hint="choose another output, or --mode overwrite, or --mode append.",
        )
    )


def _replace(
    exists: bool, retire: Callable[[], None], show: Callable[[], None], restore: Callable[[], None]
) -> None:
    """Put the new in the place of the old; bring the old back when that fails."""
    if not exists:
        show()
        return
    retire()
    try:
        show()
    except BaseException:
        restore()
        raise
