"""Reads a path or a table, and raises typed errors. Driver."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.types import StringType, StructField, StructType

from tfspark.errors import InputNotFoundError, UsageError, did_you_mean, explain
from tfspark.spark.cluster.failures import (
    cause,
    condition,
    from_worker,
    is_broken_record,
    is_missing,
    refused_column,
    unreadable_file,
)
from tfspark.spark.cluster.files import HadoopFiles, scheme_of
from tfspark.spark.cluster.lakes import LAKES, package_of_avro
from tfspark.spark.cluster.names import quoted

_ALWAYS_THERE = ("parquet", "csv", "json", "orc", "text", "binaryFile")
_NOTHING_IN_IT = {"UNABLE_TO_INFER_SCHEMA"}
# A column in which Spark puts a record that it cannot parse.
_BROKEN = "tfspark broken record"
# The URI of a row's file, escaped.
_FILE = "_metadata.file_path"


def read_path(spark: SparkSession, path: str, format: str, options: Mapping[str, str]) -> DataFrame:  # noqa: A002
    """Return the rows of a path as a lazy DataFrame with its schema.

    Raises:
        InputNotFoundError: When the path does not exist, or has no readable file.
        InvalidInputError: When a file is broken, or of another format.
        UsageError: When this Spark cannot read the format.
        Exception: The exception of Spark, when it could not parse a record.
    """
    check_format(spark, format)
    try:
        return spark.read.format(format).options(**options).load(path)
    except AnalysisException as error:
        raised = from_worker(error)  # by a data source in Python
        raise raised or _not_found(spark, f"{format} at {path}", error, path) from error
    except Exception as error:
        if is_broken_record(error):
            raise
        raise (
            refused_column(error)
            or unreadable_file(error)
            or InputNotFoundError(
                explain(
                    f"Spark cannot read the input: {format} at {path}.",
                    found=cause(error),
                    hint="check the path and the input format.",
                )
            )
        ) from error


def check_format(spark: SparkSession, format: str) -> None:  # noqa: A002
    """Refuse a format that this session does not know.

    Raises:
        UsageError: When a package is missing, or the name is wrong.
    """
    if format in _ALWAYS_THERE:
        return
    try:
        _ = spark.read.format(format).schema("name string").load().schema
    except (PySparkException, Py4JJavaError) as error:  # also for a missing path or option
        text = str(error)
        if "AVRO_DATA_SOURCE_NOT_ENABLED" in text:
            raise UsageError(
                explain(
                    "Avro support is not installed in this Spark.",
                    hint=f"add --packages {package_of_avro(spark.version)} "
                    "(tfspark: --conf spark.jars.packages=…).",
                )
            ) from error
        if "DATA_SOURCE_NOT_FOUND" in text and format not in LAKES:
            near = did_you_mean(format, _ALWAYS_THERE)
            raise UsageError(
                explain(
                    f"This Spark has no format {format!r}.{near}",
                    hint="correct the name, or start Spark with the package of the format.",
                )
            ) from error


def has_files(df: DataFrame) -> bool:
    """Whether Spark gives the file of each row in its column `_metadata`."""
    if "_metadata" in df.columns:
        return False  # a column of the input hides it
    try:
        df.select(_FILE)
    except AnalysisException:
        return False
    return True


def rows_of_files(df: DataFrame, uris: Sequence[str], *, others: bool = False) -> DataFrame:
    """Return the rows of some files, or of all other files. Spark opens only these files."""
    # Local URIs begin with `file:///` in `inputFiles`, but with `file:/` in the column of Spark 4.
    local = [uri.replace("file:///", "file:/", 1) for uri in uris if uri.startswith("file:///")]
    is_among = sf.col(_FILE).isin([*uris, *local])
    return df.where(~is_among if others else is_among)


def read_table(spark: SparkSession, table: str, version: str = "") -> DataFrame:
    """Return the rows of a table or view.

    Args:
        spark: The session.
        table: Its name.
        version: The version that is read; empty for the current rows. Spark must have parsed the
            name before, because it becomes a part of a statement.

    Raises:
        InputNotFoundError: When no table or view has the name.
    """
    try:
        if version:
            return spark.sql(f"SELECT * FROM {table} VERSION AS OF {int(version)}")
        return spark.read.table(table)
    except AnalysisException as error:
        raise _not_found(spark, f"table {table}", error) from error


def first_broken_record(
    spark: SparkSession,
    path: str,
    format: str,  # noqa: A002
    options: Mapping[str, str],
) -> tuple[str, str] | None:
    """Return the URI of the file and the text of the first record that Spark cannot parse.

    It reads the CSV or JSON input once more, after the job has failed.
    """
    reader = spark.read.format(format).options(**{**options, "mode": "PERMISSIVE"})
    known = StructType() if format == "json" else reader.load(path).schema
    fields = [*(known or [StructField("any", StringType())]), StructField(_BROKEN, StringType())]
    rows = reader.option("columnNameOfCorruptRecord", _BROKEN).schema(StructType(fields)).load(path)
    # Spark refuses to show the broken records without another column.
    shown = [quoted(name) for name in (_BROKEN, fields[0].name)]
    broken = rows.where(sf.col(shown[0]).isNotNull()).select(_FILE, *shown)
    found = broken.first()
    return None if found is None else (found[0], found[1])


def _not_found(
    spark: SparkSession, what: str, error: AnalysisException, path: str = ""
) -> Exception:
    if not is_missing(error) and condition(error) not in _NOTHING_IN_IT:
        return error
    # Spark returns the absolute path.
    place = (error.getMessageParameters() or {}).get("path", "")
    nothing = f"nothing at {place}" if place else "nothing"
    return InputNotFoundError(
        explain(
            f"There is no input: {what}.",
            found=nothing if is_missing(error) else "no file with rows",
            hint="check the path or table name and the input format."
            + (near_names(spark, path) if is_missing(error) and path else ""),
        )
    )


def escaped_glob(name: str) -> str:
    """Return a glob that matches only this name."""
    return re.sub(r"[*?\[\]{}\\]", r"\\\g<0>", name)


def near_names(spark: SparkSession, path: str) -> str:
    """Return a hint for a missing path: the working directory and a similar name."""
    files = HadoopFiles(spark, path)
    folder, _, name = files.qualified(path).rpartition("/")
    is_relative = not scheme_of(path) and not path.startswith("/")
    where = f" A relative path begins at {Path.cwd()}." if is_relative else ""
    names = files.children(folder)
    if name in names:  # Spark expands braces and brackets, even in the name of an existing file
        glob = shlex.quote(escaped_glob(name))  # a shell removes backslashes outside quotes
        return f"{where} It is there, but Spark takes it as a glob: write {glob}."
    return where + did_you_mean(name, names)
