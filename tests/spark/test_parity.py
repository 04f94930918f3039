"""Every API, partitioning, batch size and engine against `tf.saved_model.load`, on real digits.

With the same batches, a model gives the same bits. With other batches, it gives the same digits,
and probabilities within 1e-6, because kernels add in another order.
"""

from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import functions as sf

from tfspark import predict, predict_rdd, predict_udf, register
from tfspark.options import ScoreOptions
from tfspark.scoring.batch import BatchJob, execute, new_report, plan
from tfspark.scoring.dataset import Dataset

PARTITIONS = [1, 3]
BATCH_SIZES = [1, 64, None]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The digits model, trained once, as its export dir."""
    from models import digits

    network = digits.build()
    digits.train(network, digits.dataset())
    return str(digits.export(network, tmp_path_factory.mktemp("parity")))


@pytest.fixture(scope="module")
def pictures():
    from models.digits import full_dataset

    return full_dataset()


@pytest.fixture(scope="module")
def table(spark, pictures):
    """The pictures in some partitions, kept so that their rows stay where they are."""
    pixels, labels = pictures
    columns = {"id": range(len(labels)), "pixels": list(pixels), "label": labels}
    schema = pa.schema(
        [("id", pa.int64()), ("pixels", pa.list_(pa.float32())), ("label", pa.int32())]
    )
    whole = spark.createDataFrame(pa.table(columns, schema=schema))
    kept = {count: whole.repartition(count).cache() for count in PARTITIONS}
    yield kept.__getitem__
    for df in kept.values():
        df.unpersist()


@pytest.fixture(scope="module")
def reference(model, pictures, table):
    """The answers of TensorFlow itself for the batches of a partitioning, in the order of ids."""
    import tensorflow as tf

    loaded = tf.saved_model.load(model)
    serve = loaded.signatures["serving_default"]
    pixels, _ = pictures

    def batches(partitions, batch_size):
        rows = table(partitions).select("id", sf.spark_partition_id().alias("part")).collect()
        for part in range(partitions):
            ids = np.array([row.id for row in rows if row.part == part])
            size = batch_size or len(ids)
            yield from (ids[start : start + size] for start in range(0, len(ids), size))

    @cache
    def answers(partitions=1, batch_size=None):
        digits = np.empty(len(pixels), np.int64)
        probabilities = np.empty((len(pixels), 10), np.float32)
        for ids in batches(partitions, batch_size):
            answer = serve(pixels=tf.constant(pixels[ids]))
            digits[ids], probabilities[ids] = answer["digit"], answer["probabilities"]
        return digits, probabilities

    return answers


def by_function(df, function):
    return df.select("id", function("pixels").alias("p")).select("id", "p.*").collect()


def by_sql(df, model, **options):
    df.createOrReplaceTempView("pictures")
    register(df.sparkSession, "read_digit", model, **options)
    return df.sparkSession.sql(
        "SELECT id, p.* FROM (SELECT id, read_digit(pixels) AS p FROM pictures)"
    ).collect()


def by_rdd(df, model, **options):
    answers = predict_rdd(df.rdd, model, **options).collect()
    ids = df.select("id").collect()
    return [{"id": row.id, **answer} for row, answer in zip(ids, answers, strict=True)]


APIS = {
    "predict": lambda df, model, **o: predict(df, model, keep=["id"], **o).collect(),
    "arrow": lambda df, model, **o: by_function(df, predict_udf(model, **o)),
    "pandas": lambda df, model, **o: by_function(df, predict_udf(model, kind="pandas", **o)),
    "sql": by_sql,
    "rdd": by_rdd,
}


def in_order(rows):
    rows = sorted(rows, key=lambda row: row["id"])
    assert [row["id"] for row in rows] == list(range(1797))
    digits = np.array([row["digit"] for row in rows])
    return digits, np.array([row["probabilities"] for row in rows], np.float32)


def assert_same_bits(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_close(found, expected):
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("api", "partitions"), [("predict", 1), *((api, 3) for api in APIS)])
def test_every_api_gives_the_bits_of_tensorflow(table, model, reference, api, partitions):
    for batch_size in BATCH_SIZES:
        found = in_order(APIS[api](table(partitions), model, batch_size=batch_size))
        assert_same_bits(found, reference(partitions, batch_size))
        assert_close(found, reference())


@pytest.mark.parametrize("api", ["predict", "rdd"])
def test_apis_run_on_tensorflow_in_python(table, model, reference, api):
    """Two APIs are enough, because all APIs open models in one place; each import is slow."""
    found = in_order(APIS[api](table(1), model, engine="tensorflow", batch_size=64))
    assert_same_bits(found, reference(1, 64))


@pytest.mark.parametrize("path", ["direct", "spark"])
def test_the_batch_job_gives_the_same_digits(spark, table, model, reference, tmp_path, path):
    for partitions, batch_size in zip((3, 3, 1), BATCH_SIZES, strict=True):
        source = tmp_path / f"in-{batch_size}"
        table(partitions).write.parquet(str(source))
        target = str(tmp_path / f"out-{batch_size}")
        job = BatchJob(
            model,
            Dataset(str(source)),
            Dataset(target),
            keep=["id"],
            path=path,
            options=ScoreOptions(batch_size=batch_size),
        )
        report = new_report("parity")
        execute(spark, plan(spark, job, report), report)
        assert (report.rows_in, report.rows_out, report.path) == (1797, 1797, path)
        found = in_order(spark.read.parquet(target).collect())
        assert_close(found, reference())
        if batch_size == 1:  # a job may group rows into larger batches
            assert_same_bits(found, reference(partitions, 1))


def test_the_digits_are_the_right_ones(table, model, pictures):
    digits, _ = in_order(APIS["predict"](table(3), model))
    assert (digits == pictures[1]).mean() >= 0.95
