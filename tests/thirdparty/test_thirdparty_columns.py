"""Columns of third-party tables: ML vectors, images, structs, names, literals, dates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pyspark.ml.linalg import DenseMatrix, DenseVector, SparseMatrix, SparseVector
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

import tfspark
from tests.thirdparty import batches, element_types, old_forms, scalars
from tests.thirdparty.case import Case, rows
from tfspark.errors import BindingError, RowError
from tfspark.spark.cluster.failures import from_worker


@pytest.fixture(scope="module")
def path_of(model: Callable[[Case], Path]) -> Callable[..., str]:
    """Return the base path of the model that a function writes."""
    return lambda save: str(model(Case(save, rows())))


@pytest.fixture(scope="module")
def plane(path_of: Any) -> str:
    """`y` = 2·x0 − x1 + 3."""
    return path_of(old_forms.reference_variables)


@pytest.fixture(scope="module")
def minus(path_of: Any) -> str:
    """`y` = a − b."""
    return path_of(scalars.pair)


def values(df: DataFrame) -> list[Any]:
    """Return the last column."""
    return [row[-1] for row in df.collect()]


def refusal(df: DataFrame) -> str:
    """Return the worker's message about a query that fails."""
    with pytest.raises(Exception, match=r"tfspark\.errors") as failed:
        df.collect()
    own = from_worker(failed.value)
    assert own is not None
    return str(own)


# --- Spark ML and images --------------------------------------------------------------------------

VECTORS = [
    DenseVector([1.0, 2.0]),
    SparseVector(2, [1], [5.0]),
    None,
    SparseVector(2, [], []),
    DenseVector([0.1, 1e-3]),
]


@pytest.fixture(scope="module")
def vectors(spark: SparkSession) -> DataFrame:
    numbered = [(number, one) for number, one in enumerate(VECTORS)]
    return spark.createDataFrame(numbered, ["id", "x"]).coalesce(1)


def planes() -> list[float | None]:
    """Return the answers of `plane` for the vectors, in the precision of the model."""
    pairs = [None if one is None else np.float32(one.toArray()) for one in VECTORS]
    return [None if one is None else float(2 * one[0] - one[1] + 3) for one in pairs]


@pytest.mark.parametrize("api", ["predict", "function", "sql"])
def test_ml_vectors_dense_and_sparse(
    api: str, spark: SparkSession, vectors: DataFrame, plane: str
) -> None:
    if api == "predict":
        scored = tfspark.predict(vectors, plane)
        assert scored.schema["x"] == vectors.schema["x"]
    elif api == "function":
        scored = vectors.select(tfspark.predict_udf(plane, spark=spark)(x="x"))
    else:
        vectors.createOrReplaceTempView("ml_vectors")
        tfspark.register(spark, "plane_of", plane)
        scored = spark.sql("SELECT plane_of(x) FROM ml_vectors")
    assert values(scored) == planes()


ROWS_FIRST = "spark.sql.execution.arrow.pythonUDF.columnarInput.enabled"


@pytest.mark.parametrize("api", ["predict", "function"])
def test_ml_vectors_of_a_parquet_file(
    api: str, spark: SparkSession, vectors: DataFrame, plane: str, tmp_path: Path
) -> None:
    """Spark 4.3 cannot pass these columns to a function before it has made rows of them."""
    vectors.write.parquet(str(tmp_path / "vectors"))
    read = spark.read.parquet(str(tmp_path / "vectors"))
    if api == "predict":
        assert values(tfspark.predict(read, plane)) == planes()
        return
    spark.conf.set(ROWS_FIRST, "false")
    try:
        assert values(read.select("id", tfspark.predict_udf(plane, spark=spark)(x="x"))) == planes()
    finally:
        spark.conf.unset(ROWS_FIRST)


def test_ml_vector_of_the_wrong_size_is_a_bad_row(spark: SparkSession, plane: str) -> None:
    df = spark.createDataFrame([(DenseVector([1, 2]),), (SparseVector(3, [0], [1]),)], ["x"])
    said = refusal(tfspark.predict(df.coalesce(1), plane))
    assert "column 'x', row 1" in said
    assert "(3,)" in said


