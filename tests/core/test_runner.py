import math
from datetime import date
from decimal import Decimal
from itertools import count, pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfspark import model_call, runner
from tfspark.batch_size import FIRST_ROWS, MAX_ROWS
from tfspark.columns import columns_of
from tfspark.constants import Constant
from tfspark.engine.protocol import CannotServeError, OutOfMemoryError
from tfspark.errors import EngineError, RowError, UsageError
from tfspark.options import ScoreOptions
from tfspark.origin import Origin
from tfspark.runner import score
from tfspark.schema import bind
from tfspark.signature import Signature, TensorSpec
from tfspark.tensors import ByteStrings
from tfspark.testing import FakeEngine

FLOATS = pa.list_(pa.float32())
NAN = math.nan


def signature(x=(None, 2), y=(None, 1), dtype="float32"):
    return Signature("serve", (TensorSpec("x", dtype, x),), (TensorSpec("y", dtype, y),))


def plane(inputs):
    x = inputs["x"]
    return {"y": (2 * x[:, 0] - x[:, 1] + 3)[:, None]}


def echo(inputs):
    return {"y": inputs["x"]}


def linear_rows(rows):
    return [None if row is None or None in row else 2 * row[0] - row[1] + 3 for row in rows]


def batches(rows, size, arrow=FLOATS):
    """Record batches of `id` and `x`, of `size` rows each."""
    whole = pa.table({"id": pa.array(range(len(rows)), pa.int64()), "x": pa.array(rows, arrow)})
    return whole.to_batches(max_chunksize=size)


def run(given, engine=None, one=None, names=("y",), **options):
    """Score batches and return the outputs as a table."""
    engine = engine or FakeEngine(plane)
    bound = options.pop("binding", None) or bind(one or signature(), columns_of(given[0].schema))
    return pa.Table.from_batches(score(given, bound, engine, **options))


def strict(function):
    """An engine function that checks the guarantees of the runner to an engine."""

    def checked(inputs):
        sizes = {tensor.shape[0] for tensor in inputs.values()}
        assert len(sizes) == 1
        assert min(sizes) > 0
        return function(inputs)

    return checked


ROWS = [[float(i), float(i % 3)] for i in range(50)]


# --- order, columns and batches -------------------------------------------------------------------


