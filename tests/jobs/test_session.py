"""The session of a job: the Python of its workers, and never one of Spark Connect."""

from __future__ import annotations

import os
import sys

import pytest
from pyspark.sql import SparkSession

from tfspark.spark.cluster.session import session


@pytest.mark.parametrize("before", ["python-of-the-shell", None])
def test_the_python_of_one_job_is_not_left_for_the_next(
    before: str | None, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYSPARK_PYTHON")
    if before is not None:
        monkeypatch.setenv("PYSPARK_PYTHON", before)
    session("a job", settings={"spark.pyspark.python": sys.executable})
    assert os.environ.get("PYSPARK_PYTHON") == before


def test_a_default_of_spark_connect_does_not_count(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_CONNECT_MODE", "1")
    assert session("a job").sparkContext is spark.sparkContext
