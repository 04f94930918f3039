"""Every API and both jobs, for any version of Spark; `tools/compat.py` runs it in each.

It needs pytest alone: no conftest, no plugin. TFSPARK_COMPAT_MODELS names the folder of its models.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyspark
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

import tfspark
from jobs import batch_score, sql_score
from tfspark.errors import RowError, TfsparkError, UsageError
from tfspark.spark.cluster.failures import own_errors

MODELS = Path(os.environ["TFSPARK_COMPAT_MODELS"])
MANY, LINEAR = str(MODELS / "many"), str(MODELS / "linear")
LINE = tuple(map(int, pyspark.__version__.split(".")[:2]))
HAS_ARROW_UDFS = LINE >= (4, 1)
# Spark 3.5 would download its server; Connect of 4.1 and TensorFlow 2.16 need other protobufs.
HAS_CONNECT = LINE >= (4, 0) and find_spec("grpc_status") is not None

NAN = float("nan")
SCHEMA = "id int, n bigint, s string, v array<float>, x float"
ROWS = [
    (0, 2**53 + 1, "é", [1.0, 2.0, 3.0], 0.5),
    (1, None, "a", [1.0, 2.0, 3.0], 0.5),
    (2, -1, None, [1.0, 2.0, 3.0], 0.5),
    (3, 7, "", None, 0.5),
    (4, 7, "b", [1.0, None, 3.0], 0.5),
    (5, 7, "c", [4.0, NAN, 6.0], None),
    (6, 7, "d", [4.0, NAN, 6.0], NAN),
]
OUTPUTS = ["integer", "number", "text", "vector"]
NOTHING = (None, None, None, None)
EXPECTED = [
    (0, 2**53 + 2, 2.0, "é!", [3.0, 2.0, 1.0]),
    *((at, *NOTHING) for at in range(1, 6)),
    (6, 8, "nan", "d!", [6.0, "nan", 4.0]),
]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    home = tmp_path_factory.mktemp("spark")
    os.environ["TFSPARK_CACHE_DIR"] = str(home / "cache")
    os.chdir(home)
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.warehouse.dir", str(home / "warehouse"))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture
def rows(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(ROWS, SCHEMA).coalesce(1)


def plain(value: Any) -> Any:
    """Return a value in which NaN equals itself."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return "nan" if value is not None and value != value else value


def collected(df: DataFrame) -> list[tuple[Any, ...]]:
    with own_errors():
        return sorted(tuple(map(plain, row)) for row in df.collect())


def of_structs(df: DataFrame) -> list[tuple[Any, ...]]:
    """Return the rows of `id` and a struct of the outputs, which is null or has null fields."""
    found = collected(df.select("id", "y"))
    return [(at, *(NOTHING if y is None else map(plain, y))) for at, y in found]


def test_predict(rows: DataFrame) -> None:
    scored = tfspark.predict(rows, MANY, keep=["id"])
    assert collected(scored) == EXPECTED
    everything = tfspark.predict(rows, MANY)
    assert everything.columns == [*rows.columns, *OUTPUTS]
    assert collected(everything.select("id", *OUTPUTS)) == EXPECTED


def test_predict_filled(rows: DataFrame) -> None:
    filled = tfspark.predict(rows.where("id = 1"), MANY, keep=["id"], on_null={"n": 41})
    assert collected(filled) == [(1, 42, 2.0, "a!", [3.0, 2.0, 1.0])]


def test_predict_names_a_bad_row(rows: DataFrame) -> None:
    with pytest.raises(RowError, match="row 1"):
        collected(tfspark.predict(rows, MANY, on_null="error"))


@pytest.mark.parametrize("kind", ["arrow", "pandas"])
def test_predict_udf(rows: DataFrame, kind: Any) -> None:
    if kind == "arrow" and not HAS_ARROW_UDFS:
        with pytest.raises(UsageError, match='kind="pandas"'):
            tfspark.predict_udf(MANY, kind=kind)
        return
    score = tfspark.predict_udf(MANY, kind=kind)
    assert of_structs(rows.withColumn("y", score(n="n", s="s", v="v", x="x"))) == EXPECTED
    assert of_structs(rows.withColumn("y", score(sf.struct("x", "v", "s", "n")))) == EXPECTED


