import math
import pickle

import numpy as np
import pyarrow as pa
import pytest

from tfspark import structs
from tfspark.columns import Column, columns_of
from tfspark.constants import Constant, is_constant
from tfspark.errors import BindingError
from tfspark.options import ScoreOptions
from tfspark.rows import NullRule
from tfspark.schema import bind, bind_outputs
from tfspark.signature import Signature, TensorSpec
from tfspark.terms import FLAGS, PYTHON

F32 = pa.float32()
FLOATS = pa.list_(F32)


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
    text = refusal(two, columns(a=FLOATS, bb=FLOATS))
    assert "input b: float32 (None, 2): no column of that name and no feed for it." in text
    assert "Did you mean 'bb'?" in text


def test_names_resolve_as_in_spark():
    two = signature(spec("a"), spec("b"))
    mixed = columns(A=FLOATS, a=FLOATS, B=FLOATS)
    assert fed(two, mixed) == {"a": ("a",), "b": ("B",)}
    assert fed(two, mixed, feed={"b": "b"}) == {"a": ("a",), "b": ("B",)}
    assert "no column of that name" in refusal(two, mixed, case_sensitive=True)
    doubtful = columns(X=FLOATS, x=FLOATS)
    assert "there is no column 'y'" in refusal(signature(), doubtful, feed={"x": "y"})


def test_a_name_may_be_quoted_as_in_spark():
    odd = {"a b": FLOATS, "c`.d": FLOATS, "`e`": FLOATS, "e": FLOATS}
    for given, found in (("`a b`", "a b"), ("`c``.d`", "c`.d"), ("`A B`", "a b"), ("`e`", "`e`")):
        assert fed(signature(), columns(**odd), feed={"x": given}) == {"x": (found,)}
    assert "no column '`a`.`b`'" in refusal(signature(), columns(**odd), feed={"x": "`a`.`b`"})


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
    assert "column 'x' is one of 2 columns of this name and cannot be fed" in refusal(
        signature(), twice
    )
    assert fed(signature(spec("id", (None,), "int32")), twice) == {"id": ("id",)}


# --- shapes ---------------------------------------------------------------------------------------


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
        ((None, 2), ["a", "aa"], "there is no column 'aa'."),
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
        "expected float, found column 'c' of string; text is not read as numbers, so cast it: "
        "try_cast(column AS float)",
        "column 'v' is array<float>; only scalar columns can be stacked",
        "there is no column 'd'.",
        "expected array<float> of shape (7,), found 6 columns: 'a', 'b', 'c', 'v', 'd', 'a'",
    ]


# --- types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrow", [pa.float32(), pa.float64(), pa.decimal128(9, 2)])
@pytest.mark.parametrize(("terms", "option"), [(PYTHON, "narrow=True"), (FLAGS, "--narrow")])
def test_a_fraction_is_dropped_only_when_it_is_allowed(arrow, terms, option):
    one = signature(spec("x", (None,), "int32"))
    text = refusal(one, columns(x=arrow), terms=terms)
    assert "whose values may have fractions" in text
    assert f"allow whole numbers with {option}" in text
    assert bind(one, columns(x=arrow), options=ScoreOptions(narrow=True)).inputs[0].narrow


@pytest.mark.parametrize(
    ("arrow", "dtype", "sentence"),
    [
        (pa.float64(), "float32", ("column 'x' double → float32",)),
        (pa.int64(), "float64", ("column 'x' bigint → float64",)),
        (pa.decimal128(9, 0), "float16", ("column 'x' decimal(9,0) → float16",)),
        (pa.int32(), "float64", ()),
        (pa.bool_(), "float32", ()),
        (pa.int64(), "uint8", ()),
    ],
)
def test_what_is_rounded_is_said(arrow, dtype, sentence):
    assert bind(signature(spec("x", (None,), dtype)), columns(x=arrow)).rounded == sentence


def test_what_is_rounded_is_logged_once(caplog):
    caplog.set_level("INFO")
    bind(signature(), columns(x=pa.list_(pa.float64()))).log()
    (record,) = caplog.records
    assert record.getMessage() == (
        "numbers are rounded to the model's precision: column 'x' array<double> → float32"
    )


def test_a_column_that_is_not_rounded_comes_first():
    one = signature(spec("x", (None,)))
    assert fed(one, columns(id=pa.int64(), v=F32)) == {"x": ("v",)}
    assert fed(one, columns(id=pa.int64(), name=pa.string())) == {"x": ("id",)}


