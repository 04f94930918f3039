from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from tfspark import predict, predict_udf
from tfspark.errors import EngineError
from tfspark.spark.cluster import pandas_check
from tfspark.spark.cluster.worker_versions import worker_versions


@pytest.fixture(autouse=True)
def no_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pandas_check, "find_spec", lambda name: None)


def test_pandas_is_asked_for_where_spark_wants_it(
    spark: SparkSession, points: DataFrame, linear: Path
) -> None:
    with pytest.raises(EngineError, match=r"(?s)pandas for mapInArrow.*pip install"):
        predict(points, linear)
    with pytest.raises(EngineError, match="pandas for mapInArrow"):
        worker_versions(spark)
    with pytest.raises(EngineError, match="pandas for pandas UDFs"):
        predict_udf(linear, kind="pandas")


def test_an_arrow_udf_does_without_pandas(points: DataFrame, linear: Path) -> None:
    found = points.select(predict_udf(linear)("features")).collect()
    assert [row[0] for row in found] == [3.0, 4.0, 9.0]
