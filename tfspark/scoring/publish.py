"""Write aside, then show: the output of a job appears whole, or not at all. Driver.

In come a DataFrame and where it shall go; rows are written under a name of this run beside the
target, and when all of them are there, renamed into place. Spark's own `overwrite` deletes the old
output before the first task; here the old one leaves after the new one is complete.

Invariants: a job that fails or is killed before `publish` leaves the target as it was (a killed
one leaves a hidden folder `.<name>.tfspark-<run>` beside it); what already exists is never touched
in mode `error`. A rename is atomic where the file system's is (local disks, HDFS; object stores
copy). An overwritten table is replaced, not emptied: it has the job's format and no partitions.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from tfspark.errors import BindingError, OutputExistsError, UsageError, explain, listing
from tfspark.scoring.dataset import WRITE_DEFAULTS, Dataset
from tfspark.spark.counting import quoted
from tfspark.spark.failures import cause
from tfspark.spark.files import HadoopFiles
from tfspark.spark.reading import check_format, read_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Mode: TypeAlias = Literal["error", "overwrite", "append"]

_log = logging.getLogger(__name__)

# Formats whose files name their columns, and types that Spark and Arrow name alike.
_SELF_DESCRIBING = ("parquet", "orc", "avro")
_COMPARABLE = re.compile(
    r"(array<)*(tinyint|smallint|int|bigint|float|double|boolean|string|binary)>*"
)
_NAME_PART = re.compile(r"(?:`((?:[^`]|``)+)`|([^`.]+))(\.(?!$)|$)")


class Output(Protocol):
    """A target that can be written aside and shown."""

    def check(self, *inputs: str) -> None:
        """Raise when the mode forbids what is there, before anything is written.

        Args:
            inputs: Paths that the job reads; an output that is overwritten must not hold them.
        """

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """Raise when rows of these columns (name → Spark type) cannot be appended."""

    def stage(self, df: DataFrame) -> None:
        """Run the job and write its rows aside."""

    def publish(self) -> None:
        """Show what was staged."""

    def discard(self) -> None:
        """Remove what was staged and not shown; fine when there is nothing."""


@contextmanager
def discarding(output: Output) -> Iterator[None]:
    """Discard what was staged when the block fails or is interrupted."""
    try:
        yield
    except BaseException:
        try:
            output.discard()
        except Exception as error:  # the failure of the job is the one to tell
            _log.warning("what was staged could not be removed: %s", cause(error))
        raise


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
        parent, _, name = self._path.rpartition("/")
        if not parent or parent.endswith(":/"):
            raise UsageError(
                explain(f"{self.target.path} is a whole file system.", expected="a folder in it")
            )
        self._staged = f"{parent}/.{name}.tfspark-{self.run}"
        self._old = f"{parent}/.{name}.tfspark-{self.run}-old"

    @property
    def staged(self) -> str:
        """URI of the folder that holds this run's files until they are shown, escaped."""
        return self._files.uri(self._staged)

    def check(self, *inputs: str) -> None:
        """See `Output.check`."""
        self._files.check_creatable(self._path)
        check_format(self.spark, self.target.format)
        if not self._files.exists(self._path):
            return
        if self.mode == "error":
            raise _exists(str(self.target))
        if not self._files.is_folder(self._path):
            raise OutputExistsError(
                explain(f"{self._path} is a file.", expected="a folder, or nothing")
            )
        if self.mode == "overwrite":
            self._refuse_to_delete(inputs)

    def _refuse_to_delete(self, inputs: Collection[str]) -> None:
        for path in inputs:
            if HadoopFiles(self.spark, path).qualified(path).startswith(f"{self._path}/"):
                raise UsageError(
                    explain(
                        f"To overwrite {self._path} would delete {path}, which the job reads.",
                        hint="choose another output.",
                    )
                )

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """See `Output.check_columns`."""
        if self.target.format == "csv":
            _refuse_nested(self.target, columns)
        if self.mode != "append" or not self._has_data():
            return
        options = {**WRITE_DEFAULTS.get(self.target.format, {}), **self.target.options}
        if self.target.format in _SELF_DESCRIBING:
            there = read_path(self.spark, self._path, self.target.format, options)
            _check_columns(self.target, dict(there.dtypes), columns)
        elif self.target.format == "csv" and options["header"].lower() == "true":
            there = read_path(self.spark, self._path, self.target.format, options)
            _check_columns(self.target, there.columns, columns)

    def _has_data(self) -> bool:
        names = self._files.children(self._path)
        return any(not name.startswith(("_", ".")) for name in names)

    def stage(self, df: DataFrame) -> None:
        """See `Output.stage`."""
        options = {**WRITE_DEFAULTS.get(self.target.format, {}), **self.target.options}
        df.write.format(self.target.format).options(**options).save(self._staged)

    def publish(self) -> None:
        """See `Output.publish`."""
        exists = self._files.exists(self._path)
        if exists and self.mode == "error":  # since the check, by someone else
            raise _exists(str(self.target))
        if exists and self.mode == "append":
            self._append()
        else:
            _replace(
                exists,
                retire=lambda: self._files.rename(self._path, self._old),
                show=lambda: self._files.rename(self._staged, self._path),
                restore=lambda: self._files.rename(self._old, self._path),
            )
            self._files.delete(self._old)

    def _append(self) -> None:
        """Move the new files in; their names hold an id of the job, so none exists yet."""
        names = self._files.children(self._staged)
        moved = []
        try:
            for name in names:
                if not name.startswith(("_", ".")):
                    self._files.rename(f"{self._staged}/{name}", f"{self._path}/{name}")
                    moved.append(name)
        except BaseException:
            for name in moved:
                self._files.delete(f"{self._path}/{name}")
            raise
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
        *self._schema, name = _name_parts(self.target.table)
        staged = f"{name}__tfspark_{self.run.replace('-', '_')}"
        self._table, self._staged, self._old = (
            ".".join(map(quoted, [*self._schema, one])) for one in (name, staged, f"{staged}_old")
        )

    def check(self, *inputs: str) -> None:  # noqa: ARG002
        """See `Output.check`; what it was read from stays, since only the catalog is changed."""
        if not self._exists():
            self._check_schema()
        elif self.mode == "error":
            raise _exists(str(self.target))
        elif self.spark.catalog.getTable(self._table).tableType in ("VIEW", "TEMPORARY"):
            raise OutputExistsError(
                explain(f"{self.target.table} is a view.", expected="a table, or nothing")
            )

    def _check_schema(self) -> None:
        schema = ".".join(map(quoted, self._schema))
        if schema and not self.spark.catalog.databaseExists(schema):
            raise UsageError(
                explain(
                    f"There is no schema {schema} for {self.target}.",
                    hint=f"create it first: CREATE SCHEMA {schema}.",
                )
            )

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """See `Output.check_columns`; Spark itself checks the types of an insert."""
        if self.mode == "append" and self._exists():
            _check_columns(self.target, self.spark.table(self._table).columns, columns)

    def stage(self, df: DataFrame) -> None:
        """See `Output.stage`; an append to an existing table is one insert, committed by Spark."""
        if self.mode == "append" and self._exists():
            df.select(self.spark.table(self._table).columns).write.insertInto(self._table)
        else:
            writer = df.write.format(self.target.format).options(**self.target.options)
            writer.saveAsTable(self._staged)

    def publish(self) -> None:
        """See `Output.publish`."""
        if not self._exists(self._staged):
            return
        if self.mode == "error" and self._exists():  # since the check, by someone else
            raise _exists(str(self.target))
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