def test_the_only_nearly_fitting_column_is_named():
    one = signature(spec("x", (None, 2), "int32"))
    text = refusal(one, columns(id=pa.string(), v=pa.list_(pa.float64())))
    assert "found column 'v' of array<double>" in text


@pytest.mark.parametrize(
    ("arrow", "advice"),
    [
        (pa.date32(), "use unix_date(x)"),
        (pa.timestamp("us", "UTC"), "use unix_micros(x)"),
        (pa.timestamp("us"), "use unix_micros(x)"),
        (pa.list_(pa.date32()), "use transform(x, x -> unix_date(x))"),
        (pa.map_(pa.string(), pa.float32()), "use x['key'], or map_values(x)"),
        (pa.list_(pa.map_(pa.string(), pa.int8())), "use transform(x, x -> x['key'])"),
        (pa.struct([("a", pa.float32())]), "use one of its fields, such as x.field"),
        (pa.list_(pa.struct([("a", pa.int8())])), "use transform(x, x -> x.field)"),
        (pa.duration("us"), "of interval day to second; use extract(DAY FROM x)"),
        (pa.string(), "try_cast(column AS float)"),
        (pa.binary(), "decoded inside the graph"),
    ],
)
def test_a_refused_type_names_what_converts_it(arrow, advice):
    text = refusal(signature(spec("x", (None,))), columns(x=arrow))
    assert "found column 'x' of" in text
    assert advice in text


@pytest.mark.parametrize(
    ("label", "advice"),
    [("interval year", "extract(YEAR FROM x)"), ("interval month", "extract(MONTH FROM x)")],
)
def test_months_are_taken_from_their_own_parts(label, advice):
    text = refusal(signature(spec("x", (None,))), {"x": Column(None, label)})
    assert f"of {label}; use {advice}" in text


@pytest.mark.parametrize(
    ("arrow", "text_type"), [(pa.date32(), "string"), (pa.list_(pa.time64("us")), "array<string>")]
)
def test_a_date_for_an_input_of_text_is_cast(arrow, text_type):
    text = refusal(signature(spec("x", (None,), "string")), columns(x=arrow))
    assert f"; cast it to {text_type}" in text


def test_a_number_is_no_truth():
    text = refusal(signature(spec("x", (None,), "bool")), columns(x=pa.int32()))
    assert "expected boolean, found column 'x' of int; use column <> 0" in text


@pytest.mark.parametrize(
    ("arrow", "label"),
    [
        (pa.dictionary(pa.int32(), pa.string()), "dictionary<"),
        (pa.string_view(), "string_view"),
        (pa.null(), "void"),
    ],
)
def test_a_type_without_elements_of_the_table_is_refused(arrow, label):
    text = refusal(signature(), columns(x=arrow))
    assert f"column 'x' is {label}" in text
    assert "cannot be fed; cast or rename it first" in text


def test_a_column_is_called_what_the_caller_calls_it():
    given = {"x": Column(None, "void")}
    assert "column 'x' is void and cannot be fed" in refusal(signature(), given)


def test_an_unsupported_input_says_why():
    text = refusal(signature(spec("x", (None,), "complex64")), columns(x=F32))
    assert "input x: complex64 (None,): type complex64 cannot pass" in text
    assert "real and imaginary parts" in text


PLUS = signature(spec("x", (None,)), spec("k", (), "int32"))


def test_a_scalar_input_takes_a_constant_or_a_column():
    binding = bind(PLUS, columns(x=F32), feed={"k": Constant(3)})
    assert [(one.columns, one.constant) for one in binding.inputs] == [
        (("x",), None),
        ((), Constant(3)),
    ]
    assert fed(PLUS, columns(x=F32, k=pa.int64())) == {"x": ("x",), "k": ("k",)}
    text = refusal(PLUS, columns(x=F32))
    assert "input k: int32 (): it is a scalar, the same for every row: give it a value" in text
    assert 'feed={"k": value}' in text


@pytest.mark.parametrize("value", [1.5, "1.5", "three", b"1", 2**40, "", math.nan])
def test_a_constant_that_is_no_value_of_its_input_is_refused(value):
    text = refusal(PLUS, columns(x=F32), feed={"k": Constant(value)})
    assert f"{value!r} is not a constant of type int32" in text


@pytest.mark.parametrize("value", [-1, 2**64, "-1", "1.5"])
def test_a_constant_out_of_the_range_of_uint64_is_refused(value):
    two = signature(spec("x", (None,)), spec("k", (), "uint64"))
    text = refusal(two, columns(x=F32), feed={"k": Constant(value)})
    assert f"{value!r} is not a constant of type uint64" in text