@pytest.mark.parametrize("rows_per_batch", [1, 3, 7, 50])
@pytest.mark.parametrize("batch_size", [1, 2, 7, 49, 50, 51, 1000, None])
def test_rows_and_columns_are_kept_in_order(rows_per_batch, batch_size):
    given = batches(ROWS, rows_per_batch)
    engine = FakeEngine(strict(plane))
    scored = list(
        score(given, bind(signature(), columns_of(given[0].schema)), engine, batch_size=batch_size)
    )
    assert [batch.num_rows for batch in scored] == [batch.num_rows for batch in given]
    table = pa.Table.from_batches(scored)
    assert table.select(["id", "x"]) == pa.Table.from_batches(given)
    assert table["y"].to_pylist() == linear_rows(ROWS)
    assert table.schema.field("y") == pa.field("y", pa.float32(), nullable=True)
    full = batch_size or len(ROWS)
    assert engine.calls == [full] * (50 // full) + [50 % full] * bool(50 % full)


def test_kept_columns_are_passed_on_without_a_copy():
    given = batches(ROWS, 20)
    for before, after in zip(given, run(given).to_batches(), strict=True):
        for name in ("id", "x"):
            left, right = before.column(name), after.column(name)
            addresses = [[b and b.address for b in side.buffers()] for side in (left, right)]
            assert addresses[0] == addresses[1]


def test_keep_chooses_and_orders_columns():
    assert run(batches(ROWS, 20), keep=["x"]).schema.names == ["x", "y"]
    assert run(batches(ROWS, 20), keep=["x", "id"]).schema.names == ["x", "id", "y"]
    assert run(batches(ROWS, 20), keep=()).schema.names == ["y"]


def test_equal_names_of_columns_that_are_not_fed_are_kept():
    arrays = [pa.array([1, 2]), pa.array([3, 4]), pa.array([[1.0, 2.0]] * 2, FLOATS)]
    table = run([pa.RecordBatch.from_arrays(arrays, ["a", "a", "x"])])
    assert table.schema.names == ["a", "a", "x", "y"]
    assert [column.to_pylist() for column in table.columns[:2]] == [[1, 2], [3, 4]]


def test_empty_batches_vanish():
    empty = batches(ROWS, 20)[0].slice(0, 0)
    first, second, third = batches(ROWS, 20)
    scored = run([empty, first, empty, empty, second, third, empty], batch_size=33)
    assert scored["y"].to_pylist() == linear_rows(ROWS)


@pytest.mark.parametrize("times", [0, 1, 3])
def test_no_rows_never_reach_the_engine(times):
    empty = batches(ROWS, 20)[0].slice(0, 0)
    engine = FakeEngine(plane)
    bound = bind(signature(), columns_of(empty.schema))
    assert list(score([empty] * times, bound, engine)) == []
    assert engine.calls == []


def test_large_types_of_spark_are_scored_alike():
    given = batches(ROWS, 20, pa.large_list(pa.float32()))
    assert run(given)["y"].to_pylist() == linear_rows(ROWS)


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_size_below_one_is_refused(size):
    with pytest.raises(UsageError, match="batch_size ≥ 1"):
        run(batches(ROWS, 20), batch_size=size)


# --- memory ---------------------------------------------------------------------------------------


def pulled_before_first_output(given, **options):
    pulled = []

    def stream():
        for batch in given:
            pulled.append(batch)
            yield batch

    bound = bind(signature(), columns_of(given[0].schema))
    next(iter(score(stream(), bound, FakeEngine(plane), **options)))
    return len(pulled)


@pytest.mark.parametrize(("batch_size", "batches_needed"), [(1, 1), (10, 1), (11, 2), (25, 3)])
def test_no_more_is_read_than_the_next_output_needs(batch_size, batches_needed):
    assert pulled_before_first_output(batches(ROWS, 10), batch_size=batch_size) == batches_needed


def test_what_was_given_out_is_not_held():
    bound = bind(signature(), columns_of(batches(ROWS, 1)[0].schema))
    alive = []

    def stream():
        for batch in batches(ROWS, 5):
            copy = pa.RecordBatch.from_pylist(batch.to_pylist(), batch.schema)
            alive.append(pa.total_allocated_bytes())
            yield copy
            del copy

    for _ in score(stream(), bound, FakeEngine(plane), batch_size=10):
        pass
    assert max(alive[4:]) <= max(alive[:4])


def test_the_default_batch_is_about_a_mebibyte():
    wide = [[float(i)] * 1024 for i in range(600)]  # 4 KiB each
    engine = FakeEngine(lambda inputs: {"y": inputs["x"][:, :1]})
    run(batches(wide, 100), engine, signature((None, None)))
    assert engine.calls[0] == 240  # a multiple of 16
    assert sum(engine.calls) == 600


def test_the_default_batch_of_wide_outputs_is_about_a_mebibyte():
    engine = FakeEngine(lambda inputs: {"y": np.repeat(inputs["x"][:, None], 1024, axis=1)})
    run(batches([1.0] * 600, 100, pa.float32()), engine, signature((None,), (None, 1024)))
    assert engine.calls[0] == 240
    assert sum(engine.calls) == 600


def test_the_default_batch_of_narrow_rows_is_bounded():
    given = batches([False] * 300_000, 50_000, pa.bool_())
    engine = FakeEngine(echo)
    run(given, engine, signature((None,), (None,), "bool"))
    assert engine.calls[:2] == [MAX_ROWS] * 2
    assert sum(engine.calls) == 300_000


def test_on_a_gpu_batches_grow_beyond_a_mebibyte(monkeypatch):
    milliseconds = count()
    monkeypatch.setattr(runner, "perf_counter", lambda: next(milliseconds) * 1e-3)
    engine = FakeEngine(lambda inputs: {"y": np.repeat(inputs["x"][:, None], 1024, axis=1)})
    given = batches([1.0] * 2000, 100, pa.float32())
    run(given, engine, signature((None,), (None, 1024)), on_gpu=True)
    assert engine.calls == [240, 240, 240, 1008, 272]


def test_a_batch_beyond_memory_is_halved_until_it_fits():
    def greedy(inputs):
        if inputs["x"].shape[0] > 3:
            raise OutOfMemoryError("OOM when allocating")
        return echo(inputs)

    engine = FakeEngine(greedy)
    given = batches([float(i) for i in range(10)], 10, pa.float32())
    scored = run(given, engine, signature((None,), (None,)))
    assert scored.column("y").to_pylist() == [float(i) for i in range(10)]
    assert max(call for call in engine.calls if call <= 3) == 3


@pytest.mark.parametrize(("fixed", "rows"), [(None, "0 to 0"), (4, "0 to 1")])
def test_too_little_memory_is_no_fault_of_a_row(fixed, rows):
    def greedy(inputs):
        raise OutOfMemoryError("OOM when allocating")

    given = batches([0.0, 1.0], 2, pa.float32())
    with pytest.raises(EngineError, match=rf"rows {rows}: OOM") as caught:
        run(given, FakeEngine(greedy), signature((fixed,), (fixed,)))
    assert not isinstance(caught.value, RowError)


def test_an_output_of_open_size_decides_how_many_rows_a_batch_has():
    def wide(inputs):
        return {"y": np.repeat(inputs["x"][:, None], 4096, axis=1)}  # 16 KiB for each row

    engine = FakeEngine(wide)
    given = batches([float(i) for i in range(500)], 500, pa.float32())
    table = run(given, engine, signature((None,), (None, None)))
    assert engine.calls[0] == 16
    assert max(engine.calls) == 48  # of at most 1 MiB, in steps of 16 rows
    assert [row[0] for row in table["y"].to_pylist()] == [float(i) for i in range(500)]


def test_large_predictions_do_not_wait_for_the_rest_of_their_batch():
    engine = FakeEngine(lambda inputs: {"y": np.repeat(inputs["x"][:, None], 2**21, axis=1)})
    given = batches([float(i) for i in range(20)], 20, pa.float32())  # 8 MiB for each row
    bound = bind(signature((None,), (None, 2**21)), columns_of(given[0].schema))
    parts = list(score(given, bound, engine))
    assert [part.num_rows for part in parts] == [8, 8, 4]
    assert pa.Table.from_batches(parts)["x"].to_pylist() == [float(i) for i in range(20)]
    assert [part["y"][0][0].as_py() for part in parts] == [0.0, 8.0, 16.0]


def test_rows_that_grow_do_not_pile_up():
    small = batches([[0.0]] * 500, 100)
    large = batches([[0.0] * 2**21] * 6, 1)  # 8 MiB each, so a batch holds one
    engine = FakeEngine(lambda inputs: {"y": inputs["x"][:, :1]})
    table = run([*small, *large], engine, signature((None, None)))
    assert engine.calls == [500, 1, 1, 1, 1, 1, 1]
    assert table["y"].to_pylist() == [0.0] * 506
    nulls = batches([None] * 500, 100)
    assert run([*nulls, *large], engine, signature((None, None)))["y"].null_count == 500
    assert engine.calls[7:] == [1] * 6


# --- nulls ----------------------------------------------------------------------------------------


def bound_to(given, **options):
    return bind(signature(), columns_of(given[0].schema), **options)


def test_a_fill_is_fed_in_place_of_null_elements():
    given = batches([[1.0, None], None, [3.0, 5.0], [None, None]], 3)
    engine = FakeEngine(plane)
    table = run(given, engine, binding=bound_to(given, options=ScoreOptions(on_null=0.0)))
    assert table["y"].to_pylist() == [5.0, None, 4.0, 3.0]
    assert table["x"].to_pylist() == [[1.0, None], None, [3.0, 5.0], [None, None]]
    assert sum(engine.calls) == 3


def test_a_fill_reaches_each_of_stacked_columns():
    given = [pa.record_batch({"a": pa.array([1.0, None, 3.0]), "b": pa.array([None, 2.0, 5.0])})]
    binding = bound_to(
        given, feed={"x": ["a", "b"]}, options=ScoreOptions(narrow=True, on_null={"x": "10"})
    )
    assert run(given, binding=binding)["y"].to_pylist() == [-5.0, 21.0, 4.0]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_fill_of_text_is_blind_to_how_rows_are_cut(size):
    text = Signature(
        "s", (TensorSpec("x", "string", (None,)),), (TensorSpec("y", "string", (None,)),)
    )
    given = batches(["a", None, "c", None, "e"], size, pa.string())
    binding = bind(text, columns_of(given[0].schema), options=ScoreOptions(on_null={"x": "-"}))
    table = run([batch.slice(0) for batch in given], FakeEngine(echo), binding=binding)
    assert table["y"].to_pylist() == ["a", "-", "c", "-", "e"]


def test_a_refused_null_names_its_row():
    given = batches([[1.0, 2.0]] * 7 + [[1.0, None]], 3)
    with pytest.raises(
        RowError, match=r"column 'x', row 7: a null, which on_null=\"error\" refuses"
    ):
        run(given, binding=bound_to(given, options=ScoreOptions(on_null="error")))


def test_a_null_row_is_not_fed_and_gives_null():
    rows = [[1.0, 2.0], None, [None, 1.0], [3.0, 4.0], [NAN, 1.0]]
    engine = FakeEngine(plane)
    got = run(batches(rows, 2), engine)["y"].to_pylist()
    assert got[:4] == [3.0, None, None, 5.0]
    assert math.isnan(got[4])
    assert engine.calls == [3]


@pytest.mark.parametrize(("y", "arrow"), [((None, 1), pa.float32()), ((None, 4), FLOATS)])
def test_a_partition_of_nulls_never_calls_the_engine(y, arrow):
    engine = FakeEngine(plane)
    table = run(batches([None] * 5, 2), engine, signature(y=y))
    assert table["y"].to_pylist() == [None] * 5
    assert table.schema.field("y").type == arrow
    assert engine.calls == []


@pytest.mark.parametrize(
    ("y", "model_bytes"), [((None, 1), 1 << 30), ((None, None), 0), ((None, None), 1 << 30)]
)
def test_rows_of_null_do_not_tell_how_large_a_call_may_be(y, model_bytes):
    """Otherwise the first call of a large model could need all memory."""
    engine = FakeEngine(plane)
    rows = [None] * 1040 + [[1.0, 2.0]] * 2000
    table = run(batches(rows, 3040), engine, signature(y=y), model_bytes=model_bytes)
    assert engine.calls[0] <= FIRST_ROWS
    assert len(engine.calls) < 20
    assert table["y"].null_count == 1040


# --- fixed batch dimension ------------------------------------------------------------------------


@pytest.mark.parametrize("rows_per_batch", [1, 3, 50])
def test_a_fixed_batch_is_padded_and_cut(rows_per_batch):
    fed = []
    engine = FakeEngine(lambda inputs: fed.append(inputs["x"].copy()) or plane(inputs))
    rows = [*ROWS[:5], None, *ROWS[6:10]]
    table = run(batches(rows, rows_per_batch), engine, signature((4, 2), (4, 1)), batch_size=100)
    assert table["y"].to_pylist() == linear_rows(rows)
    assert engine.calls == [4, 4, 4]
    assert fed[2][:2].tolist() == rows[8:]
    assert fed[2][2:].tolist() == [rows[9]] * 2


def test_a_fixed_batch_of_strings_is_padded():
    given = batches(["a", "b", "c"], 3, pa.string())
    table = run(given, FakeEngine(echo), signature((2,), (2,), "string"))
    assert table["y"].to_pylist() == ["a", "b", "c"]


def test_an_output_that_is_not_fetched_may_be_anything():
    def with_loss(inputs):
        return {**plane(inputs), "loss": np.float32(1.0), "names": np.zeros(7)}

    rows = ROWS[:3]
    table = run(batches(rows, 3), FakeEngine(with_loss), signature((4, 2), (4, 1)))
    assert table["y"].to_pylist() == linear_rows(rows)


# --- free dimensions ------------------------------------------------------------------------------


def test_rows_of_different_lengths_come_back_in_order():
    rows = [[1.0], [2.0, 3.0], [], [4.0], None, [5.0, 6.0], [7.0, 8.0, 9.0]]
    engine = FakeEngine(strict(echo))
    table = run(batches(rows, 3), engine, signature((None, None), (None, None)))
    assert table["y"].to_pylist() == rows
    assert sorted(engine.calls) == [1, 1, 2, 2]


ROW = st.none() | st.lists(st.none() | st.floats(width=32), max_size=3)


@settings(max_examples=150)
@given(st.lists(ROW, min_size=1, max_size=12), st.integers(1, 13), st.data())
def test_results_depend_neither_on_batches_nor_on_batch_size(rows, batch_size, data):
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=4).map(sorted))
    (whole,) = batches(rows, len(rows))
    edges = [0, *cuts, len(rows)]
    given = [whole.slice(start, stop - start) for start, stop in pairwise(edges)]
    fixed = data.draw(st.sampled_from([None, 1, 3]))
    one = signature((fixed, None), (fixed, None))
    binding = bind(one, columns_of(whole.schema))
    table = run(given, FakeEngine(strict(echo)), binding=binding, batch_size=batch_size)
    alone = run([whole], FakeEngine(strict(echo)), signature((None, None), (None, None)))
    assert table.select(["id"]) == pa.Table.from_batches([whole]).select(["id"])
    expected = [None if row is None or None in row else row for row in rows]
    assert repr(table["y"].to_pylist()) == repr(alone["y"].to_pylist()) == repr(expected)
    table.validate(full=True)