def _name_parts(table: str) -> list[str]:
    """Return the parts of a table name such as db.scores or `my db`.scores.

    Raises:
        UsageError: When it is no such name.
    """
    parts, end = [], 0
    while found := _NAME_PART.match(table, end):
        parts.append(found.group(1).replace("``", "`") if found.group(1) else found.group(2))
        end = found.end()
        if end == len(table):
            # Spark renames its own catalog's tables only without that catalog's name.
            return parts[1:] if len(parts) > 2 and parts[0] == "spark_catalog" else parts
    raise UsageError(
        explain(
            f"{table!r} is no table name.", expected="a name such as db.scores or `my db`.scores"
        )
    )


def _refuse_nested(target: Dataset, columns: Mapping[str, str]) -> None:
    nested = [name for name, kind in columns.items() if "<" in kind or kind == "binary"]
    if nested:
        raise BindingError(
            explain(
                f"CSV has no place for {listing(nested)} in {target}.",
                expected="columns of numbers, strings, dates or booleans",
                found=", ".join(f"{name} {columns[name]}" for name in nested),
                hint="leave them out with --keep and --fetch, or write parquet or json.",
            )
        )


def _check_columns(
    target: Dataset, there: Mapping[str, str] | Collection[str], columns: Mapping[str, str]
) -> None:
    """Refuse to append rows whose columns are not those that are there."""
    types = there if isinstance(there, Mapping) else {}
    ordered = target.format == "csv" and not target.table
    wanted, found = [name.lower() for name in there], [name.lower() for name in columns]
    changed = any(
        columns.get(name, kind) != kind
        for name, kind in types.items()
        if _COMPARABLE.fullmatch(kind) and _COMPARABLE.fullmatch(columns.get(name, ""))
    )
    if changed or (wanted != found if ordered else sorted(wanted) != sorted(found)):
        raise BindingError(
            explain(
                f"The rows cannot be appended to the {target}.",
                expected=", ".join(f"{name} {types.get(name, '')}".strip() for name in there),
                found=", ".join(f"{name} {kind}" for name, kind in columns.items()),
                hint="choose columns with --keep and name predictions with --fetch.",
            )
        )


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
