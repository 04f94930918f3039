"""`tf_predict` of the jar: from spark-sql, the Thrift server, Connect, and a permanent function."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.conftest import MODELS, SPARK_HOME

LINEAR = MODELS / "linear"
TABLE = "CREATE TABLE t USING parquet AS SELECT array(float(id), 1f) AS features FROM range(3)"
SCORES = f"SELECT features, tf_predict('{LINEAR}', features) y_preds FROM t ORDER BY 2"
EXPECTED = ["[0.0,1.0]\t2.0", "[1.0,1.0]\t4.0", "[2.0,1.0]\t6.0"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [(), ("--conf", "spark.sql.extensions=io.tfspark.TfSparkExtensions")]
)
def test_spark_sql_scores_a_table(options: tuple[str, ...], spark_sql: Any) -> None:
    assert spark_sql(f"{TABLE}; {SCORES}", *options) == EXPECTED


@pytest.mark.slow
def test_permanent_function_outlives_the_session(spark_sql: Any, jar: Path) -> None:
    spark_sql(
        f"CREATE DATABASE db; {TABLE.replace('TABLE t', 'TABLE db.t')}; "
        f"CREATE FUNCTION db.tfpredict AS 'io.tfspark.hive.TfPredictUdf' USING JAR '{jar}'",
        jars=False,
    )
    scores = f"SELECT db.tfpredict('{LINEAR}', features) FROM db.t ORDER BY 1"
    assert spark_sql(scores, jars=False) == ["2.0", "4.0", "6.0"]
    batched = spark_sql(f"{scores}; EXPLAIN {scores}")
    assert batched[:3] == ["2.0", "4.0", "6.0"]
    assert any("TfBatchEval" in line for line in batched)


@pytest.mark.slow
def test_thrift_server_answers_a_jdbc_client(beeline: Callable[..., list[str]]) -> None:
    scores = "SELECT tf_predict('linear', float(id), 1) AS y FROM range(3)"
    assert beeline(f"{scores} ORDER BY 1") == ["2.0", "4.0", "6.0"]
    beeline(f"CREATE VIEW scored AS {scores}")
    assert beeline("SELECT sum(y) FROM scored") == ["12.0"]


@pytest.mark.slow
@pytest.mark.connect_server
def test_connect_clients_need_nothing(in_spark: Any) -> None:
    program = f"""
from pyspark.errors import AnalysisException
from pyspark.sql import functions as sf
df = spark.range(3).selectExpr("array(float(id), 1f) AS x")
y = sf.call_function("tf_predict", sf.lit({str(LINEAR)!r}), sf.col("x"))
rows = [row[0] for row in df.select(y).collect()]
try:
    df.select(sf.call_function("tf_predict", sf.lit("/etc"), sf.col("x"))).collect()
except AnalysisException as error:
    answer([rows, str(error).splitlines()[0]])
"""
    rows, refusal = in_spark(program, '.remote("local[2]")')
    assert rows == [2.0, 4.0, 6.0]
    assert refusal == "The model '/etc' may not be called from SQL."


REGISTER = """
import tfspark
from tfspark.errors import TfsparkError

def refusal(action):
    try:
        action()
    except TfsparkError as error:
        return str(error).splitlines()[0]

def register(name, model, **options):
    tfspark.register(spark, name, model, engine="jvm", **options)

def rows(text):
    return [row[0] for row in spark.sql(text).collect()]

linear, pair = PATHS
for _ in range(2):
    register("mine", linear)
register("one", pair, signature="single")
register("both", pair)
found = [
    rows("SELECT mine(array(float(id), 1f)) FROM range(3)"),
    rows("SELECT mine(float(id), 1) FROM range(3)"),
    rows("SELECT one(id) FROM range(3, 4)"),
    rows("SELECT both(id, array(1f, 2f)).sign FROM range(1)"),
]
found.append(rows("SELECT mine(double(id) / 4, 1D) FROM range(2)"))
fractions = "SELECT one(double(id)) FROM range(2)"
try:
    spark.sql(fractions).collect()
except Exception as error:
    found.append("whose values may have fractions" in str(error))
refused = [
    refusal(lambda: register("sum", linear)),
    refusal(lambda: register("root", OUTSIDE)),
]
register("whole", pair, signature="single", narrow=True)
found.append(rows(fractions.replace("one", "whole")))
register("named", pair, fetch={"sign": "s"})
found.append(rows("SELECT named(id, array(1f, 2f)) FROM range(1)"))
register("filled", linear, on_null=5)
found.append(rows("SELECT filled(if(id = 1, null, float(id)), 1) FROM range(2)"))
answer([found, refused])
"""


@pytest.mark.slow
@pytest.mark.connect_server
def test_connect_clients_register_models(in_spark: Any, tmp_path: Path) -> None:
    outside = tmp_path / "it's outside"
    shutil.copytree(LINEAR, outside)
    paths = [str(LINEAR), str(MODELS / "pair")]
    program = f"PATHS = {paths!r}\nOUTSIDE = {str(outside)!r}\n{REGISTER}"
    found, refused = in_spark(program, '.remote("local[2]")')
    scores = [2.0, 4.0, 6.0]
    assert found[:6] == [scores, scores, [4], ["plus"], [2.0, 2.5], True]
    assert found[6:] == [[1, 2], ["plus"], [2.0, 12.0]]
    assert refused == [
        "SQL has a function 'sum' of its own.",
        f"The model '{outside}/1' may not be called from SQL.",
    ]


@pytest.mark.slow
@pytest.mark.connect_server
def test_connect_clients_fetch_what_they_name(in_spark: Any) -> None:
    program = f"""
import tfspark
df = spark.sql("SELECT 2L AS alpha, array(1f, 2f) AS beta")
fetches = None, {{"sign": "s"}}, {{"sign": "the sign", "product": "p.q"}}
answer([
    [frame.columns, [list(row) for row in frame.collect()]]
    for fetch in fetches
    for function in [tfspark.predict_udf({str(MODELS / "pair")!r}, engine="jvm", fetch=fetch)]
    for frame in (
        tfspark.predict(df, {str(MODELS / "pair")!r}, fetch=fetch, keep=[], engine="jvm"),
        df.select(function("alpha", "beta").alias("y")),
    )
])
"""
    product, sign = [2.0, 4.0], "plus"
    assert in_spark(program, '.remote("local[2]")') == [
        [["product", "sign"], [[product, sign]]],
        [["y"], [[[product, sign]]]],
        [["s"], [[sign]]],
        [["y"], [[sign]]],
        [["the sign", "p.q"], [[sign, product]]],
        [["y"], [[[sign, product]]]],
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("level", "is_quiet"), [(None, True), ("0", False)])
def test_tensorflow_is_quiet_unless_asked(
    run: Callable[..., str], jar: Path, level: str | None, is_quiet: bool
) -> None:
    settings = (
        ("-u", "TF_CPP_MIN_LOG_LEVEL") if level is None else (f"TF_CPP_MIN_LOG_LEVEL={level}",)
    )
    statement = f"SELECT tf_predict('{LINEAR}', array(1f, 2f))"
    printed = run(
        *("env", *settings, "bash", "-c", '"$@" 2>&1', "bash", SPARK_HOME / "bin" / "spark-sql"),
        *("--master", "local[1]", "--jars", jar, "--conf", "spark.ui.enabled=false"),
        *("--conf", f"spark.tfspark.model.roots={MODELS}", "-e", statement),
    )
    assert "\n3.0\n" in printed
    assert ("Reading SavedModel from" not in printed) == is_quiet
    assert ("cpu_feature_guard" not in printed) == is_quiet
