from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from pyspark import TaskContext
from pyspark.errors import PythonException
from pyspark.ml.linalg import Matrices, Vectors
from pyspark.sql import Row

from tfspark import predict_rdd
from tfspark.errors import BindingError, UsageError


@pytest.fixture
def score(spark):
    """Score elements, by default in one partition."""

    def run(elements, model, *, partitions=1, **options):
        rdd = spark.sparkContext.parallelize(elements, partitions)
        return predict_rdd(rdd, model, **options).collect()

    return run


@pytest.fixture
def refused(score):
    """Return the worker's message about elements that cannot be scored."""

    def message(elements, model, **options):
        with pytest.raises(PythonException) as caught:
            score(elements, model, **options)
        return str(caught.value)

    return message


def test_the_source_material(score, linear):
    assert score([[1, 2], [3, 5], [6, 7], [8, 3]], linear, partitions=2) == [3.0, 4.0, 8.0, 16.0]


def test_elements_may_be_written_in_many_ways(score, linear):
    elements = [
        (1, 2),
        [3.0, 5],
        np.array([6, 7]),
        np.array([8.0, 3.0]),
        (np.float32(1), np.int64(2)),
        {"inputs": [3, 5]},
        {"inputs": np.array([6, 7]), "id": 4},
        Row(inputs=[8, 3], id=4),
        Row(features=(1, 2)),
        Row(x=3, y=5),
        None,
        {"inputs": None},
        [1, None],
    ]
    expected = [3.0, 4.0, 8.0, 16.0, 3.0, 4.0, 8.0, 16.0, 3.0, 4.0, None, None, None]
    assert score(elements, linear) == expected


def test_nan_is_fed(score, linear):
    assert str(score([[float("nan"), 1], [1, 2]], linear)) == "[nan, 3.0]"


@pytest.mark.parametrize("partitions", [1, 3, 7])
def test_predictions_zip_with_the_input(spark, linear, partitions):
    rdd = spark.sparkContext.parallelize([[i, 1] for i in range(5)], partitions)
    predictions = predict_rdd(rdd, linear)
    assert predictions.getNumPartitions() == partitions
    assert rdd.zip(predictions).collect() == [([i, 1], 2.0 * i + 2) for i in range(5)]


@pytest.mark.parametrize("batch_size", [None, 1, 7])
def test_a_long_partition_keeps_its_order(score, linear, batch_size):
    elements = [[i, 1] if i % 5 else None for i in range(5000)]
    expected = [2.0 * i + 2 if i % 5 else None for i in range(5000)]
    assert score(elements, linear, batch_size=batch_size) == expected


@pytest.mark.parametrize(
    ("dtype", "shape", "elements"),
    [
        ("int64", (None,), [2**62 + 1, None, -3]),
        ("int8", (None,), [127, -128]),
        ("float64", (None,), [1.5, 2.0, None]),
        ("bool", (None,), [True, False, None]),
        ("string", (None,), ["größe", "", None, "列"]),
        ("string", (None, None), [["a", "b"], [], None, ["c"]]),
        ("float32", (None, None), [[1.0], [], [1.0, 2.0], None]),
        ("float32", (None, 2, 3), [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], None]),
        ("int32", (None, None, None, 1), [[[[1], [2]]], None, [[[3]]]]),
    ],
)
def test_elements_come_back_as_they_went_in(score, identity, dtype, shape, elements):
    assert score(elements, identity(dtype, shape)) == elements


