"""The targets of a scored stream, each of which takes a micro-batch exactly once. Driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tfspark.errors import UsageError, explain
from tfspark.options import is_list_of_names
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.identity import digest_key
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.journal import JobKey
from tfspark.scoring.output.places import Places
from tfspark.scoring.output.protocol import cleanup_on_failure, publish
from tfspark.scoring.output.stores import resolve_links, store_of
from tfspark.scoring.run_name import new_run_name
from tfspark.spark.cluster.delta import append_once, create_table
from tfspark.spark.cluster.failures import own_errors
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.lakes import check_installed
from tfspark.spark.cluster.session_kind import is_classic
from tfspark.streaming.records import KEPT

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Batch:
    """Identifies a micro-batch; a replay has the same identity.

    Attributes:
        query: Id of the stream.
        number: Number of the micro-batch.
    """

    query: str
    number: int


class Sink(Protocol):
    """A target of a scored stream."""

    def check(self, spark: SparkSession) -> None:
        """Raise when a stream of this session cannot write there."""

    def check_columns(self, spark: SparkSession, columns: Mapping[str, str]) -> None:
        """Raise when rows with these columns, name → Spark type, cannot be written."""

    def write(self, rows: DataFrame, batch: Batch) -> None:
        """Write the rows of a micro-batch, unless they are written."""


@dataclass
class Function:
    """A function of the user. It must write a replayed micro-batch only once.

    Attributes:
        function: Takes the scored rows and the number of the micro-batch.
    """

    function: Callable[[DataFrame, int], object]

    def check(self, spark: SparkSession) -> None:
        """See `Sink.check`."""

    def check_columns(self, spark: SparkSession, columns: Mapping[str, str]) -> None:
        """See `Sink.check_columns`."""

    def write(self, rows: DataFrame, batch: Batch) -> None:
        """See `Sink.write`."""
        self.function(rows, batch.number)


@dataclass
class Folder:
    """A folder of files; the commit of the batch job appends each micro-batch to it.

    Attributes:
        path: Path or URI of the folder; it may exist. A `pathlib.Path` is converted to a string.
        format: parquet (the default), csv, json, orc, or any other format of this Spark.
        options: Options of Spark's writer; by default none.
        partition_by: Columns by which Spark partitions the output into folders; by default none.
    """

    path: str
    format: str = "parquet"
    options: Mapping[str, str] = field(default_factory=dict)
    partition_by: Sequence[str] = ()
    _is_checked: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        self.path = _path_of(self.path)
        _check_partitions(self.partition_by)

    def check(self, spark: SparkSession) -> None:
        """See `Sink.check`."""
        if not is_classic(spark):
            raise UsageError(
                explain(
                    "On Spark Connect, a stream cannot append to a folder exactly once: the commit "
                    "needs the file systems of a JVM.",
                    expected="a function (frame, batch_id), or DeltaTable",
                    found=f"Folder({self.path!r})",
                    hint="write to a Delta table, or use a classic session.",
                )
            )
        self._output(spark).check()

    def check_columns(self, spark: SparkSession, columns: Mapping[str, str]) -> None:
        """See `Sink.check_columns`."""
        output = self._output(spark)
        output.check()
        output.check_columns(columns)

    def write(self, rows: DataFrame, batch: Batch) -> None:
        """See `Sink.write`."""
        spark = rows.sparkSession
        output = self._output(spark)
        if not self._is_checked:  # later micro-batches have the same columns
            output.check()
            output.check_columns(dict(rows.dtypes))
        with own_errors(), cleanup_on_failure(output):
            if output.begin(_key(batch.query, batch.number)) is None:
                output.stage(rows)
                publish(output, output, {})
        output.acknowledge()
        self._is_checked = True
        self._forget(spark, _key(batch.query, batch.number - KEPT))

    def _output(self, spark: SparkSession) -> PathOutput:
        target = Dataset(
            self.path, format=self.format, options=self.options, partition_by=self.partition_by
        )
        return PathOutput(spark, target, "append", new_run_name(datetime.now(timezone.utc)))

    def _forget(self, spark: SparkSession, key: JobKey) -> None:
        """Delete the record of a micro-batch that Spark cannot replay any more."""
        path = resolve_links(HadoopFiles(spark, self.path).qualified(self.path))
        store, root = store_of(spark, path.rstrip("/"))
        store.delete(Places(root).done(key.name))


def _key(query: str, number: int) -> JobKey:
    """Return the key of a micro-batch, which is the run id of its commit."""
    return digest_key(f"stream {query} batch {number}", [], ())


@dataclass
class DeltaTable:
    """A Delta table; a micro-batch is one transaction with `txnAppId` and `txnVersion`.

    Attributes:
        table: Name of the table, such as `db.scores`; empty when `path` is set.
        path: Path or URI of the folder of the table; empty when `table` is set.
        partition_by: Columns by which a new table is partitioned.
    """

    table: str = ""
    path: str = ""
    partition_by: Sequence[str] = ()
    _is_there: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        if bool(self.table) == bool(self.path):
            found = f"table {self.table!r} and path {self.path!r}"
            problem = "A Delta table has either a name or a path."
            hint = 'DeltaTable("db.scores"), or DeltaTable(path="…").'
            raise UsageError(explain(problem, found=found, hint=hint))
        self.path = _path_of(self.path) if self.path else ""
        _check_partitions(self.partition_by)

    def check(self, spark: SparkSession) -> None:
        """See `Sink.check`."""
        check_installed(spark, "delta")

    def check_columns(self, spark: SparkSession, columns: Mapping[str, str]) -> None:
        """See `Sink.check_columns`."""

    def write(self, rows: DataFrame, batch: Batch) -> None:
        """See `Sink.write`."""
        with own_errors():
            if not self._is_there:
                create_table(rows, self.path, self.table, self.partition_by)
                self._is_there = True
            append_once(rows, self.path, self.table, f"tfspark-{batch.query}", batch.number)


def sink_of(write: object) -> Sink:
    """Return the sink for the argument `write`.

    Raises:
        UsageError: When it is of another kind.
    """
    if isinstance(write, Folder | DeltaTable):
        return write
    if isinstance(write, str | Path) and str(write):
        return Folder(_path_of(write))
    if callable(write):
        return Function(write)
    raise UsageError(
        explain(
            "The argument write has an invalid value.",
            expected="a function (frame, batch_id), the path of a folder, Folder or DeltaTable",
            found=repr(write),
        )
    )


def _path_of(given: object) -> str:
    """Return a path as a string.

    Raises:
        UsageError: When it is no path.
    """
    if isinstance(given, str | Path) and str(given):
        return str(given)
    problem = "The path of a target is invalid."
    raise UsageError(explain(problem, expected="a path or URI", found=repr(given)))


def _check_partitions(given: object) -> None:
    """Refuse a string: Spark would take its letters as columns."""
    if not is_list_of_names(given):
        problem = "The argument partition_by has an invalid value."
        raise UsageError(explain(problem, expected="a list of columns", found=repr(given)))
