"""Read a path or a table, and say what is wrong in tfspark's own errors. Driver."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession

from tfspark.errors import InputNotFoundError, UsageError, explain
from tfspark.spark.failures import cause, is_missing

_NOTHING_IN_IT = {"UNABLE_TO_INFER_SCHEMA"}


def read_path(spark: SparkSession, path: str, format: str, options: Mapping[str, str]) -> DataFrame:  # noqa: A002
    """Return the rows of a path, lazily; the schema is known.

    Raises:
        InputNotFoundError: When there is no such path, no file in it, or none that can be read.
        UsageError: When this Spark cannot read the format.
    """
    check_format(spark, format)
    try:
        return spark.read.format(format).options(**options).load(path)
    except AnalysisException as error:
        raise _not_found(f"{format} at {path}", error) from error
    except Exception as error:
        raise InputNotFoundError(
            explain(
                f"Spark cannot read the input: {format} at {path}.",
                found=cause(error),
                hint="check the path and the input format.",
            )
        ) from error


def check_format(spark: SparkSession, format: str) -> None:  # noqa: A002
    """Refuse a format that is not on board of this Spark.

    Raises:
        UsageError: The format is Avro, which comes as a package.
    """
    if format != "avro":
        return
    try:
        spark.read.format(format).schema("name string").load()
    except AnalysisException as error:
        if error.getCondition() == "AVRO_DATA_SOURCE_NOT_ENABLED":
            raise UsageError(
                explain(
                    "This Spark has no Avro on board.",
                    hint="add --packages org.apache.spark:spark-avro_2.13:<Spark version>.",
                )
            ) from error


def read_table(spark: SparkSession, table: str) -> DataFrame:
    """Return the rows of a table or view.

    Raises:
        InputNotFoundError: When there is none of that name.
    """
    try:
        return spark.read.table(table)
    except AnalysisException as error:
        raise _not_found(f"table {table}", error) from error


def _not_found(what: str, error: AnalysisException) -> Exception:
    if not is_missing(error) and error.getCondition() not in _NOTHING_IN_IT:
        return error
    # Spark says where a relative path leads.
    place = (error.getMessageParameters() or {}).get("path", "")
    nothing = f"nothing at {place}" if place else "nothing"
    return InputNotFoundError(
        explain(
            f"There is no input: {what}.",
            found=nothing if is_missing(error) else "no file with rows",
            hint="check the path or table name and the input format.",
        )
    )
