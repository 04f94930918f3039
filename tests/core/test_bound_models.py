"""Several models over the same rows: names, mismatches and differences, without Spark."""

from dataclasses import replace

import pyarrow as pa
import pytest

from tfspark.bound_models import NamedModel, bind_each
from tfspark.columns import columns_of
from tfspark.errors import BindingError
from tfspark.options import DEFAULTS, ScoreOptions
from tfspark.package import load
from tfspark.signature import Signature, TensorSpec
from tfspark.spark.worker.model_chain import difference

COLUMNS = columns_of(pa.schema([("x", pa.float32()), ("s", pa.string())]))


@pytest.fixture
def named(linear_model):
    """A model of `x` with some outputs, under a key."""
    package = load(linear_model)

    def make(key, *outputs, options=DEFAULTS, feed=(), fetch=None):
        specs = tuple(TensorSpec(name, kind, shape) for name, kind, shape in outputs)
        signature = Signature("serve", (TensorSpec("x", "float32", (None,)),), specs)
        return NamedModel(key, replace(package, signature=signature), options, dict(feed), fetch)

    return make


Y, T = ("y", "float32", (None,)), ("t", "string", (None,))
P = ("p", "int64", (None, 3))


def bound(*models, **options):
    return bind_each(models, [COLUMNS] * len(models), **options)


def test_new_columns_begin_with_the_key(named):
    options = ScoreOptions(on_error="null", reason="why")
    models = named("a", Y, T, options=options), named("b", Y, fetch={"y": "z"})
    found = bound(*models, taken=["x", "y"])
    assert [field.name for field in found.fields] == ["a_y", "a_t", "a_why", "b_z"]
    assert found.columns == ("x",)
    assert found.watched == "b_z"


def test_all_mismatches_of_all_models_name_their_key(named):
    models = named("a", Y, feed={"x": "s"}), named("b", Y, fetch={"no": "y"}), named("c", Y)
    with pytest.raises(BindingError, match="2 mismatches") as caught:
        bound(*models)
    assert "model 'a': input x: float32 (None,): expected float, found column 's'" in str(
        caught.value
    )
    assert "model 'b': fetch names 'no', which is not an output" in str(caught.value)
    assert "'c'" not in str(caught.value)


def test_two_keys_may_not_give_one_name(named):
    with pytest.raises(BindingError, match=r"model 'a_b': .*there is already a column 'a_b_y'"):
        bound(named("a", ("b_y", "float32", (None,))), named("a_b", Y))


def test_outputs_of_numbers_in_common_have_a_difference(named):
    found = bound(named("a", Y, P, T), named("b", T, P, ("y", "uint64", (None,))), difference=True)
    pairs = [(one.column, one.first, one.second, one.arrow) for one in found.differences]
    floats = pa.float64()
    assert pairs == [("difference_y", 0, 5, floats), ("difference_p", 1, 4, pa.list_(floats))]
    assert list(found.predictions)[-2:] == ["difference_y", "difference_p"]


@pytest.mark.parametrize(
    ("keys", "outputs", "taken", "message"),
    [
        ("a", [Y], [], "a difference needs two models, found 1"),
        ("abc", [Y], [], "a difference needs two models, found 3"),
        ("ab", [T], [], "the models have no output of numbers in common: model 'a' has t: string"),
        ("ab", [Y], ["Difference_Y"], "there is already a column 'Difference_Y'"),
    ],
)
def test_models_without_a_difference_are_refused(named, keys, outputs, taken, message):
    with pytest.raises(BindingError, match=message):
        bound(*(named(key, *outputs) for key in keys), taken=taken, difference=True)


@pytest.mark.parametrize(
    ("kind", "first", "second", "expected"),
    [
        (pa.float32(), [1.5, None, 0.1], [2.0, 1.0, None], [0.5, None, None]),
        (pa.int64(), [1, 2**62], [3, -(2**62)], [2.0, -(2.0**63)]),
        (pa.decimal128(20, 0), [1, 2**63], [2, 0], [1.0, -(2.0**63)]),
        (
            pa.list_(pa.float32()),
            [[1.0, 2.0], None, [1.0], [], [1.0]],
            [[1.0, 4.0], [1.0], [1.0, 2.0], [], [None]],
            [[0.0, 2.0], None, None, [], [None]],
        ),
        (
            pa.list_(pa.list_(pa.int32())),
            [[[1], [2, 3]], [[1]], None],
            [[[2], [2, 5]], [[1, 2]], None],
            [[[1.0], [0.0, 2.0]], [None], None],
        ),
    ],
)
def test_the_difference_of_columns(kind, first, second, expected):
    one, other = pa.array(first, kind), pa.array(second, kind)
    assert difference(one, other).to_pylist() == expected
    assert difference(one[1:], other[1:]).to_pylist() == expected[1:]
    assert difference(one[:0], other[:0]).to_pylist() == []
