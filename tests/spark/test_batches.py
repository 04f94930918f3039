import pytest
from pyspark.sql import types as sql

from tfspark.signature import Signature, TensorSpec
from tfspark.spark.cluster.arrow_batches import row_bytes, sized_batches

ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
BYTES = "spark.sql.execution.arrow.maxBytesPerBatch"


def model(shape=(None, 2), dtype="float32"):
    return Signature("serve", (TensorSpec("x", dtype, shape),), ())


@pytest.mark.parametrize(
    ("signature", "beside", "size"),
    [
        (model(), [], 8),
        (model((None,), "int64"), [], 8),
        (model(), [sql.LongType(), sql.DateType()], 42),
        (model(), [sql.StringType()], None),
        (model(), [sql.ArrayType(sql.FloatType())], None),
        (model((None, None)), [], None),
        (model((None,), "string"), [], None),
    ],
)
def test_the_size_of_a_row_is_known_or_not(signature, beside, size):
    assert row_bytes([signature], beside) == size


def test_batches_are_bounded_by_rows_inside_the_block_alone(spark):
    before = spark.conf.get(ROWS), spark.conf.get(BYTES)
    with sized_batches(spark, [model((None, 1 << 18))], []):
        assert spark.conf.get(ROWS) == "4"
        assert spark.conf.get(BYTES) == str(2**31 - 1)
    assert (spark.conf.get(ROWS), spark.conf.get(BYTES)) == before


def test_what_the_user_has_set_is_left_alone(spark):
    spark.conf.set(ROWS, "123")
    try:
        with sized_batches(spark, [model()], []):
            assert spark.conf.get(ROWS) == "123"
        assert spark.conf.get(ROWS) == "123"
    finally:
        spark.conf.unset(ROWS)