# --- errors ---------------------------------------------------------------------------------------

ORIGIN = Origin("linear version 1 (0123456789ab)", 3)


def refusal(given, engine=None, one=None, kind=RowError, **options):
    with pytest.raises(kind) as caught:
        run(given, engine, one, **options)
    return str(caught.value)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
@pytest.mark.parametrize("rows_per_batch", [1, 7, 50])
def test_a_bad_row_is_named_with_model_column_and_partition(rows_per_batch, batch_size):
    rows = [*ROWS[:37], [1.0], *ROWS[38:]]
    rows[5] = None
    text = refusal(batches(rows, rows_per_batch), batch_size=batch_size, origin=ORIGIN)
    assert text == (
        "model linear version 1 (0123456789ab), column 'x', row 37 of partition 3: "
        "expected a row of shape (2,), found (1,) (row {'id': 37})\n"
        "Hint: fix the row or filter it out."
    )


def test_rows_before_a_bad_one_have_been_given_out():
    given = batches([*ROWS[:30], [1.0]], 10)
    scored = score(
        given, bind(signature(), columns_of(given[0].schema)), FakeEngine(plane), batch_size=5
    )
    assert [next(scored).num_rows for _ in range(3)] == [10, 10, 10]
    with pytest.raises(RowError, match="row 30: expected"):
        next(scored)


