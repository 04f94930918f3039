"""Every API sets bad rows aside in the same way."""

import pytest
from pyspark.sql import functions as sf

from tfspark import predict, predict_rdd, predict_udf, register
from tfspark.errors import BindingError

# Row 1 is refused by the model, row 2 is null, row 4 is out of the range of int32.
VALUES = [0, 7, None, 2, 2**40]
ANSWERS = [10.0, None, None, 30.0, None]
CODES = [None, "MODEL_REFUSED", None, None, "OUT_OF_RANGE"]


@pytest.fixture(scope="module")
def prices(save):
    """A model that looks up numbers from 0 to 2 and refuses all others."""
    import tensorflow as tf

    table = tf.constant([10.0, 20.0, 30.0])
    return save(
        "prices", lambda x: {"y": tf.gather(table, x)}, tf.TensorSpec((None,), "int32", "x")
    )


@pytest.fixture
def rows(spark):
    return spark.createDataFrame(list(enumerate(VALUES)), "id int, x bigint").coalesce(1)


@pytest.mark.parametrize(
    ("columns", "path"),
    [
        (["named_struct('x', 7L) AS s"], "s.x"),
        (["named_struct('x', 7L) AS `a.b`"], "`a.b`.x"),
        (["named_struct('x', 7L) AS s", "1L AS `s.x`"], "s.`x`"),
    ],
)
def test_the_reason_names_the_field_of_a_struct(spark, identity, columns, path):
    bad = spark.range(1).selectExpr(*(one.replace("7L", "700L") for one in columns))
    why = predict(bad, identity("int8"), on_error="null", reason="why").first().why
    assert (why.code, why.column) == ("OUT_OF_RANGE", path)


def test_predict_gives_null_and_the_reason(rows, prices):
    scored = predict(rows, prices, on_error="null", reason="why")
    assert scored.schema.simpleString() == (
        "struct<id:int,x:bigint,y:float,why:struct<code:string,column:string,message:string>>"
    )
    found = scored.orderBy("id").collect()
    assert [row.y for row in found] == ANSWERS
    assert [row.why and row.why.code for row in found] == CODES
    assert found[1].why.message.startswith("the model refuses the row: indices[0] = 7 is not in")
    assert found[4].why.column == "x"
    assert found[4].why.message == "1099511627776 does not fit int32"


def test_predict_without_a_reason_gives_null(rows, prices):
    scored = predict(rows, prices, on_error="null", keep=["id"])
    assert scored.columns == ["id", "y"]
    assert [row.y for row in scored.orderBy("id").collect()] == ANSWERS


def test_a_stream_sets_bad_rows_aside(spark, rows, prices, tmp_path):
    source, target, log = (str(tmp_path / name) for name in ("in", "out", "log"))
    rows.write.parquet(source)
    stream = spark.readStream.schema(rows.schema).parquet(source)
    scored = predict(stream, prices, on_error="null", reason="why", keep=["id"])
    writer = scored.writeStream.format("parquet").option("checkpointLocation", log)
    writer.trigger(availableNow=True).start(target).awaitTermination()
    found = spark.read.parquet(target).orderBy("id").collect()
    assert [row.y for row in found] == ANSWERS
    assert [row.why and row.why.code for row in found] == CODES


@pytest.mark.parametrize("kind", ["arrow", "pandas"])
def test_a_column_function_gives_a_struct_with_the_reason(rows, prices, kind):
    function = predict_udf(prices, kind=kind, on_error="null", reason="why")
    found = rows.select("id", function("x").alias("p")).orderBy("id").collect()
    assert [row.p.y for row in found] == ANSWERS
    assert [row.p.why and row.p.why.code for row in found] == CODES
    plain = predict_udf(prices, kind=kind, on_error="null")
    assert [row[0] for row in rows.select(plain("x")).collect()] == ANSWERS


def test_sql_reads_the_reason(spark, rows, prices):
    register(spark, "priced", prices, on_error="null", reason="why")
    rows.createOrReplaceTempView("priced_rows")
    query = "SELECT p.y, p.why.code FROM (SELECT id, priced(x) AS p FROM priced_rows) ORDER BY id"
    assert [tuple(row) for row in spark.sql(query).collect()] == list(
        zip(ANSWERS, CODES, strict=True)
    )


def test_an_rdd_gives_none_and_the_reason(spark, prices):
    rdd = spark.sparkContext.parallelize([*VALUES, "two", 1], 1)
    found = predict_rdd(rdd, prices, on_error="null", reason="why").collect()
    assert [one["y"] for one in found] == [*ANSWERS, None, 20.0]
    assert [one["why"] and one["why"]["code"] for one in found] == [*CODES, "UNREADABLE", None]
    assert found[5]["why"]["column"] == "x"
    assert "the element cannot feed input x: int32" in found[5]["why"]["message"]
    plain = predict_rdd(rdd, prices, on_error="null").collect()
    assert plain == [*ANSWERS, None, 20.0]


def test_an_unreadable_element_is_not_filled(spark, prices):
    rdd = spark.sparkContext.parallelize(["two", None, 1], 1)
    assert predict_rdd(rdd, prices, on_error="null", on_null=2).collect() == [None, 30.0, 20.0]


def test_no_partition_and_no_row_make_no_difference(spark, rows, prices):
    scored = predict(rows.where("id < 0").repartition(3), prices, on_error="null", reason="why")
    assert scored.collect() == []
    spread = predict(rows.repartition(7), prices, on_error="null", reason="why")
    assert [row.y for row in spread.orderBy("id").collect()] == ANSWERS


def test_many_columns_of_one_input_keep_their_names_in_reasons(spark, identity):
    names = [f"c{at}" for at in range(20)]
    values = [sf.lit(1e300 if name == "c7" else 1.0).alias(name) for name in names]
    wide = spark.range(1).select(*values)
    (row,) = predict(
        wide, identity("float32", (None, 20)), feed={"x": names}, keep=[], on_error="null",
        reason="why",
    ).collect()  # fmt: skip
    assert (row.y, row.why.column) == (None, "c7")


def test_the_name_of_the_reason_must_be_free(rows, prices):
    with pytest.raises(BindingError, match="reason is 'ID', and the column 'id' already exists"):
        predict(rows, prices, on_error="null", reason="ID")
    with pytest.raises(BindingError, match="reason is 'y', and the column 'y' already exists"):
        predict_udf(prices, on_error="null", reason="y")