MATRICES = [
    DenseMatrix(2, 3, [1, 2, 3, 4, 5, 6]),
    DenseMatrix(2, 3, [1, 2, 3, 4, 5, 6], isTransposed=True),
    SparseMatrix(3, 2, [0, 1, 3], [2, 0, 1], [7, 8, 9]),
    None,
]


@pytest.mark.parametrize("api", ["predict", "function"])
def test_ml_matrices_of_either_order(api: str, spark: SparkSession, path_of: Any) -> None:
    path = path_of(batches.open_dimensions)
    df = spark.createDataFrame([(n, one) for n, one in enumerate(MATRICES)], ["id", "x"]).coalesce(
        1
    )
    if api == "predict":
        scored = tfspark.predict(df, path, fetch={"transposed": "y"})
    else:
        scored = df.select(tfspark.predict_udf(path, fetch={"transposed": "y"}, spark=spark)(x="x"))
    expected = [None if one is None else one.toArray().T.tolist() for one in MATRICES]
    assert values(scored) == expected


@pytest.fixture(scope="module")
def images(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """Spark's image column: a red and a green pixel, and the same with an alpha channel."""
    folder = tmp_path_factory.mktemp("images")
    pixels = np.array([[[255, 0, 0], [0, 129, 3]]], np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    return spark.read.format("image").load(str(folder)).select("image")


@pytest.mark.parametrize("api", ["predict", "function"])
def test_spark_images_come_as_red_green_blue(
    api: str, spark: SparkSession, images: DataFrame, path_of: Any
) -> None:
    path = path_of(element_types.colours)
    if api == "predict":
        scored = tfspark.predict(images, path, feed={"x": "image"})
    else:
        scored = images.select(tfspark.predict_udf(path, spark=spark)(x="image"))
    assert values(scored) == [[127.5, 64.5, 1.5]]


def test_encoded_image_for_pixels_says_where_to_decode(spark: SparkSession, path_of: Any) -> None:
    df = spark.createDataFrame([(element_types.png((1, 2, 3)),)], "x binary")
    said = refusal(tfspark.predict(df, path_of(element_types.raw_pixels)))
    assert "column 'x', row 0" in said
    assert "decode" in said
    with pytest.raises(BindingError, match="decoded inside the graph"):
        tfspark.predict(df, path_of(batches.open_dimensions))


# --- structs and names ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(spark: SparkSession) -> Iterator[DataFrame]:
    """Three rows whose columns feed `a − b` in many ways."""
    df = spark.sql(
        """
        SELECT named_struct('B', b, 'a', a, 'other', 'text') s, a, b, CAST(a AS DOUBLE) C,
          CAST(b AS DECIMAL(5, 1)) d, a > 2 flag, array(a, b) pair, DATE'2024-01-02' AS day,
          TIMESTAMP'2024-01-02 03:04:05' AS at, TIMESTAMP_NTZ'2024-01-02 03:04:05' AS ntz,
          INTERVAL '1' DAY AS span, INTERVAL '1' YEAR AS years, '5' AS text
        FROM VALUES (1f, 10f), (2f, 20f), (3f, null) AS t(a, b)
        """
    ).coalesce(1)
    df.createOrReplaceTempView("thirdparty_columns")
    yield df.cache()
    df.unpersist()


DIFFERENCES = [-9.0, -18.0, None]


@pytest.mark.parametrize(
    "feed",
    [
        {"a": "s.a", "b": "s.b"},
        {"a": "S.A", "b": "s.B"},
        {"a": "A", "b": "D"},
        {"a": "`a`", "b": "`s`.`B`"},
        {"a": "c", "b": "d"},
        {},
    ],
    ids=[
        "fields",
        "fields in another case",
        "columns in another case",
        "quoted",
        "numbers",
        "none",
    ],
)
def test_feed_names_what_spark_names(feed: Any, table: DataFrame, minus: str) -> None:
    assert values(tfspark.predict(table, minus, feed=feed, keep=["s"])) == DIFFERENCES


def test_one_field_feeds_two_inputs(table: DataFrame, minus: str) -> None:
    scored = tfspark.predict(table, minus, feed={"a": "s.a", "b": "s.a"}, keep=[])
    assert values(scored) == [0.0] * 3


def test_feed_takes_expressions(table: DataFrame, minus: str) -> None:
    feed = {"a": sf.col("s.a"), "b": sf.expr("b * 1")}
    assert values(tfspark.predict(table, minus, feed=feed, keep=["s"])) == DIFFERENCES


def test_case_counts_where_it_counts_in_spark(
    spark: SparkSession, table: DataFrame, minus: str
) -> None:
    spark.conf.set("spark.sql.caseSensitive", "true")
    try:
        with pytest.raises(BindingError, match=r"there is no column 'A'\. Did you mean 'a'"):
            tfspark.predict(table, minus, feed={"a": "A"})
    finally:
        spark.conf.unset("spark.sql.caseSensitive")


def test_a_struct_alone_feeds_its_fields(table: DataFrame, minus: str) -> None:
    assert values(tfspark.predict(table.select("s"), minus)) == DIFFERENCES


def test_field_that_is_not_there_is_refused(table: DataFrame, minus: str) -> None:
    with pytest.raises(BindingError, match=r"no column 's\.q'"):
        tfspark.predict(table, minus, feed={"a": "s.q", "b": "b"})


@pytest.mark.parametrize(
    "call",
    [
        "minus(a, b)",
        "minus(struct(a, b))",
        "minus(struct(b, a))",
        "minus(s)",
        "minus(named_struct('B', d, 'a', c))",
        "minus(c, d)",
    ],
)
def test_sql_binds_a_struct_by_name(
    call: str, spark: SparkSession, table: DataFrame, minus: str
) -> None:
    tfspark.register(spark, "minus", minus)
    assert values(spark.sql(f"SELECT {call} FROM thirdparty_columns")) == DIFFERENCES


@pytest.mark.parametrize("kind", ["arrow", "pandas"])
def test_function_takes_a_struct_as_predict_batch_udf_does(
    kind: Any, spark: SparkSession, table: DataFrame, minus: str
) -> None:
    score = tfspark.predict_udf(minus, kind=kind, spark=spark)
    scored = table.select(
        score(sf.struct("a", "b")).alias("one"),
        score(sf.struct("b", "a")).alias("two"),
        score(sf.col("s")).alias("three"),
        score(b="b", a="a").alias("four"),
    )
    assert [list(row) for row in scored.collect()] == [[one] * 4 for one in DIFFERENCES]


def test_struct_without_an_input_is_refused(
    spark: SparkSession, table: DataFrame, minus: str
) -> None:
    tfspark.register(spark, "minus", minus)
    said = refusal(spark.sql("SELECT minus(struct(a, c)) FROM thirdparty_columns"))
    assert "input b: float32 (None,): no column of that name" in said
    assert "c double" in said


def test_positions_in_another_order_are_refused(
    spark: SparkSession, table: DataFrame, minus: str
) -> None:
    score = tfspark.predict_udf(minus, spark=spark)
    with pytest.raises(BindingError, match=r"(?s)another order.*expected: a, b.*found: +b, a"):
        score("b", "a")
    with pytest.raises(BindingError, match="another order"):
        score(table.b, table.a)
    assert values(table.select(score("a", "b"))) == DIFFERENCES
    assert values(table.select(score("b", "c"))) == [9.0, 18.0, None]


# --- literals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("minus(2.5, 1)", 1.5),
        ("minus(CAST(2 AS TINYINT), 1Y)", 1.0),
        ("minus(9007199254740993, 0)", 9007199254740992.0),
        ("minus(true, 0.5D)", 0.5),
        ("minus(1, NULL)", None),
        ("plane(array(1, 2))", 3.0),
        ("plane(array(1.5, 2))", 4.0),
        ("plane(1, 2)", 3.0),
        ("plane(array(CAST(NULL AS INT), 2))", None),
    ],
)
def test_sql_takes_literals(
    call: str, expected: float | None, spark: SparkSession, plane: str, minus: str
) -> None:
    tfspark.register(spark, "minus", minus)
    tfspark.register(spark, "plane", plane)
    assert values(spark.sql(f"SELECT {call} AS y")) == [expected]