def test_without_a_partition_the_row_alone_is_named():
    assert refusal(batches([[1.0]], 1)).startswith("model model, column 'x', row 0: expected")


def refuse_negative(inputs):
    if (inputs["x"] < 0).any():
        raise ValueError("negative input")
    return plane(inputs)


@pytest.mark.parametrize("bad", [0, 1, 24, 25, 48, 49])
@pytest.mark.parametrize("batch_size", [1, 3, 50])
@pytest.mark.parametrize("fixed", [None, 8])
def test_a_failing_batch_is_halved_down_to_the_row(bad, batch_size, fixed):
    rows = [[-1.0, 0.0] if index == bad else row for index, row in enumerate(ROWS)]
    one = signature((fixed, 2), (fixed, 1))
    text = refusal(
        batches(rows, 20), FakeEngine(refuse_negative), one, batch_size=batch_size, origin=ORIGIN
    )
    assert f"row {bad} of partition 3: the model refuses the row: negative input" in text


def test_the_row_of_a_failing_batch_is_counted_among_nulls_and_groups():
    rows = [None, [1.0], [2.0, 2.0], None, [3.0], [-1.0, 1.0], [4.0, 4.0]]
    engine = FakeEngine(lambda inputs: {"y": refuse_negative({"x": inputs["x"][:, [0, 0]]})["y"]})
    assert "row 5:" in refusal(batches(rows, 3), engine, signature((None, None)))