@pytest.mark.parametrize(
    ("dtype", "shape", "value"),
    [
        ("float32", (None, 2), [1, 2]),
        ("float32", (None, 2), 7),
        ("uint64", (None,), 2**64 - 1),
        ("uint64", (), "18446744073709551615"),
        ("float32", (None, 2, 2), [[1, 2], [3, 4]]),
        ("float32", (None, 2, 2), [1, 2, 3, 4]),
        ("float32", (None, None), [1, 2, 3]),
        ("int64", (), " 3 "),
        ("bool", (), "true"),
        ("bool", (), False),
        ("float64", (), "nan"),
        ("string", (None,), "a"),
        ("string", (), b"a"),
    ],
)
def test_a_constant_is_read_as_a_value_of_its_input(dtype, shape, value):
    two = signature(spec("x", (None,)), spec("k", shape, dtype))
    assert bind(two, columns(x=F32), feed={"k": Constant(value)}).inputs[1].constant


def test_a_constant_of_another_shape_is_refused():
    two = signature(spec("x", (None,)), spec("k", (None, 2)))
    text = refusal(two, columns(x=F32), feed={"k": Constant([1, 2, 3])})
    assert "expected a constant of shape (2,), found (3,)" in text


@pytest.mark.parametrize("value", [[[1, 2], [3], [4, 5, 6]], [[1, 2], 3], [1, [2, 3]]])
def test_a_constant_whose_sequences_differ_in_length_is_refused(value):
    two = signature(spec("x", (None,)), spec("k", (None, 3, 2)))
    text = refusal(two, columns(x=F32), feed={"k": Constant(value)})
    assert "differ in length" in text


@pytest.mark.parametrize("value", [1, True, b"a", np.float32(1), np.bytes_(b"a"), np.ones((2, 2))])
def test_numbers_and_bytes_are_constants(value):
    for one in (value, [value], np.array([value, value], object)):
        assert is_constant(one)


@pytest.mark.parametrize(
    "value", ["a", np.str_("a"), np.datetime64(1, "ns"), np.timedelta64(1, "s"), None]
)
def test_names_and_dates_are_no_constants(value):
    for one in (value, [value], np.array([value]), np.array([value], object)):
        assert not is_constant(one)


def test_constants_alone_score_nothing():
    one = signature(spec("x", (None,)))
    assert "one input needs a column" in refusal(one, columns(z=F32), feed={"x": Constant(1)})


def test_a_signature_of_scalars_runs_row_by_row():
    scalars = signature(spec("x", ()), outputs=[spec("y", ()), spec("v", (3,)), spec("any", None)])
    binding = bind(scalars, columns(x=F32), fetch={"y": "y", "v": "v"})
    assert binding.row_by_row
    assert [one.spec.shape for one in binding.inputs] == [(None,)]
    assert [one.arrow for one in binding.outputs] == [F32, FLOATS]
    (warning,) = binding.warnings
    assert "the model runs once for each row" in warning


def test_a_fixed_batch_of_several_rows_is_warned_of():
    (warning,) = bind(signature(spec("x", (4, 2))), columns(x=FLOATS)).warnings
    assert "takes batches of exactly 4 rows" in warning
    assert not bind(signature(spec("x", (1, 2))), columns(x=FLOATS)).warnings


def test_ml_vectors_matrices_and_images_are_fed_as_arrays():
    pixels = signature(spec("x", (None, None, None, 3), "uint8"))
    assert fed(signature(), columns(x=structs.VECTOR)) == {"x": ("x",)}
    assert fed(signature(spec("x", (None, 2, 2))), columns(x=structs.MATRIX)) == {"x": ("x",)}
    assert fed(pixels, columns(x=structs.IMAGE)) == {"x": ("x",)}
    assert "found column 'x' of image" in refusal(signature(), columns(x=structs.IMAGE))


@pytest.mark.parametrize(
    ("shape", "fits"),
    [((None, 2, 2), True), ((None, None), True), ((None,), False), ((None, None, 3), False)],
)
def test_bytes_are_the_pixels_of_an_input_of_uint8(shape, fits):
    one = signature(spec("x", shape, "uint8"))
    if fits:
        assert fed(one, columns(x=pa.binary())) == {"x": ("x",)}
    else:
        assert "found column 'x' of binary" in refusal(one, columns(x=pa.binary()))