def test_function_takes_constants(spark: SparkSession, table: DataFrame, minus: str) -> None:
    score = tfspark.predict_udf(minus, spark=spark)
    scored = table.select(score(a="a", b=0.5), score(a=True, b="a"), score("a", sf.lit(1)))
    assert [list(row) for row in scored.limit(1).collect()] == [[0.5, 0.0, 0.0]]


# --- values that are not numbers ------------------------------------------------------------------

REFUSED = {
    "day": "unix_date",
    "at": "unix_micros",
    "ntz": "unix_micros",
    "span": "extract",
    "years": "extract",
    "text": "try_cast",
}


@pytest.mark.parametrize("column", REFUSED)
def test_what_is_no_number_is_refused_with_its_function(
    column: str, table: DataFrame, minus: str
) -> None:
    with pytest.raises(BindingError, match=rf"input b: .*'{column}'.*{REFUSED[column]}"):
        tfspark.predict(table, minus, feed={"b": column})


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("unix_date(day)", 19724.0),
        ("unix_micros(at)", 1.70416464e15),
        ("extract(DAY FROM span)", 1.0),
        ("try_cast(text AS float)", 5.0),
    ],
)
def test_the_named_function_converts(
    expression: str, expected: float, table: DataFrame, minus: str
) -> None:
    scored = tfspark.predict(table, minus, feed={"a": sf.expr(expression), "b": 0}, keep=[])
    assert values(scored)[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("column", ["day", "text"])
def test_sql_refuses_what_is_no_number(
    column: str, spark: SparkSession, table: DataFrame, minus: str
) -> None:
    tfspark.register(spark, "minus", minus)
    said = refusal(spark.sql(f"SELECT minus(a, {column}) FROM thirdparty_columns"))
    assert REFUSED[column] in said


# --- bad rows -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("save", "rows", "schema", "words"),
    [
        ("pair", [(1.0, 1.0), (1e39, 1.0)], "a double, b double", ["'a', row 1", "1e+39"]),
        ("pair_of_ints", [(1, 1), (2**31, 1)], "a bigint, b bigint", ["'a', row 1", "2147483648"]),
        (
            "pair_of_ints",
            [(Decimal(1), 1), (Decimal(10**20), 1)],
            "a decimal(38,0), b int",
            ["'a', row 1", "100000000000000000000"],
        ),
    ],
)
def test_value_out_of_range_is_a_bad_row(
    save: str, rows: Any, schema: str, words: list[str], spark: SparkSession, path_of: Any
) -> None:
    path = path_of(getattr(scalars, save))
    df = spark.createDataFrame(rows, schema).coalesce(1)
    said = refusal(tfspark.predict(df, path))
    assert all(word in said for word in words), said