def test_a_batch_that_fails_only_as_a_whole_is_named_by_its_rows():
    def too_many(inputs):
        if len(inputs["x"]) > 4:
            raise ValueError("out of memory")
        return plane(inputs)

    text = refusal(batches(ROWS, 20), FakeEngine(too_many), kind=EngineError, batch_size=30)
    assert text == (
        "model model, rows 0 to 29: out of memory\n"
        "Hint: each row works alone; score with batch_size=1."
    )


def test_an_engine_that_cannot_serve_is_not_the_fault_of_a_row():
    def unfit(inputs):
        raise CannotServeError("no kernel")

    engine = FakeEngine(unfit)
    text = refusal(batches(ROWS, 20), engine, kind=EngineError)
    assert text == "model model, rows 0 to 49: no kernel"
    assert engine.calls == [50]


def test_the_error_of_the_engine_is_chained():
    with pytest.raises(RowError) as caught:
        run(batches([[-1.0, 0.0]], 1), FakeEngine(refuse_negative))
    assert isinstance(caught.value.__cause__, EngineError)


@pytest.mark.parametrize(
    ("returned", "found"),
    [
        (lambda x: x[:1, :1], "float32 (1, 1)"),
        (lambda x: x[:0, :1], "float32 (0, 1)"),
        (lambda x: np.repeat(x[:, :1], 2, axis=0), "float32 (40, 1)"),
        (lambda x: x, "float32 (20, 2)"),
        (lambda x: x[:, 0], "float32 (20,)"),
        (lambda x: x.sum(), "float32 ()"),
        (lambda x: x[:, :1].astype(np.float64), "float64 (20, 1)"),
        (lambda x: ByteStrings(pa.array([b""] * 20), (20, 1)), "string (20, 1)"),
    ],
)
def test_an_output_that_breaks_its_signature_is_refused(returned, found):
    engine = FakeEngine(lambda inputs: {"y": returned(inputs["x"])})
    text = refusal(batches(ROWS[:20], 20), engine, kind=EngineError)
    assert text.splitlines()[:3] == [
        "model model, rows 0 to 19: output 'y' is not what its signature says.",
        "  expected: float32 (20, 1)",
        f"  found:    {found}",
    ]
    assert engine.calls == [20]


