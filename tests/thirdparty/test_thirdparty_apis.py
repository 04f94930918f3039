"""Third-party models through every API: bit-equal to TensorFlow, or a helpful refusal.

By default a case goes through `predict` and one other API; `TFSPARK_THIRDPARTY=long` takes every
case through every API.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.thirdparty import composites
from tests.thirdparty.apis import APIS, JobFailedError
from tests.thirdparty.case import Case, rows
from tests.thirdparty.cases import CASES
from tests.thirdparty.equal import differences
from tfspark import predict, predict_udf
from tfspark.errors import BindingError, TfsparkError

IS_LONG = os.environ.get("TFSPARK_THIRDPARTY") == "long"

# An API's own message, if it differs from the message of the Python APIs.
ALWAYS = {
    "dropout-constants": ("sql", "rdd", "direct-job", "spark-job"),
    "hidden_output-given": ("direct-job", "spark-job"),
    "scalar": ("direct-job", "rdd"),
    "several-double": ("direct-job",),
    "words_of_python": ("function", "sql"),
    "text_form": ("spark-job",),
    "top-column": ("sql",),
}
CALLS = ("function", "sql", "pandas")
# Each asks a worker to import TensorFlow, which takes seconds.
ONCE = ("unknown_op", "missing_kernel", "left_behind")


@pytest.fixture(autouse=True)
def a_job_leaves_the_session(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    monkeypatch.setattr(SparkSession, "stop", lambda self: None)
    monkeypatch.chdir(tmp_path)
    yield
    spark.sparkContext.setLogLevel("OFF")  # a job sets its own


def taken(cases: list[Case]) -> list[Any]:
    """Return the pairs of API and case that this run takes."""
    turns = cycle(list(APIS)[1:-1])
    pairs = []
    for case, turn in zip(cases, turns, strict=False):
        others = () if case.model in ONCE else (turn, *ALWAYS.get(case.name, ()))
        able = [api for api in APIS if case.by_call or api not in CALLS]
        pairs += [(api, case) for api in able if IS_LONG or api in ("predict", *others)]
    return [pytest.param(api, case, id=f"{api}-{case.name}") for api, case in pairs]


@pytest.mark.parametrize(("api", "case"), taken([case for case in CASES if not case.refused]))
def test_api_gives_what_tensorflow_gives(
    api: str, case: Case, spark: SparkSession, model: Any, answers: Any, tmp_path: Path
) -> None:
    assert not differences(APIS[api](spark, case, model(case), tmp_path), answers(case))


def test_function_that_nothing_can_feed_is_refused_when_it_is_made(
    spark: SparkSession, model: Any
) -> None:
    path = model(Case(composites.sparse_input, rows()))
    with pytest.raises(BindingError, match="input s: composite"):
        predict_udf(path, spark=spark)


@pytest.mark.parametrize(("api", "case"), taken([case for case in CASES if case.refused]))
def test_api_refuses_with_the_words_that_help(
    api: str,
    case: Case,
    spark: SparkSession,
    model: Any,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    capfd.readouterr()
    with pytest.raises((TfsparkError, JobFailedError)) as refusal:
        APIS[api](spark, case, model(case), tmp_path)
    said = capfd.readouterr().err if "job" in api else str(refusal.value)
    assert re.search(case.refused, said, re.DOTALL), said


def test_the_tensorflow_engine_leaves_out_composite_tensors(
    spark: SparkSession, model: Any
) -> None:
    path = model(Case(composites.ragged_output, rows()))
    df = spark.createDataFrame([("a b c",), ("d",)], "text string")
    scored = predict(df, path, fetch={"count": "count"}, engine="tensorflow")
    assert [row["count"] for row in scored.collect()] == [3, 1]