def test_fraction_for_an_integer_needs_narrow(spark: SparkSession, path_of: Any) -> None:
    path = path_of(scalars.pair_of_ints)
    df = spark.createDataFrame([(3.0, 1), (0.5, 1)], "a double, b int").coalesce(1)
    with pytest.raises(BindingError, match=r"input a: .*double.*narrow=True"):
        tfspark.predict(df, path)
    assert values(tfspark.predict(df.limit(1), path, narrow=True)) == [2]
    said = refusal(tfspark.predict(df, path, narrow=True))
    assert "column 'a', row 1" in said
    assert "0.5" in said


def test_rdd_takes_numbers_by_the_same_rule(spark: SparkSession, minus: str) -> None:
    context = spark.sparkContext
    rows = [{"a": 2**53 + 1, "b": True}, {"a": 1, "b": Decimal("0.5")}, {"a": 0.1, "b": 0}]
    scored = tfspark.predict_rdd(context.parallelize(rows, 1), minus).collect()
    assert scored == [9007199254740992.0, 0.5, float(np.float32(0.1))]
    bad = tfspark.predict_rdd(
        context.parallelize([{"a": 1, "b": 1}, {"a": 1e39, "b": 1}], 1), minus
    )
    with pytest.raises(Exception, match="row 1") as failed:
        bad.collect()
    assert isinstance(from_worker(failed.value), RowError)