def test_an_output_that_is_not_there_is_refused():
    text = refusal(batches(ROWS, 50), FakeEngine(lambda inputs: {}), kind=EngineError)
    assert text.endswith("the engine gave no output 'y'")


def test_an_output_beyond_the_lists_of_arrow_is_refused(monkeypatch):
    monkeypatch.setattr(model_call, "MAX_ELEMENTS", 10)
    assert "give a smaller batch_size" in refusal(batches(ROWS, 50), kind=EngineError)
    assert run(batches(ROWS, 50), batch_size=10)["y"].to_pylist() == linear_rows(ROWS)
    words, one = batches(["abc"] * 4, 4, pa.string()), signature((None,), (None,), "string")

    def large(inputs):
        text = inputs["x"]
        return {"y": ByteStrings(text.values.cast(pa.large_binary()), text.shape)}

    assert "12 bytes of text" in refusal(words, FakeEngine(large), one, kind=EngineError)
    assert run(words, FakeEngine(large), one, batch_size=3)["y"].to_pylist() == ["abc"] * 4


def test_text_that_is_none_names_its_row_in_the_partition():
    given = batches([b"a", None, b"b", b"\xff"], 2, pa.binary())
    text = refusal(given, FakeEngine(echo), signature((None,), (None,), "string"), batch_size=4)
    assert text.startswith("model model, column 'y', row 3: output bytes b'\\xff' are not UTF-8")


