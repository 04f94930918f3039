"""Bad rows: set aside with a reason, while the good rows are scored as in a clean run."""

import math
import re
from decimal import Decimal
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfspark import rows, structs
from tfspark.columns import columns_of
from tfspark.engine.protocol import CannotServeError, OutOfMemoryError
from tfspark.errors import BindingError, EngineError, RowError
from tfspark.options import ScoreOptions
from tfspark.rows import CODES, REASON_TYPE, Code
from tfspark.runner import score
from tfspark.schema import bind
from tfspark.signature import Signature, TensorSpec
from tfspark.testing import FakeEngine

FLOATS = pa.list_(pa.float32())
BAD = -1.0


def one_to_one(x=(None,), y=(None,), dtype="float32", out=None):
    inputs, outputs = TensorSpec("x", dtype, x), TensorSpec("y", out or dtype, y)
    return Signature("serve", (inputs,), (outputs,))


def echo(inputs):
    return {"y": inputs["x"]}


def refusing(inputs):
    """A model that refuses each batch with a negative number."""
    if (inputs["x"] < 0).any():
        raise ValueError("negative input")
    return {"y": 2 * inputs["x"]}


FLOAT = pa.float32()


def batches(values, arrow=FLOAT, size=None):
    table = pa.table({"id": pa.array(range(len(values)), pa.int64()), "x": pa.array(values, arrow)})
    return table.to_batches(max_chunksize=size or len(values))


def scored(given, engine, signature=None, reason="why", batch_size=None, keep=(), **options):
    options = ScoreOptions(narrow=True, on_error="null", reason=reason, **options)
    binding = bind(signature or one_to_one(), columns_of(given[0].schema), options=options)
    found = score(given, binding, engine, batch_size=batch_size, keep=keep)
    table = pa.Table.from_batches(list(found))
    table.validate(full=True)
    return table


def codes(table):
    return [row and row["code"] for row in table["why"].to_pylist()]


# --- each reason ----------------------------------------------------------------------------------

IMAGE = {"origin": "", "height": 1, "width": 1, "nChannels": 3, "mode": 16, "data": b"abc"}
INT8 = one_to_one(dtype="int8")
TEXT = one_to_one(dtype="string")
PIXELS = one_to_one((None, None, None, 3), (None,), "uint8", "float32")

REASONS = {
    "a null that is refused": (
        [1.0, None], pa.float32(), one_to_one(), "NULL_INPUT", 'a null, which on_null="error"',
    ),
    "another shape": (
        [[1.0, 2.0], [1.0]], FLOATS, one_to_one((None, 2), (None, 2)),
        "WRONG_SHAPE", "expected a row of shape (2,), found (1,)",
    ),
    "ragged lists": (
        [[[1.0]], [[1.0], [1.0, 2.0]]], pa.list_(FLOATS),
        one_to_one((None, None, None), (None, None, None)),
        "RAGGED", "its inner lists have different lengths: 1, 2",
    ),
    "an image without its bytes": (
        [IMAGE, {**IMAGE, "data": b"ab"}], structs.IMAGE, PIXELS,
        "NOT_AN_IMAGE", "found (height, width, channels) (1, 1, 3) with 2 bytes",
    ),
    "an integer out of range": ([1, 300], pa.int64(), INT8, "OUT_OF_RANGE", "300 does not fit"),
    "a float that overflows": (
        [1.0, 1e300], pa.float64(), one_to_one(), "OUT_OF_RANGE", "1e+300 does not fit float32",
    ),
    "infinity for an integer": ([1.0, math.inf], pa.float64(), INT8, "OUT_OF_RANGE", "inf does"),
    "a fraction": ([1.0, 1.5], pa.float64(), INT8, "FRACTION", "1.5 does not fit int8"),
    "a decimal with a fraction": (
        [Decimal("1.0"), Decimal("1.5")], pa.decimal128(3, 1), INT8, "FRACTION", "'1.5' does not",
    ),
    "NaN for an integer": ([1.0, math.nan], pa.float64(), INT8, "NOT_A_NUMBER", "nan does not fit"),
    "a row that the model refuses": (
        [1.0, BAD], pa.float32(), one_to_one(), "MODEL_REFUSED", "refuses the row: negative input",
    ),
    "an output that is no text": (
        [b"a", b"\xff"], pa.binary(), TEXT, "NOT_TEXT", "output bytes b'\\xff' are not UTF-8",
    ),
}  # fmt: skip


