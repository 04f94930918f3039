"""The table formats Delta Lake and Iceberg: their packages, and the versions of a table. Driver.

The version of a Delta table is a number that counts its commits. The version of an Iceberg table is
the id of a snapshot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from py4j.protocol import Py4JJavaError
from pyspark.errors import ParseException, PySparkException

from tfspark.errors import UsageError, explain
from tfspark.spark.cluster.names import quoted
from tfspark.spark.cluster.tables import catalog_class

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Format → its name in messages.
LAKES = {"delta": "Delta Lake", "iceberg": "Iceberg"}
_EXTENSIONS = {
    "delta": "io.delta.sql.DeltaSparkSessionExtension",
    "iceberg": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
}


def package_of(spark_version: str, lake: str) -> str:
    """Return the Maven coordinate of a format for a version of Spark."""
    line = ".".join(spark_version.split(".")[:2])
    scala = _scala_of(spark_version)
    if lake == "iceberg":
        return f"org.apache.iceberg:iceberg-spark-runtime-{line}_{scala}:<version>"
    suffix = scala if line.startswith("3.") else f"{line}_{scala}"
    return f"io.delta:delta-spark_{suffix}:<version>"


def package_of_avro(spark_version: str) -> str:
    """Return the Maven coordinate of Spark's Avro support."""
    return f"org.apache.spark:spark-avro_{_scala_of(spark_version)}:{spark_version}"


def _scala_of(spark_version: str) -> str:
    """Return the version of Scala that PySpark's own JVM has."""
    return "2.12" if spark_version.startswith("3.") else "2.13"


def version_option(spark_version: str, lake: str) -> str:
    """Return the option of Spark's reader that chooses a version of a folder."""
    is_old = spark_version.startswith(("3.", "4.0."))  # Iceberg changed it for Spark 4.1
    return "snapshot-id" if lake == "iceberg" and is_old else "versionAsOf"


def lake_of_catalog(spark: SparkSession, catalog: str) -> str:
    """Return the format of the tables of a catalog; empty if it is not a lake's own."""
    configured = catalog_class(spark, catalog).lower()
    return next((lake for lake in LAKES if lake in configured), "")


def check_installed(spark: SparkSession, lake: str) -> None:
    """Refuse a session without the package of a format.

    Raises:
        UsageError: With the coordinate of the package.
    """
    try:
        _ = spark.read.format(lake).load("/no/such/table").schema
    except (PySparkException, Py4JJavaError) as error:  # the second one from a class loader
        if "DATA_SOURCE_NOT_FOUND" in str(error):
            raise UsageError(
                explain(
                    f"{LAKES[lake]} is not installed in this Spark.",
                    hint=f"start Spark with --packages {package_of(spark.version, lake)} (tfspark: "
                    "--conf spark.jars.packages=…) and "
                    f"--conf spark.sql.extensions={_EXTENSIONS[lake]}.",
                )
            ) from error


def newest_version(spark: SparkSession, lake: str, *, path: str = "", table: str = "") -> str:
    """Return the current version of a table; empty for an Iceberg table without a snapshot.

    Args:
        spark: The session.
        lake: The format of the table.
        path: Folder of the table; empty when `table` is set.
        table: Name of the table, as Spark has parsed it before.

    Raises:
        UsageError: The session does not have the extension of Delta Lake.
    """
    if lake == "delta":
        return _version_of_delta(spark, table or f"delta.{quoted(path)}")
    refs = spark.table(f"{table}.refs") if table else spark.read.format(lake).load(f"{path}#refs")
    found = refs.where("name = 'main'").select("snapshot_id").first()
    return "" if found is None else str(found[0])


def _version_of_delta(spark: SparkSession, name: str) -> str:
    try:
        commits = spark.sql(f"DESCRIBE HISTORY {name} LIMIT 1")
    except ParseException as error:
        raise UsageError(
            explain(
                f"This session cannot read the versions of {name}.",
                hint=f"start Spark with --conf spark.sql.extensions={_EXTENSIONS['delta']} and "
                "--conf spark.sql.catalog.spark_catalog="
                "org.apache.spark.sql.delta.catalog.DeltaCatalog.",
            )
        ) from error
    (newest,) = commits.select("version").collect()
    return str(newest[0])
