import math
import pickle

import pyarrow as pa
import pytest

from tfspark.columns import Column, columns_of
from tfspark.errors import BindingError
from tfspark.nulls import NullRule
from tfspark.schema import bind, bind_outputs
from tfspark.signature import Signature, TensorSpec

FLOATS = pa.list_(pa.float32())


def spec(name="x", shape=(None, 2), dtype="float32"):
    return TensorSpec(name, dtype, shape)


def signature(*inputs, outputs=None):
    outputs = outputs or [spec("y", (None, 1))]
    return Signature("serving_default", inputs or (spec(),), tuple(outputs))


def columns(**types):
    return columns_of(pa.schema(list(types.items())))


def refusal(*args, **options):
    with pytest.raises(BindingError) as caught:
        bind(*args, **options)
    return str(caught.value)


def fed(*args, **options):
    """Input → columns of a binding."""
    return {one.spec.name: one.columns for one in bind(*args, **options).inputs}


# --- which column feeds which input ---------------------------------------------------------------


def test_an_input_takes_the_column_of_its_own_name():
    assert fed(signature(), columns(x=FLOATS, z=FLOATS)) == {"x": ("x",)}


def test_a_single_input_takes_the_single_fitting_column():
    assert fed(signature(), columns(id=pa.int64(), features=FLOATS)) == {"x": ("features",)}


def test_two_fitting_columns_are_ambiguous():
    text = refusal(signature(), columns(a=FLOATS, b=FLOATS, id=pa.int64()))
    assert "2 columns fit: 'a', 'b'" in text


def test_several_inputs_bind_by_name_alone():
    two = signature(spec("a"), spec("b"))
    assert fed(two, columns(b=FLOATS, a=FLOATS)) == {"a": ("a",), "b": ("b",)}
    text = refusal(two, columns(a=FLOATS, B=FLOATS))
    assert "input b: float32 (None, 2): no column of that name and no feed for it." in text
    assert "Did you mean 'B'?" in text


def test_feed_names_the_column():
    assert fed(signature(), columns(x=FLOATS, z=FLOATS), feed={"x": "z"}) == {"x": ("z",)}


def test_one_column_may_feed_two_inputs():
    two = signature(spec("a"), spec("b"))
    binding = bind(two, columns(z=FLOATS), feed={"a": "z", "b": "z"})
    assert binding.columns == ("z",)


@pytest.mark.parametrize("name", ["größe", "a b", "a.b", "x`y", "", "列"])
def test_a_column_may_have_any_name(name):
    assert fed(signature(), columns(**{name: FLOATS}), feed={"x": name}) == {"x": (name,)}


def test_equal_column_names_cannot_be_fed():
    twice = columns_of(pa.schema([("x", FLOATS), ("x", FLOATS), ("id", pa.int32())]))
    assert "column 'x' is there 2 times and cannot be fed" in refusal(signature(), twice)
    assert fed(signature(spec("id", (None,), "int32")), twice) == {"id": ("id",)}


# --- shapes ---------------------------------------------------------------------------------------

F32 = pa.float32()


@pytest.mark.parametrize(
    ("shape", "arrow", "fits"),
    [
        ((None,), F32, True),
        ((None,), FLOATS, False),
        ((None, 1), F32, True),
        ((None, 1), FLOATS, True),
        ((None, 2), F32, False),
        ((None, None), F32, False),
        ((None, None), FLOATS, True),
        ((None, 2, 3), FLOATS, True),
        ((None, 2, 3), pa.list_(FLOATS), True),
        ((None, 2, 3), pa.list_(pa.list_(FLOATS)), False),
        ((None, 2, None), FLOATS, False),
        ((None, 2, None), pa.list_(FLOATS), True),
        ((None, 2, 2, 2), pa.list_(FLOATS), False),
        ((None, 0), FLOATS, True),
        (None, F32, True),
        (None, pa.list_(FLOATS), True),
        ((8, 2), FLOATS, True),
        ((None, 2), pa.large_list(F32), True),
        ((None, 2), pa.list_(F32, 2), True),
    ],
)
def test_flat_and_nested_columns(shape, arrow, fits):
    one = signature(spec("x", shape))
    if fits:
        assert fed(one, columns(x=arrow)) == {"x": ("x",)}
    else:
        assert "input x: float32" in refusal(one, columns(x=arrow))


