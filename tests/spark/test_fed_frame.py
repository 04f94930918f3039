"""The columns of a frame that is scored: fed, kept, stacked, passed under numbers."""

import numpy as np
import pytest
from pyspark.sql import functions as sf

from tfspark.errors import BindingError
from tfspark.schema import bind
from tfspark.signature import Signature, TensorSpec
from tfspark.spark.fed_frame import MANY, FedFrame
from tfspark.spark.types import columns_of
from tfspark.terms import PYTHON

WIDE = Signature(
    "serve",
    (TensorSpec("x", "float32", (None, MANY)), TensorSpec("k", "float32", (None,))),
    (TensorSpec("y", "float32", (None, 1)),),
)
NAMES = [f"x{number}" for number in range(MANY)]
FEED = {"x": NAMES}


def bound(fed, signature):
    return bind(signature, columns_of(fed.frame.schema), feed=fed.feed)


@pytest.fixture
def wide(spark):
    floats = [sf.col("id").cast("float").alias(name) for name in [*NAMES, "k"]]
    return spark.range(2).select("id", *floats)


def test_stacked_columns_bind_as_one_array_would(wide):
    fed = FedFrame.of(wide, WIDE, FEED, ["id"])
    before = bound(fed, WIDE)
    stacked, after = fed.stacked(before)
    assert before.columns == (*NAMES, "k")
    assert set(after.columns) == {"k", "expression 1"}
    assert after == bound(stacked, WIDE)
    passed = [stacked.frame.columns[position] for position in stacked.passed([after])]
    assert passed == ["id", *after.columns]


@pytest.mark.parametrize("keep", [None, ["x3"]])
def test_columns_that_are_kept_are_not_stacked(wide, keep):
    fed = FedFrame.of(wide, WIDE, FEED, keep)
    binding = bound(fed, WIDE)
    assert fed.stacked(binding) == (fed, binding)


def test_columns_of_another_type_are_not_stacked(wide):
    fed = FedFrame.of(wide.withColumn("x0", sf.col("id")), WIDE, FEED, ["id"])
    binding = bound(fed, WIDE)
    assert fed.stacked(binding) == (fed, binding)


def test_equal_names_pass_under_numbers(spark):
    df = spark.range(2).toDF("a`b.c").selectExpr("`a``b.c`", "`a``b.c`", "1F AS x")
    one = Signature("serve", (TensorSpec("x", "float32", (None,)),), WIDE.outputs)
    fed = FedFrame.of(df, one, None, None)
    binding = bound(fed, one)
    passed = fed.passed([binding])
    assert passed == [0, 1, 2]
    assert fed.numbered(passed).columns == ["c0", "c1", "c2"]
    assert fed.names_in_task(passed) == ["column 0", "column 1", "x"]


def test_a_number_in_place_of_a_name_is_free(spark):
    df = spark.range(2).selectExpr("id AS a", "id AS a", "7 AS `column 0`", "1F AS x")
    one = Signature("serve", (TensorSpec("x", "float32", (None,)),), WIDE.outputs)
    names = FedFrame.of(df, one, None, None).names_in_task(range(4))
    assert names == ["column 0 of the frame", "column 1", "column 0", "x"]


@pytest.mark.parametrize("names", [["x"], np.array(["x"])])
def test_a_name_from_numpy_is_a_name(spark, names):
    df = spark.range(2).selectExpr("1F AS x", "2F AS other")
    one = Signature("serve", (TensorSpec("inputs", "float32", (None, 1)),), WIDE.outputs)
    for given in (list(names), names[0]):
        fed = FedFrame.of(df, one, {"inputs": given}, None)
        assert bound(fed, one).columns == ("x",)


def test_a_name_of_two_columns_cannot_be_kept(spark):
    df = spark.range(2).selectExpr("id AS a", "id AS a", "1F AS x")
    one = Signature("serve", (TensorSpec("x", "float32", (None,)),), WIDE.outputs)
    FedFrame.of(df, one, None, None).check_kept(PYTHON)
    with pytest.raises(BindingError, match="there are 2 columns 'a'"):
        FedFrame.of(df, one, None, ["a"]).check_kept(PYTHON)
