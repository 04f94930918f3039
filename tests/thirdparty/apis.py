"""A case through each API: rows of output columns, in the order of the table, or the refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

import tfspark
from jobs import batch_score
from tests.thirdparty.case import Case
from tests.thirdparty.flags import flags
from tfspark.columns import columns_of
from tfspark.constants import Constant
from tfspark.engine import EngineOptions, load_engine
from tfspark.options import ScoreOptions
from tfspark.runner import score
from tfspark.schema import bind
from tfspark.spark.cluster.failures import from_worker

Rows: TypeAlias = list[dict[str, Any]]
Api: TypeAlias = Callable[[SparkSession, Case, Path, Path], Rows]


class JobFailedError(Exception):
    """The text that a job wrote to stderr."""


def by_runner(case: Case, base: Path, engine: Any = "auto") -> Rows:
    """Score in this process, without Spark."""
    options = dict(case.options)
    shapes, batch_size = options.pop("output_shapes", {}), options.pop("batch_size", None)
    package = tfspark.load(base, **_chosen(case)).with_output_shapes(shapes)
    binding = bind(
        package.signature,
        columns_of(case.table.schema),
        feed={name: _parsed(value) for name, value in case.feed.items()},
        fetch=case.fetch,
        options=ScoreOptions(batch_size=batch_size, **options),
    )
    live = load_engine(package.path, package.tags, package.signature, EngineOptions(name=engine))
    batches = case.table.to_batches(max_chunksize=batch_size or 2)
    scored = score(batches, binding, live, keep=(), batch_size=batch_size)
    return [row for batch in scored for row in batch.to_pylist()]


def _chosen(case: Case) -> dict[str, Any]:
    """Return the options that choose a signature of the model."""
    return {name: case.options[name] for name in ("signature", "tags") if name in case.options}


def _parsed(value: Any) -> Any:
    return value if isinstance(value, str | list) else Constant(value)


def by_predict(
    spark: SparkSession, case: Case, base: Path, folder: Path, engine: Any = "auto"
) -> Rows:
    """Score a DataFrame of one partition."""
    df = spark.createDataFrame(case.table).coalesce(1)
    feed: Any = dict(case.feed)
    scored = tfspark.predict(
        df, base, feed=feed, fetch=case.fetch, keep=[], engine=engine, **case.options
    )
    return _collected(scored)


def by_function(spark: SparkSession, case: Case, base: Path, folder: Path) -> Rows:
    """Call the column function, with the names of the inputs."""
    return _called(spark, case, base, "arrow")


def by_pandas(spark: SparkSession, case: Case, base: Path, folder: Path) -> Rows:
    """Call the pandas UDF."""
    return _called(spark, case, base, "pandas")


def _called(spark: SparkSession, case: Case, base: Path, kind: Any) -> Rows:
    df = spark.createDataFrame(case.table).coalesce(1)
    call = tfspark.predict_udf(base, kind=kind, fetch=case.fetch, spark=spark, **case.options)
    named: Any = {spec.name: sf.expr(_sql(case, spec.name)) for spec in call.signature.inputs}
    return _results(case, call.signature, _collected(df.select(call(**named).alias("y"))))


def by_sql(spark: SparkSession, case: Case, base: Path, folder: Path) -> Rows:
    """Call a registered function, with one argument per input in their order."""
    spark.createDataFrame(case.table).coalesce(1).createOrReplaceTempView("thirdparty")
    call = tfspark.register(spark, "thirdparty_model", base, fetch=case.fetch, **case.options)
    arguments = ", ".join(_sql(case, spec.name) for spec in call.signature.inputs)
    scored = spark.sql(f"SELECT thirdparty_model({arguments}) AS y FROM thirdparty")
    return _results(case, call.signature, _collected(scored))


def _sql(case: Case, name: str) -> str:
    """Return the SQL expression that feeds an input: a column or a literal."""
    given = case.feed.get(name, name)
    if not isinstance(given, str):
        return str(given).upper()
    return "`" + given.replace("`", "``") + "`"


def _results(case: Case, signature: tfspark.Signature, rows: Rows) -> Rows:
    """Return results by column: several outputs are a struct, one output is a plain column."""
    columns = [*(case.fetch or {spec.name: spec.name for spec in signature.outputs}).values()]
    if len(columns) == 1:
        return [{columns[0]: row["y"]} for row in rows]
    return [row["y"] or dict.fromkeys(columns) for row in rows]


def by_rdd(spark: SparkSession, case: Case, base: Path, folder: Path) -> Rows:
    """Score an RDD of dicts in one partition."""
    elements = spark.sparkContext.parallelize(case.table.to_pylist(), 1)
    scored = tfspark.predict_rdd(
        elements, base, feed=dict(case.feed), fetch=case.fetch, **case.options
    )
    signature = tfspark.load(base, **_chosen(case)).signature
    return _results(case, signature, [{"y": value} for value in _raised_as_ours(scored.collect)])


def by_direct_job(spark: SparkSession, case: Case, base: Path, folder: Path) -> Rows:
    """Run the batch job whose tasks read and write the files."""
    return _job(case, base, folder, "direct")


def by_spark_job(spark: SparkSession, case: Case, base: Path, folder: Path) -> Rows:
    """Run the batch job through the readers and writers of Spark."""
    return _job(case, base, folder, "spark")


def _job(case: Case, base: Path, folder: Path, path: str) -> Rows:
    numbers = pa.array(range(case.table.num_rows), pa.int32())
    pq.write_table(case.table.append_column("row number", numbers), folder / "in.parquet")
    files = ("--input", folder / "in.parquet", "--output", folder / "out", "--path", path)
    told = flags(case, base, "--keep", "row number", *files)
    code = batch_score.main(told)
    if code:
        raise JobFailedError(code)
    scored = pq.read_table(folder / "out").to_pylist()
    assert [row.pop("row number") for row in scored] == numbers.to_pylist()
    return list(scored)


def _collected(df: DataFrame) -> Rows:
    return list(_raised_as_ours(df.toArrow).to_pylist())


def _raised_as_ours(run: Callable[[], Any]) -> Any:
    """Return a result, or raise the worker's error."""
    try:
        return run()
    except Exception as error:
        raise from_worker(error) or error from error


APIS: Mapping[str, Api] = {
    "predict": by_predict,
    "function": by_function,
    "sql": by_sql,
    "rdd": by_rdd,
    "direct-job": by_direct_job,
    "pandas": by_pandas,
    "spark-job": by_spark_job,
}