def test_columns_of_bytes_are_not_stacked():
    one, two = signature(spec("x", (None, 2), "uint8")), columns(a=pa.binary(), b=pa.binary())
    assert "found column 'a' of binary" in refusal(one, two, feed={"x": ["a", "b"]})


def test_a_signature_without_inputs_is_refused():
    text = refusal(Signature("s", (), (spec("y"),)), columns(x=F32))
    assert "the signature has no inputs" in text
    with pytest.raises(BindingError, match="the signature has no inputs"):
        bind_outputs(Signature("s", (), (spec("y"),)))


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
    ],
)
def test_the_column_type_of_an_output(shape, dtype, arrow):
    one = signature(outputs=[spec("y", shape, dtype)])
    (field,) = bind(one, columns(x=FLOATS)).output_fields
    assert field == pa.field("y", arrow, nullable=True)


def test_strings_come_as_binary_when_asked_for():
    one = signature(outputs=[spec("y", (None, 2), "string")])
    (output,) = bind(one, columns(x=FLOATS), options=ScoreOptions(strings="binary")).outputs
    assert output.arrow == pa.list_(pa.binary())


def test_fetch_renames_chooses_and_orders():
    three = signature(outputs=[spec("a"), spec("b"), spec("c")])
    binding = bind(three, columns(x=FLOATS), fetch={"c": "p", "a": "q"})
    assert [(one.spec.name, one.column) for one in binding.outputs] == [("c", "p"), ("a", "q")]


@pytest.mark.parametrize("taken", ["y", "Y"])
def test_a_prediction_never_replaces_a_kept_column(taken):
    text = refusal(signature(), columns(x=FLOATS), taken=["x", taken])
    assert f"there is already a column {taken!r}; rename it with fetch=" in text
    assert bind(signature(), columns(x=FLOATS), taken=[taken], fetch={"y": "z"})


def test_two_predictions_never_share_a_name():
    two = signature(outputs=[spec("y"), spec("Y")])
    assert "there is already a column 'y'" in refusal(two, columns(x=FLOATS))
    assert "there is already a column 'p'" in refusal(
        two, columns(x=FLOATS), fetch={"y": "p", "Y": "P"}
    )


def test_an_output_without_a_column_type_is_left_out_by_fetch():
    many = signature(outputs=[spec("y"), spec("loss", ()), spec("any", None)])
    text = refusal(many, columns(x=FLOATS))
    assert "output loss: float32 (): it is a scalar without a dimension for the rows" in text
    assert "output any: float32 unknown rank: its rank is unknown" in text
    assert 'such as output_shapes={"any": ()} for one number' in text
    assert text.count('or name the others, with fetch={"y": "y"}') == 2
    assert len(bind(many, columns(x=FLOATS), fetch={"y": "y"}).outputs) == 1


def test_fetch_of_nothing_is_refused():
    assert "fetch names no output" in refusal(signature(), columns(x=FLOATS), fetch={})


def test_what_needs_no_columns_is_checked_alone():
    assert [one.column for one in bind_outputs(signature(), fetch={"y": "p"})] == ["p"]
    with pytest.raises(
        BindingError, match=r"cannot be called with columns: 1 mismatch\n.*Did you mean 'y'"
    ):
        bind_outputs(signature(), fetch={"Y": "p"})


@pytest.mark.parametrize(
    ("inputs", "output", "batch_size", "problem"),
    [
        ((None,), (3,), None, "always 3, not the number of rows"),
        ((None,), (3,), 3, "always 3, not the number of rows"),
        ((4,), (3,), None, "always 3, not the number of rows"),
        ((3,), (3,), None, None),
        ((None,), (1, 5), None, "it fits only batches of one row: use batch_size=1"),
        ((None,), (1, 5), 1, None),
    ],
)
def test_an_output_whose_first_dimension_is_no_batch_is_refused(
    inputs, output, batch_size, problem
):
    one = signature(spec("x", inputs), outputs=[spec("labels", output)])
    if problem is None:
        assert bind(one, columns(x=F32), options=ScoreOptions(batch_size=batch_size))
    else:
        assert problem in refusal(one, columns(x=F32), options=ScoreOptions(batch_size=batch_size))


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
    assert lines[-1].startswith('Hint: bind by name, such as feed={"a": "COLUMN"}.')
    assert lines[-1].endswith("Available columns: a string, bb bigint.")


def test_a_wide_table_is_not_listed_whole():
    wide = columns(**{f"c{index}": pa.string() for index in range(1000)})
    text = refusal(signature(), wide)
    assert text.endswith("c28 string, c29 string, and 970 more.")