@pytest.mark.parametrize(
    ("shape", "names", "problem"),
    [
        ((None, 2), ["a", "b"], None),
        ((None, None), ["a", "b"], None),
        ((None, None), ["a"], None),
        ((None, 1), ["a"], None),
        ((None,), ["a"], None),
        (None, ["a", "b"], None),
        ((None, 2, 1), ["a", "b"], None),
        ((None, 2), ["v"], None),
        ((None, 2), ["a", "a"], None),
        ((None, 2), ["a"], "expected array<float> of shape (2,), found column 'a' of float"),
        ((None,), ["a", "b"], "found 2 columns: 'a', 'b'"),
        ((None, 3), ["a", "b"], "expected array<float> of shape (3,), found 2 columns: 'a', 'b'"),
        ((None, 2), ["a", "v"], "column 'v' is array<float>; only scalar columns can be stacked"),
        ((None, 2), ["a", "s"], "found column 's' of string"),
        ((None, 2), ["a", "A"], "there is no column 'A'. Did you mean 'a'?"),
        ((None, 2), [], "the list of columns is empty"),
    ],
)
def test_a_list_of_scalar_columns_makes_a_vector(shape, names, problem):
    given = columns(a=F32, b=F32, v=FLOATS, s=pa.string())
    one = signature(spec("x", shape))
    if problem is None:
        assert fed(one, given, feed={"x": names}) == {"x": tuple(names)}
    else:
        assert problem in refusal(one, given, feed={"x": names})


def test_every_column_of_a_list_is_listed():
    given = columns(a=pa.float64(), b=F32, c=pa.string(), v=FLOATS)
    one = signature(spec("x", (None, 7)))
    text = refusal(one, given, feed={"x": ["a", "b", "c", "v", "d", "a"]})
    assert [line.split(": ", 2)[2] for line in text.splitlines()[1:-1]] == [
        "expected float, found column 'a' of double, whose values may not fit float; cast the "
        "column, or allow it with the option narrow",
        "expected float, found column 'c' of string",
        "column 'v' is array<float>; only scalar columns can be stacked",
        "there is no column 'd'.",
        "expected array<float> of shape (7,), found 6 columns: 'a', 'b', 'c', 'v', 'd', 'a'",
    ]


# --- types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrow", "dtype"), [(pa.float64(), "float32"), (pa.int64(), "int32"), (pa.int64(), "float64")]
)
def test_narrowing_is_refused_unless_asked_for(arrow, dtype):
    one = signature(spec("x", (None,), dtype))
    text = refusal(one, columns(x=arrow))
    assert "whose values may not fit" in text
    assert "the option narrow" in text
    assert bind(one, columns(x=arrow), narrow=True).inputs[0].narrow


def test_the_only_nearly_fitting_column_is_named():
    text = refusal(signature(), columns(id=pa.string(), v=pa.list_(pa.float64())))
    assert "found column 'v' of array<double>" in text


@pytest.mark.parametrize(
    ("arrow", "label"),
    [
        (pa.map_(pa.string(), F32), "map<string, float"),
        (pa.timestamp("us"), "timestamp[us]"),
        (pa.dictionary(pa.int32(), pa.string()), "dictionary<"),
        (pa.list_(pa.struct([("a", F32)])), "array<struct<a: float>>"),
        (pa.string_view(), "string_view"),
        (pa.null(), "null"),
    ],
)
def test_a_type_without_elements_of_the_table_is_refused(arrow, label):
    text = refusal(signature(), columns(x=arrow))
    assert f"column 'x' is {label}" in text
    assert "cannot be fed; cast or rename it first" in text


def test_a_column_is_called_what_the_caller_calls_it():
    given = {"x": Column(None, "struct<a:int>")}
    assert "column 'x' is struct<a:int> and cannot be fed" in refusal(signature(), given)


def test_an_unsupported_input_says_why():
    text = refusal(signature(spec("x", (None,), "complex64")), columns(x=F32))
    assert "input x: complex64 (None,): type complex64 cannot pass" in text
    assert "real and imaginary parts" in text


def test_a_tensor_without_rows_is_refused():
    assert "without a dimension for the rows" in refusal(signature(spec("x", ())), columns(x=F32))


def test_a_signature_without_inputs_is_refused():
    text = refusal(Signature("s", (), (spec("y"),)), columns(x=F32))
    assert "the signature has no inputs" in text


