"""`tf_predict` of the jar from spark-sql: a function of the session, and a permanent function."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bridge.conftest import MODELS, SPARK_HOME

LINEAR = MODELS / "linear"
TABLE = "CREATE TABLE db.t USING parquet AS SELECT array(float(id), 1f) AS features FROM range(3)"
FUNCTION = "CREATE FUNCTION db.tfpredict AS 'io.tfspark.hive.TfPredictUdf' USING JAR '{jar}'"
SCORES = f"SELECT features, tf_predict('{LINEAR}', features) y_preds FROM db.t ORDER BY 2"
PERMANENT = f"SELECT db.tfpredict('{LINEAR}', features) FROM db.t ORDER BY 1"
EXPECTED = ["[0.0,1.0]\t2.0", "[1.0,1.0]\t4.0", "[2.0,1.0]\t6.0"]
NOTES = ("Reading SavedModel from", "cpu_feature_guard")

Run = subprocess.CompletedProcess[str]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def spark_sql(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Run]:
    """Run statements with spark-sql, in sessions that share a metastore."""
    folder = tmp_path_factory.mktemp("sql")
    variables = {
        name: value for name, value in environment.items() if name != "TF_CPP_MIN_LOG_LEVEL"
    }

    def spark_sql(statements: str, *options: object, **more: str) -> Run:
        command = (
            *(SPARK_HOME / "bin" / "spark-sql", "--master", "local[2]", *options),
            *("--conf", "spark.ui.enabled=false", "--conf", f"spark.tfspark.model.roots={MODELS}"),
            *("-e", statements),
        )
        done = subprocess.run(
            [str(word) for word in command],
            env={**variables, **more},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return spark_sql


@pytest.fixture(scope="module")
def first(spark_sql: Callable[..., Run], jar: Path) -> Run:
    """The first session, which creates a table and a function."""
    statements = ("CREATE DATABASE db", TABLE, FUNCTION.format(jar=jar), SCORES)
    return spark_sql("; ".join(statements), "--jars", jar)


@pytest.fixture(scope="module")
def later(first: Run, spark_sql: Callable[..., Run], jar: Path) -> Run:
    """A session after it, with the extension; TensorFlow may print everything."""
    extension = ("--conf", "spark.sql.extensions=io.tfspark.TfSparkExtensions")
    statements = f"{SCORES}; {PERMANENT}; EXPLAIN {PERMANENT}"
    return spark_sql(statements, "--jars", jar, *extension, TF_CPP_MIN_LOG_LEVEL="0")


def test_spark_sql_scores_a_table(first: Run, later: Run) -> None:
    assert first.stdout.splitlines() == EXPECTED
    assert later.stdout.splitlines()[:3] == EXPECTED


def test_permanent_function_outlives_the_session(later: Run) -> None:
    printed = later.stdout.splitlines()
    assert printed[3:6] == ["2.0", "4.0", "6.0"]
    assert any("TfBatchEval" in line for line in printed)


@pytest.mark.usefixtures("first")
def test_permanent_function_needs_no_jar_on_the_driver(spark_sql: Callable[..., Run]) -> None:
    assert spark_sql(PERMANENT).stdout.splitlines() == ["2.0", "4.0", "6.0"]


def test_tensorflow_is_quiet_unless_asked(first: Run, later: Run) -> None:
    for note in NOTES:
        assert note not in first.stdout + first.stderr
        assert note in later.stderr