def test_a_wrong_shape_is_told_before_a_wide_type():
    text = refusal(signature(), columns(x=pa.list_(pa.list_(pa.float64()))))
    assert "found column 'x' of array<array<double>>\n" in text


def test_the_message_of_the_commonest_mistake():
    one = signature(spec("inputs", (None, 2), "int32"))
    assert refusal(one, columns(id=pa.int64(), features=pa.list_(pa.float64()))).splitlines() == [
        "Signature 'serving_default' does not fit the columns: 1 mismatch",
        "  - input inputs: int32 (None, 2): expected array<int> of shape (2,), found column "
        "'features' of array<double>, whose values may have fractions; cast the column, or allow "
        "whole numbers with narrow=True",
        'Hint: bind by name, such as feed={"inputs": "COLUMN"}. Available columns: id bigint, '
        "features array<double>.",
    ]


def test_a_binding_is_frozen_hashable_and_picklable():
    binding = bind(signature(), columns(x=FLOATS))
    assert pickle.loads(pickle.dumps(binding)) == binding
    assert hash(binding) == hash(pickle.loads(pickle.dumps(binding)))


# --- nulls ----------------------------------------------------------------------------------------


def rules(*args, **options):
    """Input → treatment of its nulls."""
    return {one.spec.name: one.nulls for one in bind(*args, **options).inputs}


TWO = signature(spec("age", (None,)), spec("cabin", (None,), "string"))
PASSENGERS = columns(age=pa.float32(), cabin=pa.string())


def test_a_null_gives_null_unless_it_is_told_otherwise():
    assert set(rules(TWO, PASSENGERS).values()) == {NullRule()}
    assert set(rules(TWO, PASSENGERS, options=ScoreOptions(on_null="error")).values()) == {
        NullRule(refuse=True)
    }


def test_inputs_are_filled_by_name_and_the_others_are_not():
    found = rules(TWO, PASSENGERS, options=ScoreOptions(on_null={"cabin": ""}))
    assert found == {"age": NullRule(), "cabin": NullRule(fill="")}


def test_one_number_fills_every_input():
    two = signature(spec("a", (None,)), spec("b", (None,)))
    found = rules(two, columns(a=pa.float32(), b=pa.float32()), options=ScoreOptions(on_null=0))
    assert set(found.values()) == {NullRule(fill=0)}


@pytest.mark.parametrize("fill", [math.nan, "nan", 1.5, 2, "2"])
def test_a_fill_may_be_what_a_command_line_gives(fill):
    assert rules(TWO, PASSENGERS, options=ScoreOptions(on_null={"age": fill}))["age"].fill is fill


@pytest.mark.parametrize(
    ("column", "fill"),
    [(pa.int32(), 0.5), (pa.int32(), math.nan), (pa.int8(), 300), (pa.float32(), "none")],
)
def test_a_fill_that_is_no_value_of_the_column_is_refused(column, fill):
    one = signature(spec("age", (None,), "int32" if column != pa.float32() else "float32"))
    text = refusal(one, columns(age=column), options=ScoreOptions(on_null={"age": fill}))
    assert f"on_null is {fill!r}, which does not fit column 'age'" in text


def test_a_number_fills_no_input_of_booleans():
    one, column = signature(spec("old", (None,), "bool")), columns(old=pa.bool_())
    assert rules(one, column, options=ScoreOptions(on_null=1))["old"] == NullRule()
    for given in (True, {"old": 1}):
        assert rules(one, column, options=ScoreOptions(on_null=given))["old"].fill == 1


def test_a_number_fills_numbers_alone():
    assert rules(TWO, PASSENGERS, options=ScoreOptions(on_null=0)) == {
        "age": NullRule(fill=0),
        "cabin": NullRule(),
    }
    assert "does not fit column 'cabin'" in refusal(
        TWO, PASSENGERS, options=ScoreOptions(on_null={"cabin": 0})
    )


def test_a_column_of_two_inputs_has_one_fill():
    two = signature(spec("a", (None,)), spec("b", (None,)))
    feed = {"a": "x", "b": "x"}
    text = refusal(
        two, columns(x=pa.float32()), feed=feed, options=ScoreOptions(on_null={"a": 1.0})
    )
    assert "'x' feeds two inputs, and on_null gives it two fills" in text
    assert (
        rules(two, columns(x=pa.float32()), feed=feed, options=ScoreOptions(on_null=math.nan))[
            "b"
        ].fill
        is math.nan
    )