# --- outputs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "dtype", "arrow"),
    [
        ((None,), "float32", F32),
        ((None, 1), "float32", F32),
        ((None, 2), "float32", FLOATS),
        ((None, 1, 1), "float32", pa.list_(FLOATS)),
        ((None, None), "string", pa.list_(pa.string())),
        ((None,), "uint8", pa.int16()),
        ((None, 3), "uint32", pa.list_(pa.int64())),
        ((None,), "float16", F32),
        ((None,), "bool", pa.bool_()),
        ((4, 2), "int64", pa.list_(pa.int64())),
    ],
)
def test_the_column_type_of_an_output(shape, dtype, arrow):
    one = signature(outputs=[spec("y", shape, dtype)])
    (field,) = bind(one, columns(x=FLOATS)).output_fields
    assert field == pa.field("y", arrow, nullable=True)


def test_strings_come_as_binary_when_asked_for():
    one = signature(outputs=[spec("y", (None, 2), "string")])
    (output,) = bind(one, columns(x=FLOATS), strings="binary").outputs
    assert output.arrow == pa.list_(pa.binary())


def test_fetch_renames_chooses_and_orders():
    three = signature(outputs=[spec("a"), spec("b"), spec("c")])
    binding = bind(three, columns(x=FLOATS), fetch={"c": "p", "a": "q"})
    assert [(one.spec.name, one.column) for one in binding.outputs] == [("c", "p"), ("a", "q")]


@pytest.mark.parametrize("taken", ["y", "Y"])
def test_a_prediction_never_replaces_a_kept_column(taken):
    text = refusal(signature(), columns(x=FLOATS), taken=["x", taken])
    assert f"a column {taken!r} is there already; rename it with fetch" in text
    assert bind(signature(), columns(x=FLOATS), taken=[taken], fetch={"y": "z"})


def test_two_predictions_never_share_a_name():
    two = signature(outputs=[spec("y"), spec("Y")])
    assert "a column 'y' is there already" in refusal(two, columns(x=FLOATS))
    assert "a column 'p' is there" in refusal(two, columns(x=FLOATS), fetch={"y": "p", "Y": "P"})


def test_an_output_without_a_column_type_is_left_out_by_fetch():
    many = signature(outputs=[spec("y"), spec("loss", ()), spec("any", None)])
    text = refusal(many, columns(x=FLOATS))
    assert "output loss: float32 (): it is a scalar without a dimension for the rows" in text
    assert "output any: float32 unknown rank: its rank is unknown" in text
    assert text.count("name only the others in fetch") == 2
    assert len(bind(many, columns(x=FLOATS), fetch={"y": "y"}).outputs) == 1


def test_fetch_of_nothing_is_refused():
    assert "fetch names no output" in refusal(signature(), columns(x=FLOATS), fetch={})


def test_outputs_alone_are_checked_for_a_face_without_columns():
    assert [one.column for one in bind_outputs(signature(), fetch={"y": "p"})] == ["p"]
    with pytest.raises(BindingError, match=r"gives no columns: 1 mismatch\n.*Did you mean 'y'"):
        bind_outputs(signature(), fetch={"Y": "p"})


# --- batches --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "rows"),
    [([(None, 2)], None), ([(8, 2)], 8), ([(8, 2), (None, 2)], 8), ([None, (4, 2)], 4)],
)
def test_the_fixed_number_of_rows_of_a_batch(shapes, rows):
    inputs = [spec(f"i{index}", shape) for index, shape in enumerate(shapes)]
    given = columns(**{one.name: FLOATS for one in inputs})
    assert bind(signature(*inputs), given).batch_dimension == rows


def test_inputs_of_different_fixed_batches_are_refused():
    two = signature(spec("a", (8, 2)), spec("b", (4, 2)))
    assert "fixed number of rows of a batch: 4, 8" in refusal(two, columns(a=FLOATS, b=FLOATS))


# --- the message ----------------------------------------------------------------------------------