# --- several inputs and outputs -------------------------------------------------------------------


def test_several_inputs_and_outputs():
    inputs = (TensorSpec("a", "int64", (None,)), TensorSpec("b", "string", (None, None)))
    outputs = (TensorSpec("size", "int64", (None,)), TensorSpec("text", "string", (None, None)))
    both = Signature("serve", inputs, outputs)
    given = pa.table(
        {"k": [1, 2, 3, None], "words": [["p"], ["q", "r"], ["s"], ["t"]]}
    ).to_batches()
    binding = bind(
        both,
        columns_of(given[0].schema),
        feed={"a": "k", "b": "words"},
        fetch={"text": "t", "size": "n"},
    )
    engine = FakeEngine(lambda fed: {"size": fed["a"] * fed["b"].shape[1], "text": fed["b"]})
    table = run(given, engine, binding=binding, keep=["k"])
    assert table.to_pydict() == {
        "k": [1, 2, 3, None],
        "t": [["p"], ["q", "r"], ["s"], None],
        "n": [1, 4, 3, None],
    }


def test_fed_tensors_are_not_changed_by_an_engine_that_keeps_its_promise():
    given = batches(ROWS, 10)
    before = [batch.to_pylist() for batch in given]
    run(given, batch_size=7)
    assert [batch.to_pylist() for batch in given] == before


def test_an_endless_stream_is_scored_as_it_comes():
    endless = (batches([[float(i), 0.0]], 1)[0] for i in count())
    bound = bind(signature(), columns_of(batches(ROWS, 1)[0].schema))
    scored = score(endless, bound, FakeEngine(plane), batch_size=4)
    assert [next(scored)["y"][0].as_py() for _ in range(8)] == [3.0 + 2 * i for i in range(8)]


# --- scalars, constants and signatures without rows -----------------------------------------------


def scaled(inputs):
    assert inputs["k"].shape == ()
    return {"y": inputs["x"] * inputs["k"]}


SCALED = Signature(
    "serve",
    (TensorSpec("k", "float32", ()), TensorSpec("x", "float32", (None,))),
    (TensorSpec("y", "float32", (None,)),),
)


@pytest.mark.parametrize("batch_size", [1, 3, None])
def test_rows_are_grouped_by_the_value_of_a_scalar_input(batch_size):
    given = pa.table(
        {
            "x": pa.array([1, 2, 3, None, 5, 6], pa.float32()),
            "k": pa.array([2, NAN, 2, 2, None, NAN], pa.float32()),
        }
    ).to_batches()
    engine = FakeEngine(scaled)
    table = run(given, engine, SCALED, batch_size=batch_size)
    found = table["y"].to_pylist()
    assert found[0::2] == [2.0, 6.0, None]
    assert math.isnan(found[1])
    assert found[3] is None
    assert math.isnan(found[5])
    if batch_size is None:
        assert len(engine.calls) == 2


def test_a_constant_feeds_every_row():
    given = batches([1.0, 2.0, 3.0], 2, pa.float32())
    three = bind(SCALED, columns_of(given[0].schema), feed={"k": Constant("3")})
    assert run(given, FakeEngine(scaled), binding=three)["y"].to_pylist() == [3.0, 6.0, 9.0]


