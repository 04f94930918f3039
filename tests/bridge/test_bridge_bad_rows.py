"""Bad rows in the JVM: the rows, codes and columns of Python, in every API and in the job."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bridge.conftest import MODELS
from tests.bridge.session import Session

pytestmark = pytest.mark.slow

# The model refuses rows 8 and 9; rows 1, 4 and 6 cannot be fed, or are null.
PROGRAM = """
import json
import os
import tfspark
from jobs import batch_score

rows = spark.range(0, 12, 1, 1).selectExpr("id", "CASE WHEN id = 1 THEN array(1D) "
    "WHEN id = 4 THEN NULL WHEN id = 6 THEN array(1D, 1e300D) WHEN id IN (8, 9) THEN "
    "array(-1D, 1D) ELSE array(double(id), 1D) END AS features")
rows.write.parquet(SOURCE)
rows = spark.read.parquet(SOURCE)
found = {}
OPTIONS = {"on_error": "null", "reason": "why", "fetch": {"outputs": "y"}}

def told(y, why):
    return [y, why and [why.code, why.column, why.message.split("\\n")[0].split("; ")[0][:60]]]

for engine in ("native", "jvm"):
    scored = tfspark.predict(rows, MODEL, engine=engine, **OPTIONS)
    function = tfspark.predict_udf(MODEL, engine=engine, **OPTIONS)
    tfspark.register(spark, "picky", MODEL, engine=engine, **OPTIONS)
    plain = tfspark.predict(rows, MODEL, engine=engine, on_error="null", keep=["id"])
    called = rows.select("id", function("features").alias("p")).select("id", "p.*")
    selected = f"SELECT id, picky(features) AS p FROM parquet.`{SOURCE}`"
    in_sql = spark.sql(f"SELECT id, p.* FROM ({selected})")
    clean = tfspark.predict(rows.where("id NOT IN (1, 6, 8, 9)"), MODEL, engine=engine)
    found[engine] = {
        "types": [frame.schema.simpleString() for frame in (scored, called, in_sql, plain)],
        "predict": [told(row.y, row.why) for row in scored.orderBy("id").collect()],
        "function": [told(row.y, row.why) for row in called.orderBy("id").collect()],
        "sql": [told(row.y, row.why) for row in in_sql.orderBy("id").collect()],
        "plain": [row.outputs for row in plain.orderBy("id").collect()],
        "clean": [row.outputs for row in clean.orderBy("id").collect()],
    }

def in_scala(words):
    jobs = spark._jvm.io.tfspark.jobs
    texts = spark._jvm.scala.jdk.javaapi.CollectionConverters.asScala(words).toSeq()
    return jobs.BatchScore.score(spark._jsparkSession, jobs.BatchScoreFlags.parse(texts))

for side, score in (
    ("python", lambda words: batch_score.run(spark, batch_score.parse_args(words))),
    ("scala", in_scala),
):
    out, bad = f"{SOURCE}-{side}", f"{SOURCE}-{side}-bad"
    words = ["--model", MODEL, "--input", SOURCE, "--output", out, "--bad-rows", bad]
    report = json.loads(open(score([*words, "--keep", "id", "--report", f"{out}.json"])).read())
    badly = spark.read.parquet(bad).orderBy("id")
    found[side] = {
        "counts": [report[name] for name in ("rows_in", "rows_out", "null_rows", "bad_rows")],
        "good": [list(row) for row in spark.read.parquet(out).orderBy("id").collect()],
        "types": badly.schema.simpleString(),
        "bad": [
            [row.id, *told(row.features, row._reason), os.path.basename(row._input_file)]
            for row in badly.collect()
        ],
    }
answer(found)
"""


@pytest.fixture(scope="module")
def found(session: Session, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The rows of both sides, by API and by job."""
    source = tmp_path_factory.mktemp("bad_rows") / "in"
    answer: dict[str, Any] = session.ask(
        f"MODEL, SOURCE = {str(MODELS / 'picky')!r}, {str(source)!r}\n{PROGRAM}"
    )
    return answer


@pytest.mark.parametrize("api", ["types", "predict", "function", "sql", "plain", "clean"])
def test_every_api_gives_what_python_gives(api: str, found: dict[str, Any]) -> None:
    assert _in_one_spelling(found["jvm"][api]) == _in_one_spelling(found["native"][api])


def test_good_rows_are_bit_equal_to_a_clean_run(found: dict[str, Any]) -> None:
    scored = found["jvm"]["predict"]
    codes = {row: why[0] for row, (_, why) in enumerate(scored) if why is not None}
    assert codes == {
        1: "WRONG_SHAPE",
        6: "OUT_OF_RANGE",
        8: "MODEL_REFUSED",
        9: "MODEL_REFUSED",
    }
    assert [y for y, why in scored if why is None] == found["jvm"]["clean"]


@pytest.mark.parametrize("what", ["counts", "good", "types", "bad"])
def test_both_jobs_give_the_same_good_and_bad_rows(what: str, found: dict[str, Any]) -> None:
    assert _in_one_spelling(found["scala"][what]) == _in_one_spelling(found["python"][what])


def _in_one_spelling(value: Any) -> Any:
    """Write numbers in messages as Python does."""
    if isinstance(value, list):
        return [_in_one_spelling(one) for one in value]
    return value.replace("1.0E300", "1e+300") if isinstance(value, str) else value