def fake_for(signature):
    if signature is PIXELS:
        return lambda inputs: {"y": inputs["x"].sum(axis=(1, 2, 3)).astype(np.float32)}
    return echo if signature.inputs[0].dtype != "float32" else refusing


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("what", REASONS)
def test_each_reason_has_its_code(what, batch_size):
    values, arrow, signature, code, message = REASONS[what]
    engine = FakeEngine(fake_for(signature))
    given = batches(values, arrow)
    table = scored(given, engine, signature, on_null="error", batch_size=batch_size)
    assert table["y"].null_count == 1
    good, bad = table["why"].to_pylist()
    assert good is None
    assert bad["code"] == code
    assert bad["column"] == {"MODEL_REFUSED": None, "NOT_TEXT": "y"}.get(code, "x")
    assert message in bad["message"]


def test_every_code_is_documented_and_tested():
    tested = {code for *_, code, _ in REASONS.values()}
    assert set(CODES) == set(get_args(Code)) == tested | {"UNREADABLE"}


def test_the_documentation_lists_the_codes():
    page = (Path(rows.__file__).parents[1] / "docs" / "bad-rows.md").read_text()
    assert re.findall(r"^\| `([A-Z_]+)` \| (.*) \|$", page, re.M) == list(CODES.items())


@pytest.mark.parametrize("what", REASONS)
def test_the_same_row_ends_the_scoring_by_default(what):
    values, arrow, signature, _, message = REASONS[what]
    given = batches(values, arrow)
    options = ScoreOptions(narrow=True, on_null="error")
    binding = bind(signature, columns_of(given[0].schema), options=options)
    with pytest.raises(RowError, match=r"(?s)row 1: .*Hint:") as caught:
        list(score(given, binding, FakeEngine(fake_for(signature))))
    assert message in str(caught.value).replace("\n", " ")


# --- columns beside the predictions ---------------------------------------------------------------


def test_a_null_input_is_no_bad_row():
    table = scored(batches([1.0, None, BAD, 3.0]), FakeEngine(refusing))
    assert table["y"].to_pylist() == [2.0, None, None, 6.0]
    assert codes(table) == [None, None, "MODEL_REFUSED", None]


def test_the_reason_stands_after_the_outputs():
    table = scored(batches([1.0, BAD]), FakeEngine(refusing), keep=["id"])
    assert table.schema.names == ["id", "y", "why"]
    assert table.schema.field("why").type == REASON_TYPE


def test_without_a_reason_the_outputs_alone_tell():
    table = scored(batches([1.0, BAD]), FakeEngine(refusing), reason=None)
    assert table.to_pydict() == {"y": [2.0, None]}


def test_all_outputs_of_a_bad_row_are_null():
    two = Signature(
        "serve",
        (TensorSpec("x", "string", (None,)),),
        (TensorSpec("size", "float32", (None,)), TensorSpec("y", "string", (None,))),
    )
    engine = FakeEngine(
        lambda inputs: {"y": inputs["x"], "size": np.ones(inputs["x"].shape, np.float32)}
    )
    table = scored(batches([b"a", b"\xff", b"b"], pa.binary()), engine, two)
    assert table["size"].to_pylist() == [1.0, None, 1.0]
    assert table["y"].to_pylist() == ["a", None, "b"]


@pytest.mark.parametrize("taken", ["y", "ID", "x"])
def test_the_name_of_the_reason_must_be_free(taken):
    given = batches([1.0])
    with pytest.raises(BindingError, match=f"reason is '{taken}', and the column"):
        bind(
            one_to_one(),
            columns_of(given[0].schema),
            options=ScoreOptions(on_error="null", reason=taken),
            taken=["id", "x"],
        )


