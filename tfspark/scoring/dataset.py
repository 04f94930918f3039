"""The input or output of a job: a path with a format, or a table. Driver.

CSV files have a header, which must be equal in all files; types are inferred from the values. A
broken record ends the job, although Spark's default fills it with nulls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tfspark.errors import UsageError, explain
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.lakes import LAKES, version_option
from tfspark.spark.cluster.reading import check_format, read_path, read_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Without column pruning Spark counts the fields of each line, even if only few are read.
_READ_DEFAULTS = {
    "csv": {
        "header": "true",
        "inferSchema": "true",
        "mode": "FAILFAST",
        "enforceSchema": "false",
        "columnPruning": "false",
    },
    "json": {"mode": "FAILFAST"},
}
_WRITE_DEFAULTS = {"csv": {"header": "true"}}


@dataclass(frozen=True)
class Dataset:
    """A path with its format and options, or a table.

    Attributes:
        path: A path or URI for Spark; empty when `table` is set.
        table: Name of a table or view, such as `db.scores`; empty when `path` is set.
        format: parquet (the default), csv, json, orc, or any other format of this Spark.
        options: Options of Spark's reader or writer; by default none.
        partition_by: Columns by which Spark partitions the output into folders; by default none.
        version: The version of a table of Delta Lake, or the snapshot of a table of Iceberg, that
            is read; empty for the current rows.
    """

    path: str = ""
    table: str = ""
    format: str = "parquet"
    options: Mapping[str, str] = field(default_factory=dict)
    partition_by: Sequence[str] = ()
    version: str = ""

    def __post_init__(self) -> None:
        if bool(self.path) == bool(self.table):
            raise UsageError(
                explain(
                    "A dataset needs a path or a table, not both.",
                    found=f"path {self.path!r} and table {self.table!r}",
                    hint="give either path or table.",
                )
            )

    def __str__(self) -> str:
        place = f"table {self.table}" if self.table else f"{self.format} at {self.path}"
        return f"{place}, version {self.version}" if self.version else place

    @property
    def reader_options(self) -> dict[str, str]:
        """The options of the reader, with the defaults of the format."""
        return self._with(_READ_DEFAULTS.get(self.format, {}))

    @property
    def writer_options(self) -> dict[str, str]:
        """The options of the writer, with the defaults of the format."""
        return self._with(_WRITE_DEFAULTS.get(self.format, {}))

    def option(self, name: str, default: str = "") -> str:
        """Return the value of an option; Spark ignores the case of its name."""
        given = {key.lower(): value for key, value in self.options.items()}
        return given.get(name.lower(), default)

    def _with(self, defaults: Mapping[str, str]) -> dict[str, str]:
        given = {name.lower() for name in self.options}
        unset = {name: value for name, value in defaults.items() if name.lower() not in given}
        return {**unset, **self.options}

    def read(self, spark: SparkSession) -> DataFrame:
        """Return the rows, lazily; the schema is known.

        Raises:
            InputNotFoundError: When the path or table does not exist, or has no file.
            InvalidInputError: When a file is broken, or of another format.
            UsageError: When this Spark cannot read the format.
        """
        if self.table:
            return read_table(spark, self.table, self.version)
        self.check_format(spark)
        options = self.reader_options
        if self.version:
            options[version_option(spark.version, self.format)] = self.version
        return read_path(spark, self.qualified(spark), self.format, options)

    def qualified(self, spark: SparkSession) -> str:
        """Return the path as the format needs it.

        Iceberg takes a name without a slash as a table of the catalog. Delta takes only absolute
        paths in SQL statements. pyarrow does not know Spark's default file system.
        """
        if self.format not in (*LAKES, "tfrecord"):
            return self.path
        return HadoopFiles(spark, self.path).qualified(self.path)

    def check_format(self, spark: SparkSession) -> None:
        """Let the session read and write the format.

        Raises:
            UsageError: When this Spark cannot read and write the format.
        """
        if self.format == "tfrecord":
            # Other formats do not load the code of TFRecord files, which takes 14 ms.
            from tfspark.spark.tfrecord import register_tfrecord

            register_tfrecord(spark)
        else:
            check_format(spark, self.format)