@pytest.mark.parametrize(
    ("dtype", "shape", "elements", "expected"),
    [
        ("int64", (None,), [np.int64(2**62), np.uint8(3), 1.0], [2**62, 3, 1]),
        ("uint64", (None,), [np.uint64(2**64 - 1), 1.0, Decimal(7)], [2**64 - 1, 1, 7]),
        ("float32", (None, 1), [1, [2.5], None, (3,), np.array([4.0])], [1.0, 2.5, None, 3.0, 4.0]),
        ("float32", (None,), [2**60 + 2**36 + 1, np.int64(2**60)], [2.0**60 + 2**37, 2.0**60]),
        ("float16", (None,), [Decimal("1.00048828125000001"), 1.0], [1 + 2**-10, 1.0]),
        ("int64", (None,), [1, True, np.bool_(False)], [1, 1, 0]),
        ("uint8", (None, 2), [[True, False], [2, 3]], [[1, 0], [2, 3]]),
        ("bool", (None,), [np.bool_(True)], [True]),
        ("string", (None,), [b"a", bytearray(b"b"), np.str_("c")], ["a", "b", "c"]),
        ("string", (None, None), [np.array(["x", "yy"]), ("z",)], [["x", "yy"], ["z"]]),
        ("int32", (None, 2, 2), [np.arange(4), [5, 6, 7, 8]], [[[0, 1], [2, 3]], [[5, 6], [7, 8]]]),
        ("int32", (None, 2, 2), [[np.array([0, 1]), (2, 3)]], [[[0, 1], [2, 3]]]),
        (
            "int32",
            (None, 2, 2),
            [[5, 6, 7, 8], [[0, 1], [2, 3]]],
            [[[5, 6], [7, 8]], [[0, 1], [2, 3]]],
        ),
        (
            "int32",
            (None, 2, 2),
            [[[0, 1], [2, 3]], [5, 6, 7, 8]],
            [[[0, 1], [2, 3]], [[5, 6], [7, 8]]],
        ),
        ("int32", (None, 2, 2), [*[None] * 40, [1, 2, 3, 4]], [*[None] * 40, [[1, 2], [3, 4]]]),
        ("float32", (None, None), [*[None] * 40, [1.0]], [*[None] * 40, [1.0]]),
        ("float32", (None, 1, 2), [[np.zeros((1, 2))[0]]], [[[0.0, 0.0]]]),
        (
            "float32",
            (None, 2),
            [Vectors.dense(1, 2), Row(features=Vectors.sparse(2, {1: 3.0})), {"x": [4, 5]}],
            [[1.0, 2.0], [0.0, 3.0], [4.0, 5.0]],
        ),
        ("float32", (None, 1, 2), [Matrices.dense(1, 2, [1, 2])], [[[1.0, 2.0]]]),
    ],
)
def test_other_kinds_of_values(score, identity, dtype, shape, elements, expected):
    assert score(elements, identity(dtype, shape)) == expected


def test_bytes_stay_bytes(score, identity):
    assert score([b"\xff\x00", "a"], identity("string"), strings="binary") == [b"\xff\x00", b"a"]


def test_several_inputs_come_by_name(score, pair):
    elements = [{"a": 1, "b": 2}, Row(b=3, a=2), {"a": 1.5, "b": None}, None]
    expected = [(3.0, -1.0), (5.0, -1.0), (None, None), (None, None)]
    answers = score(elements, pair)
    assert [(one["sum"], one["difference"]) for one in answers] == expected


def test_feed_names_keys_and_fetch_names_results(score, pair):
    elements = [{"x": 1, "b": 2}, Row(x=3, b=4)]
    assert score(elements, pair, feed={"a": "x"}, fetch={"sum": "s"}) == [3.0, 7.0]
    both = {"difference": "d", "sum": "s"}
    assert score(elements, pair, feed={"a": "x"}, fetch=both)[0] == {"d": -1.0, "s": 3.0}


def test_rows_of_a_dataframe(points, linear):
    rows = points.selectExpr("1 AS id", "features").rdd
    assert predict_rdd(rows, linear, feed={"inputs": "features"}).collect() == [3.0, 4.0, 9.0]


def test_a_second_signature(score, pair):
    assert score([1, 2], pair, signature="double") == [2, 4]


@pytest.mark.parametrize("elements", [[], [None, None]])
def test_nothing_to_score(score, linear, elements):
    assert score(elements, linear, partitions=3) == elements


def test_a_partition_is_read_as_it_is_needed(spark, linear):
    def endless(_):
        number = 0
        while True:
            yield [number, 1]
            number += 1

    rdd = spark.sparkContext.parallelize([0], 1).mapPartitions(endless)
    assert predict_rdd(rdd, linear).take(3) == [2.0, 4.0, 6.0]


def test_wide_elements_are_read_a_few_at_a_time(spark, identity):
    model = identity("float32", (None, None))
    wide = spark.sparkContext.parallelize([0], 1).flatMap(
        lambda _: ([1.0] * 200_000 for _ in "x" * 40)
    )
    assert predict_rdd(wide, model).map(len).collect() == [200_000] * 40