@pytest.mark.parametrize("kind", ["arrow", "pandas"] if HAS_ARROW_UDFS else ["pandas"])
def test_predict_udf_of_one_output(spark: SparkSession, kind: Any) -> None:
    frame = spark.createDataFrame([(1.0, 2.0), (3.0, 5.0), (7.0, None)], "a double, b double")
    score = tfspark.predict_udf(LINEAR, kind=kind)
    found = [row[0] for row in frame.select(score("a", "b")).collect()]
    assert found == [3.0, 4.0, None]
    assert frame.where(score("a", "b") > 3).count() == 1


def test_register(spark: SparkSession, rows: DataFrame) -> None:
    if not HAS_ARROW_UDFS:
        with pytest.raises(UsageError, match='kind="pandas"'):
            tfspark.register(spark, "many", MANY)
        return
    rows.createOrReplaceTempView("t")
    tfspark.register(spark, "many", MANY)
    tfspark.register(spark, "linear", LINEAR)
    by_name = "SELECT id, many(struct(x, v, s, n)) AS y FROM t"
    by_position = "SELECT id, many(n, s, v, x) AS y FROM t"
    assert of_structs(spark.sql(by_position)) == EXPECTED
    assert of_structs(spark.sql(by_name)) == EXPECTED
    assert collected(spark.sql("SELECT linear(array(1f, 2f)), linear(1.5, 2)")) == [(3.0, 4.0)]
    above = collected(spark.sql("SELECT id FROM t WHERE linear(x, x) > 3 AND id < 6"))
    assert above == [(0,), (1,), (2,), (3,), (4,)]


def test_predict_rdd(spark: SparkSession, rows: DataFrame) -> None:
    found = tfspark.predict_rdd(rows.rdd, MANY).collect()
    values: Iterable[Any] = (tuple(plain(one[name]) for name in OUTPUTS) for one in found)
    assert [(at, *one) for at, one in enumerate(values)] == EXPECTED
    elements = spark.sparkContext.parallelize([[1, 2], None, [3, 5]])
    assert tfspark.predict_rdd(elements, LINEAR).collect() == [3.0, None, 4.0]


def score_stream(spark: SparkSession, place: Path) -> None:
    """Score a stream twice; the second start replays the first micro-batch."""
    numbers = spark.sql("SELECT id, float(id) a, 1f b FROM range(3)").coalesce(1)
    numbers.write.parquet(str(place / "numbers"))
    scores = str(place / "scores")

    def write(frame: DataFrame, batch: int) -> None:
        frame.select("id", "outputs", "version").write.mode("overwrite").parquet(scores)

    for _ in range(2):
        score = tfspark.score_batches(
            LINEAR,
            write,
            checkpoint=place / "log",
            feed={"inputs": ["a", "b"]},
            version_column="version",
            spark=spark,
        )
        stream = spark.readStream.schema(numbers.schema).parquet(str(place / "numbers"))
        query = score.writer(stream).trigger(availableNow=True).start()
        query.awaitTermination()
        for commit in (place / "log" / "commits").glob("*0*"):
            commit.unlink()
    versions = tfspark.load(LINEAR).version
    expected = [(at, 2.0 * at + 2, versions) for at in range(3)]
    assert collected(spark.read.parquet(scores)) == expected


def test_stream(spark: SparkSession, tmp_path: Path) -> None:
    score_stream(spark, tmp_path)


def score_pipeline(spark: SparkSession, place: Path) -> None:
    """Score with a pipeline that is saved and loaded."""
    from pyspark.ml import Pipeline, PipelineModel
    from pyspark.ml.feature import VectorAssembler

    frame = spark.createDataFrame([(1.0, 2.0), (3.0, 5.0)], "a double, b double")
    stage = tfspark.ml.SavedModelTransformer(model=LINEAR, feed={"inputs": "v"}, keep=["a"])
    assembler = VectorAssembler(inputCols=["a", "b"], outputCol="v")
    for _ in range(2):
        Pipeline(stages=[assembler, stage]).fit(frame).write().overwrite().save(str(place / "p"))
    loaded = PipelineModel.load(str(place / "p"))
    assert collected(loaded.transform(frame)) == [(1.0, 3.0), (3.0, 4.0)]
    assert loaded.stages[1].getSha256() == tfspark.load(LINEAR).digest


