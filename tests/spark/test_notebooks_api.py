"""What notebooks use: frames of pandas API on Spark, and `tune`."""

import pytest

from tfspark import predict, tune
from tfspark.errors import UsageError
from tfspark.spark import tuning

ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
BYTES = "spark.sql.execution.arrow.maxBytesPerBatch"


@pytest.mark.filterwarnings("ignore")  # pyspark.pandas warns about its own environment
def test_a_frame_of_pandas_on_spark_comes_back_with_its_index(points, linear):
    rows = points.selectExpr("features", "features[0] AS id").pandas_api(index_col="id")
    scored = predict(rows, linear, keep=[])
    assert type(scored) is type(rows)
    assert scored.index.names == ["id"]
    frame = scored.to_pandas().sort_index()
    assert list(frame.columns) == ["outputs"]
    assert frame["outputs"].to_dict() == {1.0: 3.0, 3.0: 4.0, 7.0: 9.0}


@pytest.mark.filterwarnings("ignore")
def test_columns_of_pandas_on_spark_keep_labels_and_dtypes(spark, identity):
    import pandas as pd
    import pyspark.pandas as ps

    held = pd.DataFrame(
        {
            "x": [1.0, 2.0],
            7: pd.Categorical(["b", None], categories=["c", "b"], ordered=True),
            "n": pd.array([1, None], "Int64"),
            "flag": pd.array([True, None], "boolean"),
        }
    ).rename_axis(columns="names")
    scored = predict(ps.from_pandas(held), identity("float32"), feed={"x": "x"}).to_pandas()
    pd.testing.assert_frame_equal(scored.sort_index().drop(columns="y"), held)
    assert scored.columns[-1] == "y"


@pytest.mark.filterwarnings("ignore")
def test_categories_of_pandas_on_spark_are_fed_as_values(spark, identity):
    import pandas as pd
    import pyspark.pandas as ps

    words = pd.Categorical(["b", "a", None])
    rows = ps.from_pandas(pd.DataFrame({"x": words}, index=pd.CategoricalIndex(["q", "q", "r"])))
    scored = predict(rows, identity("string"), keep=[]).to_pandas()
    assert sorted(zip(scored.index, scored["y"], strict=True), key=str) == [
        ("q", "a"),
        ("q", "b"),
        ("r", None),
    ]


@pytest.mark.filterwarnings("ignore")
def test_levels_of_column_labels_are_kept(spark, identity):
    import pandas as pd
    import pyspark.pandas as ps

    labels = pd.MultiIndex.from_tuples([("a", "x"), ("a", "z")], names=["one", "two"])
    rows = ps.from_pandas(pd.DataFrame([[1.0, 2.0]], columns=labels))
    scored = predict(rows, identity("float32"), feed={"x": "(a, z)"})
    assert list(scored.columns) == [("a", "x"), ("a", "z"), ("y", "")]
    assert list(scored.columns.names) == ["one", "two"]
    assert scored["y"].to_numpy().tolist() == [2.0]


def test_tune_applies_what_the_user_has_not_set(spark, linear, conf):
    before = spark.conf.get(ROWS)
    try:
        with conf(BYTES, "1000000"):
            found = {one.name: (one.value, one.state) for one in tune(spark, linear)}
            assert found[BYTES] == ("1000000", "set before")
            assert found[ROWS] == ("65536", "applied")
            assert spark.conf.get(ROWS) == "65536"
        assert found["spark.python.daemon.module"] == ("tfspark.spark.daemon", "set before")
    finally:
        spark.conf.unset(ROWS)
    try:
        table = tune(spark)
        assert [one.state for one in table] == [
            "applied",
            "needs the model",
            *["set before"] * 2,
        ]
        assert spark.conf.get(BYTES) == "2147483647"
        assert spark.conf.get(ROWS) == before
        assert f"applied: {BYTES}=2147483647" in str(table)
        assert "<td>applied</td>" in table._repr_html_()
    finally:
        spark.conf.unset(BYTES)


def test_tune_lists_what_spark_reads_only_when_it_starts(spark, monkeypatch):
    monkeypatch.setattr(tuning, "_AT_START", (("spark.python.not.set", "true", "it is faster"),))
    try:
        *_, last = tune(spark)
    finally:
        spark.conf.unset(BYTES)
    assert last == ("spark.python.not.set", "true", "only at start", "it is faster")


def test_only_a_session_is_tuned(points):
    with pytest.raises(UsageError, match="Only a session can be tuned"):
        tune("local[2]")