def test_a_message_is_safe_to_print():
    def hostile(inputs):
        raise ValueError("\x1b[31mred")

    (row,) = scored(batches([1.0]), FakeEngine(hostile))["why"].to_pylist()
    assert row["message"] == "the model refuses the row: \\x1b[31mred"


# --- how many calls -------------------------------------------------------------------------------


def is_within_the_limit(engine, rows, bad):
    return len(engine.calls) - 1 <= 2 * math.log2(rows) * bad if rows > 1 else True


@settings(max_examples=300)
@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_a_failing_batch_costs_few_calls_for_each_bad_row(flags):
    values = [BAD if is_bad else float(at) for at, is_bad in enumerate(flags)]
    engine = FakeEngine(refusing)
    table = scored(batches(values), engine)
    assert table["y"].to_pylist() == [None if value < 0 else 2 * value for value in values]
    assert codes(table) == ["MODEL_REFUSED" if is_bad else None for is_bad in flags]
    assert is_within_the_limit(engine, len(flags), sum(flags)) if any(flags) else engine.calls


@pytest.mark.parametrize("bad", [0, 1, 511, 512, 1023])
def test_one_bad_row_costs_half_of_the_limit(bad):
    values = [BAD if at == bad else 1.0 for at in range(1024)]
    engine = FakeEngine(refusing)
    scored(batches(values), engine, batch_size=1024)
    assert len(engine.calls) - 1 <= math.log2(1024) + 1


def test_rows_that_cannot_be_fed_cost_no_call():
    values = [[1.0, 2.0] if at % 2 else [1.0] for at in range(100)]
    engine = FakeEngine(echo)
    one = one_to_one((None, 2), (None, 2))
    table = scored(batches(values, FLOATS), engine, one, batch_size=100)
    assert table["y"].null_count == 50
    assert engine.calls == [50]


def test_clean_rows_are_fed_as_they_are():
    engine = FakeEngine(refusing)
    table = scored(batches([1.0] * 10), engine, batch_size=5)
    assert engine.calls == [5, 5]
    assert table["why"].null_count == 10


def test_the_good_rows_of_a_failing_batch_are_scored_in_a_batch_of_its_size():
    engine = FakeEngine(lambda inputs: {"y": refusing(inputs)["y"] + len(inputs["x"])})
    table = scored(batches([1.0, BAD, 3.0, 4.0, 5.0]), engine)
    assert table["y"].to_pylist() == [7.0, None, 11.0, 13.0, 15.0]


# --- the same rows, however they are fed ----------------------------------------------------------

ROW = st.none() | st.lists(st.sampled_from([1.0, 2.0, BAD, 1e300]), max_size=2)


@settings(max_examples=150)
@given(
    st.lists(ROW, min_size=1, max_size=12),
    st.integers(1, 13),
    st.integers(1, 5),
    st.sampled_from([None, 3]),
)
def test_good_and_bad_rows_do_not_depend_on_batches(rows, batch_size, size, fixed):
    arrow = pa.list_(pa.float64())
    signature = one_to_one((fixed, None), (fixed, None))
    table = scored(
        batches(rows, arrow, size), FakeEngine(refusing), signature, batch_size=batch_size
    )
    expected = [
        None if row is None else "OUT_OF_RANGE" if 1e300 in row else BAD in row and "MODEL_REFUSED"
        for row in rows
    ]
    assert codes(table) == [code or None for code in expected]
    good = [
        None if row is None or code else [2 * one for one in row]
        for row, code in zip(rows, expected, strict=True)
    ]
    assert table["y"].to_pylist() == good


def test_a_row_that_fits_no_group_is_left_out_of_each():
    values = [[1e300], [1.0], [1.0, 1e300], [1.0, 2.0], [], [1e300] * 3]
    engine = FakeEngine(echo)
    table = scored(
        batches(values, pa.list_(pa.float64())), engine, one_to_one((None, None), (None, None))
    )
    assert table["y"].to_pylist() == [None, [1.0], None, [1.0, 2.0], [], None]


def test_a_fixed_batch_with_bad_rows_is_padded():
    engine = FakeEngine(refusing)
    values = [1.0, BAD, 3.0, BAD, 5.0]
    table = scored(batches(values), engine, one_to_one((4,), (4,)))
    assert table["y"].to_pylist() == [2.0, None, 6.0, None, 10.0]
    assert set(engine.calls) == {4}