def test_pipeline(spark: SparkSession, tmp_path: Path) -> None:
    score_pipeline(spark, tmp_path)


@pytest.fixture
def job(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let jobs run in the session of the test, which they must not stop."""
    monkeypatch.setattr(SparkSession, "stop", lambda self: None)


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("path", ["direct", "spark"])
def test_batch_job(spark: SparkSession, rows: DataFrame, path: str, tmp_path: Path) -> None:
    source, target = str(tmp_path / "rows"), str(tmp_path / "scored")
    rows.write.parquet(source)
    flags = ["--model", MANY, "--input", source, "--output", target, "--path", path]
    assert batch_score.main(flags) == 0
    scored = spark.read.parquet(target)
    assert scored.columns == [*rows.columns, *OUTPUTS]
    assert collected(scored.select("id", *OUTPUTS)) == EXPECTED


@pytest.mark.usefixtures("job")
def test_batch_job_into_a_table(spark: SparkSession, rows: DataFrame, tmp_path: Path) -> None:
    rows.select("id", "x").where("id < 6").write.json(str(tmp_path / "rows"))
    flags = ["--model", LINEAR, "--input", str(tmp_path / "rows"), "--input-format", "json"]
    flags += ["--feed", "inputs=x,x", "--output-table", "scored"]
    assert batch_score.main(flags) == 0
    numbers = collected(spark.sql("SELECT id, outputs FROM scored"))
    assert numbers == [*((at, 3.5) for at in range(5)), (5, None)]
    spark.sql("DROP TABLE scored")


@pytest.mark.usefixtures("job")
def test_batch_job_says_what_is_missing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    flags = ["--model", LINEAR, "--input", str(tmp_path / "no"), "--output", str(tmp_path / "out")]
    assert batch_score.main(flags) == 66
    assert "There is no input" in capfd.readouterr().err


@pytest.mark.usefixtures("job")
def test_sql_job(spark: SparkSession, rows: DataFrame, tmp_path: Path) -> None:
    rows.createOrReplaceTempView("source")
    query = "SELECT id, y.* FROM (SELECT id, scored(n, s, v, x) AS y FROM source)"
    target = str(tmp_path / "scored")
    flags = ["--register", f"scored={MANY}", "--query", query, "--output", target]
    assert sql_score.main(flags) == (0 if HAS_ARROW_UDFS else 2)
    if not HAS_ARROW_UDFS:
        return
    assert collected(spark.read.parquet(target).select("id", *OUTPUTS)) == EXPECTED


@pytest.mark.skipif(not HAS_CONNECT, reason="there is no Connect in this environment")
def test_connect() -> None:
    """Runs in a new process, because a process cannot have a classic and a Connect session."""
    program = [sys.executable, __file__]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


def score_on_connect() -> None:
    """Score by all APIs that Connect has; what `test_connect` runs."""
    spark = SparkSession.builder.remote("local[2]").getOrCreate()
    rows = spark.createDataFrame(ROWS, SCHEMA).coalesce(1)
    assert collected(tfspark.predict(rows, MANY, keep=["id"])) == EXPECTED
    for kind in ("arrow", "pandas") if HAS_ARROW_UDFS else ("pandas",):
        score = tfspark.predict_udf(MANY, kind=kind)
        assert of_structs(rows.withColumn("y", score("n", "s", "v", "x"))) == EXPECTED
    if HAS_ARROW_UDFS:
        rows.createOrReplaceTempView("t")
        tfspark.register(spark, "many", MANY)
        assert of_structs(spark.sql("SELECT id, many(n, s, v, x) AS y FROM t")) == EXPECTED
    with pytest.raises(TfsparkError):
        collected(tfspark.predict(rows, MANY, on_null="error"))
    with TemporaryDirectory() as place:
        score_stream(spark, Path(place))
        score_pipeline(spark, Path(place))
    spark.stop()


if __name__ == "__main__":
    score_on_connect()