@pytest.mark.parametrize(
    ("dtype", "shape", "elements", "message"),
    [
        ("float32", (None, 2), [[1, 2], "ab"], "row 1 of partition 0: the element cannot feed"),
        (
            "float32",
            (None, 2),
            [[1, 2], [1, 2, 3]],
            "row 1 of partition 0: expected a row of shape",
        ),
        ("float32", (None, 2), [1.0], "expected array<float> of shape (2,), found"),
        ("int32", (None, 2, 2), [[1, 2, 3, 4], [[1, 2, 3], [4]]], "row 1 of partition 0: the ele"),
        ("float32", (None,), [1.0, 1e300], "row 1 of partition 0: 1e+300 does not fit float32"),
        ("int8", (None,), [1, 128], "row 1 of partition 0: 128 does not fit int8"),
        ("int64", (None,), [1, 1.5], "row 1 of partition 0: the element cannot feed"),
        ("int64", (None,), [1, 2**63], "row 1 of partition 0: the element cannot feed"),
        ("int64", (None, None), [[1], [2, 0.5]], "row 1 of partition 0: the element cannot feed"),
        ("int64", (None,), [1, "2"], "row 1 of partition 0: the element cannot feed"),
        ("int64", (None,), [timedelta(1)], "of the type duration[us] is not a number"),
        ("int64", (None, None), [[datetime(2020, 1, 1)]], "timestamp[us] is not a number"),
        ("bool", (None,), [True, 1], "row 1 of partition 0: the element cannot feed"),
        ("string", (None,), ["a", 1], "row 1 of partition 0: the element cannot feed"),
        ("string", (None,), ["a", b"\xff"], "not UTF-8"),
        (
            "float32",
            (None, None, None),
            [[[1.0], [1.0, 2.0]]],
            "inner lists have different lengths",
        ),
    ],
)
def test_values_that_do_not_fit_are_named(refused, identity, dtype, shape, elements, message):
    assert message in refused(elements, identity(dtype, shape))


@pytest.mark.parametrize("element", [{"a": 1}, Row(a=1), {}])
def test_a_missing_key_is_no_null(refused, pair, element):
    text = refused([{"a": 1, "b": 2}, element], pair)
    assert "tfspark.errors.RowError: model pair version 1 (" in text
    assert "row 1 of partition 0: the element cannot feed input" in text
    assert "but not '" in text
    assert 'Hint: name the key with feed={"' in text


@pytest.mark.parametrize("element", [[1, 2], 5, "x"])
def test_an_element_without_names_feeds_one_input_only(refused, pair, element):
    text = refused([element], pair)
    assert "not a dict or Row with 'a', 'b'" in text
    assert "Hint: map each element to a dict" in text


def test_a_value_of_another_kind_has_a_next_step(refused, identity):
    assert "Hint: fix the element or filter it out." in refused([1, "2"], identity("int64"))


def test_rows_are_counted_over_all_batches(refused, linear):
    assert "row 4321 of partition 0" in refused([[1, 2]] * 4321 + ["x"], linear)


def test_the_partition_is_named(spark, linear):
    def broken(elements):
        return (["x"] if TaskContext.get().partitionId() == 1 else one for one in elements)

    rdd = spark.sparkContext.parallelize([[1, 2]] * 4, 2).mapPartitions(broken)
    with pytest.raises(PythonException, match="row 0 of partition 1"):
        predict_rdd(rdd, linear).collect()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"feed": {"input": "x"}}, BindingError, "Did you mean 'inputs'"),
        ({"feed": "inputs"}, UsageError, "a dict {input: column"),
        ({"feed": {"inputs": ["x", "y"]}}, UsageError, "key of one value"),
        ({"feed": {"inputs": [1.0, 2.0]}}, BindingError, "only constants feed"),
        ({"feed": {"inputs": [1.0]}}, BindingError, "expected a constant of shape"),
        ({"fetch": {"output": "x"}}, BindingError, "Did you mean 'outputs'"),
        ({"strings": "text"}, UsageError, "'string', 'binary'"),
        ({"bach_size": 1}, UsageError, "Did you mean 'batch_size'"),
    ],
)
def test_options_are_checked_at_the_call(score, linear, options, error, message):
    with pytest.raises(error, match=message):
        score([[1, 2]], linear, **options)


def test_a_signature_without_inputs_is_refused(score, save):
    import tensorflow as tf

    model = save("constant", lambda: {"y": tf.where(tf.constant([True]))[:, 0]})
    with pytest.raises(BindingError, match="has no inputs"):
        score([1.0], model)


def test_predictions_have_no_partitioner_because_they_replace_the_keys(spark, linear):
    rows = spark.sparkContext.parallelize([(1.0, 2.0), (3.0, 5.0)]).partitionBy(2)
    vectors = rows.map(list, preservesPartitioning=True)
    assert vectors.partitioner is not None
    predictions = predict_rdd(vectors, linear)
    assert predictions.partitioner is None
    assert sorted(predictions.collect()) == [3.0, 4.0]