def test_a_constant_is_repeated_for_an_input_with_rows():
    two = Signature(
        "serve",
        (TensorSpec("w", "string", (None, 2)), TensorSpec("x", "float32", (None,))),
        (TensorSpec("y", "string", (None, 2)),),
    )
    given = batches([1.0, None, 3.0], 2, pa.float32())
    bound = bind(two, columns_of(given[0].schema), feed={"w": Constant(["a", "b"])})
    engine = FakeEngine(lambda inputs: {"y": inputs["w"]})
    assert run(given, engine, binding=bound)["y"].to_pylist() == [["a", "b"], None, ["a", "b"]]


def test_a_signature_without_rows_runs_once_for_each_row():
    scalars = Signature(
        "serve",
        (TensorSpec("x", "float32", ()),),
        (TensorSpec("y", "float32", ()), TensorSpec("v", "float32", (2,))),
    )

    def one_row(inputs):
        assert inputs["x"].shape == ()
        return {"y": inputs["x"] * 2, "v": np.stack([inputs["x"], -inputs["x"]])}

    given = batches([1.0, None, 3.0], 2, pa.float32())
    table = run(given, FakeEngine(one_row), scalars)
    assert table["y"].to_pylist() == [2.0, None, 6.0]
    assert table["v"].to_pylist() == [[1.0, -1.0], None, [3.0, -3.0]]


def test_strings_without_rows_run_once_for_each_row():
    scalars = Signature("serve", (TensorSpec("x", "string", ()),), (TensorSpec("y", "string", ()),))
    given = batches(["a", None, "bc"], 3, pa.string())
    assert run(given, FakeEngine(echo), scalars)["y"].to_pylist() == ["a", None, "bc"]


def test_outputs_of_several_shapes_come_back_row_by_row():
    scalars = Signature(
        "serve", (TensorSpec("x", "float32", ()),), (TensorSpec("y", "float32", (None,)),)
    )
    engine = FakeEngine(lambda inputs: {"y": np.zeros(int(inputs["x"]), np.float32)})
    table = run(batches([1.0, None, 0.0, 2.0, 2.0], 5, pa.float32()), engine, scalars)
    assert table["y"].to_pylist() == [[0.0], None, [], [0.0, 0.0], [0.0, 0.0]]
    with pytest.raises(RowError, match=r"row 3: .*negative dimensions"):
        run(batches([1.0, 2.0, 3.0, -1.0], 4, pa.float32()), engine, scalars)


def test_the_file_of_a_bad_row_is_named():
    origin = Origin("m", 0, lambda row: f"part-{row // 2}.parquet")
    text = refusal(batches([[1.0, 1.0], [2.0, 2.0], [1.0]], 2), origin=origin)
    assert "row 2 of partition 0, from part-1.parquet: expected" in text


def test_the_values_beside_a_bad_row_are_shown_as_text():
    values = {
        "id": 4,
        "name": "it's\n",
        "x": 0.5,
        "day": date(2024, 2, 29),
        "price": Decimal("1.50"),
        "raw": b"\x00\xff",
        "seventh": 7,
    }
    columns = {"x": pa.array([[1.0]], FLOATS)}
    columns |= {f"{name}_": pa.array([value]) for name, value in values.items()}
    text = refusal(pa.table(columns).to_batches())
    shown = "'id_': 4, 'name_': \"it's\\n\", 'x_': 0.5, 'day_': 2024-02-29, 'price_': 1.50, "
    assert f"(row {{{shown}'raw_': b'\\x00\\xff'}})" in text


def test_long_values_beside_a_bad_row_are_cut_and_escaped():
    names = pa.array(["x" * 99 + "\n"])
    table = pa.table({"x": pa.array([[1.0]], FLOATS), "na\nme": names})
    text = refusal(table.to_batches())
    assert "(row {'na\\nme': 'xxx" in text
    assert text.count("\n") == 1