def test_every_mismatch_is_listed_at_once_and_counted_first():
    many = Signature(
        "score",
        (spec("a"), spec("b", (None,), "int32"), spec("c", (None,), "variant")),
        (spec("y"), spec("z", None)),
    )
    text = refusal(
        many,
        columns(a=pa.string(), bb=pa.int64()),
        feed={"A": "a"},
        fetch={"y": "bb", "z": "z", "w": "w"},
        taken=["bb"],
    )
    lines = text.splitlines()
    assert lines[0] == "Signature 'score' does not fit the columns: 7 mismatches"
    assert len([line for line in lines if line.startswith("  - ")]) == 7
    assert lines[-1].startswith("Hint: bind by name: feed gives an input its column or columns")
    assert lines[-1].endswith("Columns at hand: a string, bb bigint.")


def test_a_wide_table_is_not_listed_whole():
    wide = columns(**{f"c{index}": pa.string() for index in range(1000)})
    text = refusal(signature(), wide)
    assert text.endswith("c28 string, c29 string, and 970 more.")


def test_a_wrong_shape_is_told_before_a_wide_type():
    text = refusal(signature(), columns(x=pa.list_(pa.list_(pa.float64()))))
    assert "found column 'x' of array<array<double>>\n" in text


def test_the_message_of_the_commonest_mistake():
    one = signature(spec("inputs"))
    assert refusal(one, columns(id=pa.int64(), features=pa.list_(pa.float64()))).splitlines() == [
        "Signature 'serving_default' does not fit the columns: 1 mismatch",
        "  - input inputs: float32 (None, 2): expected array<float> of shape (2,), found column "
        "'features' of array<double>, whose values may not fit float; cast the column, or allow "
        "it with the option narrow",
        "Hint: bind by name: feed gives an input its column or columns, fetch an output its "
        "column. Columns at hand: id bigint, features array<double>.",
    ]


def test_a_binding_is_frozen_hashable_and_picklable():
    binding = bind(signature(), columns(x=FLOATS))
    assert pickle.loads(pickle.dumps(binding)) == binding
    assert hash(binding) == hash(pickle.loads(pickle.dumps(binding)))


# --- nulls ----------------------------------------------------------------------------------------


def rules(*args, **options):
    """Input → what becomes of its nulls."""
    return {one.spec.name: one.nulls for one in bind(*args, **options).inputs}


TWO = signature(spec("age", (None,)), spec("cabin", (None,), "string"))
PASSENGERS = columns(age=pa.float32(), cabin=pa.string())


def test_a_null_gives_null_unless_it_is_told_otherwise():
    assert set(rules(TWO, PASSENGERS).values()) == {NullRule()}
    assert set(rules(TWO, PASSENGERS, on_null="error").values()) == {NullRule(refuse=True)}


def test_inputs_are_filled_by_name_and_the_others_are_not():
    found = rules(TWO, PASSENGERS, on_null={"cabin": ""})
    assert found == {"age": NullRule(), "cabin": NullRule(fill="")}


def test_one_number_fills_every_input():
    two = signature(spec("a", (None,)), spec("b", (None,)))
    found = rules(two, columns(a=pa.float32(), b=pa.float32()), on_null=0)
    assert set(found.values()) == {NullRule(fill=0)}


@pytest.mark.parametrize("fill", [math.nan, "nan", 1.5, 2, "2"])
def test_a_fill_may_be_what_a_command_line_gives(fill):
    assert rules(TWO, PASSENGERS, on_null={"age": fill})["age"].fill is fill


@pytest.mark.parametrize(
    ("column", "fill"),
    [(pa.int32(), 0.5), (pa.int32(), math.nan), (pa.int8(), 300), (pa.float32(), "none")],
)
def test_a_fill_that_is_no_value_of_the_column_is_refused(column, fill):
    one = signature(spec("age", (None,), "int32" if column != pa.float32() else "float32"))
    text = refusal(one, columns(age=column), on_null={"age": fill})
    assert f"on_null is {fill!r}, which is no value for column 'age'" in text


def test_a_number_does_not_fill_text():
    assert "no value for column 'cabin'" in refusal(TWO, PASSENGERS, on_null=0)


def test_a_column_of_two_inputs_has_one_fill():
    two = signature(spec("a", (None,)), spec("b", (None,)))
    feed = {"a": "x", "b": "x"}
    text = refusal(two, columns(x=pa.float32()), feed=feed, on_null={"a": 1.0})
    assert "'x', which feeds two inputs, two fills" in text
    assert rules(two, columns(x=pa.float32()), feed=feed, on_null=math.nan)["b"].fill is math.nan
