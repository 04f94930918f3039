"""Writes an archive of Spark's classes to .venv, so that the JVMs of tests start faster.

A JVM maps the classes of the archive, which are already parsed and verified (class data sharing,
JEP 350). It ignores an archive of other jars or of another Java, so an old one does no harm.
`--options` prints the options of such a JVM, for SPARK_SUBMIT_OPTS.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

ARCHIVE = Path(sys.prefix, "spark-classes.jsa")
_STAMP = ARCHIVE.with_suffix(".stamp")

# JVMs of tests end too early to gain from optimised code: one level of compilation and the simplest
# collector save a third of their CPU time. An archive depends on the collector, too. With one
# level, a JVM reserves only 48 MB for compiled code. A session of tests fills this memory in a
# minute. The JVM would then discard code and compile it again.
QUICK = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"
# The options with the archive, which saves another third of the start. Without an archive, the JVMs
# only start slower.
SHORT_RUN = f'{QUICK} -XX:SharedArchiveFile="{ARCHIVE}" -Xlog:cds=off -Xlog:class+path=off'


def main() -> int:
    """Write the archive, unless it exists for this Spark and this Java."""
    stamp = f"{version('pyspark')}\n{_java()}"
    if ARCHIVE.exists() and _STAMP.exists() and _STAMP.read_text() == stamp:
        return 0
    written = ARCHIVE.with_suffix(f".{os.getpid()}")
    options = f'{QUICK} -XX:ArchiveClassesAtExit="{written}" -Xlog:cds=off -Xlog:cds+dynamic=off'
    ran = subprocess.run(
        [sys.executable, __file__, "--load-classes"],
        env={**os.environ, "SPARK_SUBMIT_OPTS": options, "PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode or not written.exists():
        written.unlink(missing_ok=True)
        sys.stderr.write(f"no archive of Spark's classes; tests only start slower:\n{ran.stderr}\n")
        return 0
    written.replace(ARCHIVE)
    _STAMP.write_text(stamp)
    return 0


def _java() -> str:
    """Return the version of the Java that Spark uses."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else "java"
    return subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr


def _same(batches: Any) -> Any:
    return batches


def load_classes(home: Path) -> None:
    """Load the classes of most tests: tables of Hive, files, SQL and Python workers."""
    from pyspark.sql import SparkSession

    metastore = f"jdbc:derby:;databaseName={home / 'metastore'};create=true"
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.warehouse.dir", str(home / "warehouse"))
        .config("spark.driver.extraJavaOptions", f"-Dderby.system.home={home}")
        .config("spark.hadoop.javax.jdo.option.ConnectionURL", metastore)
        .enableHiveSupport()
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    rows = spark.range(100).selectExpr("id", "CAST(id AS FLOAT) x", "array(1.0F, 2.0F) y", "'a' z")
    for name in ("parquet", "orc"):
        rows.write.format(name).save(str(home / name))
        spark.read.format(name).load(str(home / name)).mapInArrow(_same, rows.schema).count()
    rows.drop("y").write.csv(str(home / "csv"), header=True)
    spark.read.csv(str(home / "csv"), header=True, inferSchema=True).count()
    rows.write.json(str(home / "json"))
    spark.read.json(str(home / "json")).count()
    rows.write.saveAsTable("t")
    spark.sql("SELECT z, count(*) n, max(x) FROM t WHERE x > 1 GROUP BY z ORDER BY n").collect()
    spark.createDataFrame([([1.0], "b")], "y array<float>, z string").join(rows, "z").collect()
    spark.sparkContext.parallelize(range(4), 2).map(str).collect()
    spark.stop()


if __name__ == "__main__":
    if sys.argv[1:] == ["--load-classes"]:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            load_classes(Path(folder))
    elif sys.argv[1:] == ["--options"]:
        sys.stdout.write(SHORT_RUN)
    else:
        sys.exit(main())