def test_a_signature_without_rows_runs_each_row_once():
    def one_row(inputs):
        if inputs["x"] < 0:
            raise ValueError("negative input")
        return {"y": inputs["x"]}

    engine = FakeEngine(one_row)
    values = [1.0, BAD, None, 3.0, BAD]
    table = scored(batches(values), engine, one_to_one((), ()))
    assert table["y"].to_pylist() == [1.0, None, None, 3.0, None]
    assert codes(table) == [None, "MODEL_REFUSED", None, None, "MODEL_REFUSED"]
    assert len(engine.calls) == 4


@pytest.mark.parametrize("shape", [(None,), (4,), ()])
def test_every_row_may_be_bad(shape):
    def never(inputs):
        raise ValueError("negative input")

    table = scored(batches([BAD] * 5), FakeEngine(never), one_to_one(shape, shape))
    assert table["y"].null_count == 5
    assert codes(table) == ["MODEL_REFUSED"] * 5


@pytest.mark.parametrize("column", ["y", "why"])
def test_a_row_that_fails_two_checks_has_one_reason(column):
    two = Signature(
        "serve",
        (TensorSpec("a", "int8", (None,)), TensorSpec("b", "int8", (None,))),
        (TensorSpec("y", "int8", (None,)),),
    )
    given = [pa.record_batch({"a": pa.array([1, 300, 1, 300]), "b": pa.array([1, 1, 300, 300])})]
    table = scored(given, FakeEngine(lambda inputs: {"y": inputs["a"]}), two)
    assert table["y"].to_pylist() == [1, None, None, None]
    assert [row and row["column"] for row in table["why"].to_pylist()] == [None, "a", "b", "a"]


# --- errors that are not about a row --------------------------------------------------------------


def raising(error):
    def fails(inputs):
        raise error

    return fails


@pytest.mark.parametrize("shape", [(None,), (4,), ()])
@pytest.mark.parametrize("error", [CannotServeError("no kernel"), OutOfMemoryError("OOM")])
def test_a_kernel_or_memory_is_no_fault_of_a_row(error, shape):
    with pytest.raises(EngineError, match=r"model model, rows 0 to \d: (no kernel|OOM)") as caught:
        scored(batches([1.0, 2.0]), FakeEngine(raising(error)), one_to_one(shape, shape))
    assert not isinstance(caught.value, RowError)


@pytest.mark.parametrize("kind", [CannotServeError, OutOfMemoryError])
def test_a_search_ends_at_an_error_of_no_row(kind):
    def fails(inputs):
        if len(inputs["x"]) == 1:
            raise kind("not here")
        return refusing(inputs)

    with pytest.raises(EngineError, match="not here"):
        scored(batches([BAD, 2.0]), FakeEngine(fails))


def test_a_batch_beyond_memory_is_halved_and_its_bad_rows_are_found():
    def greedy(inputs):
        if len(inputs["x"]) > 3:
            raise OutOfMemoryError("OOM")
        return refusing(inputs)

    table = scored(batches([1.0, 2.0, BAD, 4.0, 5.0, BAD, 7.0]), FakeEngine(greedy))
    assert table["y"].to_pylist() == [2.0, 4.0, None, 8.0, 10.0, None, 14.0]


@pytest.mark.parametrize("bad", [(), (3,)])
def test_a_batch_that_fails_only_as_a_whole_has_no_bad_row(bad):
    def too_many(inputs):
        if len(inputs["x"]) > 4:
            raise ValueError("too many rows")
        return refusing(inputs)

    values = [BAD if at in bad else 1.0 for at in range(10)]
    with pytest.raises(EngineError, match="each row works alone; score with batch_size=1"):
        scored(batches(values), FakeEngine(too_many))


def test_an_output_that_breaks_its_signature_is_no_bad_row():
    engine = FakeEngine(lambda inputs: {"y": inputs["x"][:1]})
    with pytest.raises(EngineError, match="not what its signature says"):
        scored(batches([1.0, 2.0]), engine)
    assert engine.calls == [2]
