"""The sketches of columns: errors within their bounds, merges in any order, exact counts."""

import itertools
import json
import math
import pickle
import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from tfspark.sketches import ColumnSketch, Frequent, Moments, Quantiles, RowSketch, Wanted, Watch
from tfspark.sketches import frequent as frequent_module
from tfspark.sketches.draw import Draw, level_for
from tfspark.sketches.summary import BARS, summary_of
from tfspark.sketches.watching import MOST_COLUMNS

SHARES = np.linspace(0.01, 0.99, 99)


def rank_error(quantiles, numbers):
    """Return the greatest distance of the sketch's distribution function from the true one."""
    known, upto = quantiles.steps()
    true = np.searchsorted(np.sort(numbers), known, side="right") / len(numbers)
    return float(np.abs(true - upto).max())


def column_of(*arrays, seed=0):
    sketch, draw = ColumnSketch(), Draw(seed)
    for array in arrays:
        draw.renew()
        sketch.add(array, draw)
    sketch.finish()
    return sketch


def facts_of(*arrays, values=True):
    """Return what the report says about a column."""
    rows = RowSketch(outputs={"y": column_of(*arrays)})
    summary = summary_of(rows, values=values)
    json.dumps(summary, allow_nan=False)
    return summary["outputs"]["y"]


# --- quantiles -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["normal", "sorted", "reversed", "lognormal", "few"])
def test_quantiles_are_within_the_bound(name):
    random = np.random.default_rng(7)
    numbers = {
        "normal": random.normal(size=200_000),
        "sorted": np.arange(200_000.0),
        "reversed": np.arange(200_000.0)[::-1],
        "lognormal": random.lognormal(0, 4, 200_000),
        "few": random.integers(0, 5, 200_000).astype(float),
    }[name]
    sketch = Quantiles()
    for part in np.array_split(numbers, 37):
        sketch.add(part)
    assert rank_error(sketch, numbers) < 0.01
    assert sum(map(len, sketch.levels)) < 4 * sketch.size


def test_quantiles_of_few_numbers_are_exact():
    sketch = Quantiles()
    sketch.add(np.array([3.0, 1.0, 2.0, 2.0]))
    known, upto = sketch.steps()
    assert known.tolist() == [1.0, 2.0, 3.0]
    assert upto.tolist() == [0.25, 0.75, 1.0]
    assert sketch.at([0.1, 0.5, 1.0]).tolist() == [1.0, 2.0, 3.0]
    assert Quantiles().steps()[0].size == 0


def test_sketches_of_tasks_may_be_merged_in_any_order():
    parts = np.array_split(np.random.default_rng(3).normal(size=160_000), 16)
    tasks = []
    for part in parts:
        tasks.append(Quantiles(size=64))
        tasks[-1].add(part)
    shuffler = random.Random(5)
    for _ in range(4):
        shuffler.shuffle(tasks)
        total = Quantiles()
        for task in tasks:
            total.merge(pickle.loads(pickle.dumps(task)))
        assert rank_error(total, np.concatenate(parts)) < 0.02


def test_a_number_of_a_higher_level_stands_for_more():
    sketch = Quantiles()
    sketch.add(np.array([1.0]))
    sketch.add(np.array([2.0]), level=3)
    assert sketch.steps()[1].tolist() == [1 / 9, 1.0]


# --- moments and frequent texts ------------------------------------------------------------------


def test_moments_are_those_of_numpy_in_any_order():
    numbers = 1e9 + np.random.default_rng(1).normal(size=30_000)
    parts = np.array_split(numbers, 3)
    for order in itertools.permutations(parts):
        total = Moments()
        for part in order:
            one = Moments()
            one.add(part)
            total.merge(one)
        assert total.mean == pytest.approx(numbers.mean(), rel=1e-15)
        assert total.deviation == pytest.approx(numbers.std(), rel=1e-6)


def merged(*tasks):
    """Return the summary of an input, and its numbers; each task has one batch."""
    total = RowSketch()
    for number, numbers in enumerate(tasks):
        watch = Watch(Wanted({"x": "x"}, (), "", (), 0), number, len(numbers))
        list(watch.before([pa.record_batch({"x": numbers})], ["x"]))
        total.merge(pickle.loads(pickle.dumps(watch.end())))
    return summary_of(total)["inputs"]["x"], np.concatenate(tasks)


@pytest.mark.parametrize("kind", ["outlier", "rare", "lognormal"])
def test_moments_are_exact_if_all_values_are_drawn(kind):
    random = np.random.default_rng(5)
    tasks = random.lognormal(0, 3, (13, 8000)) if kind == "lognormal" else np.ones((13, 8000))
    if kind == "outlier":
        tasks[4, 17] = 1e9
    if kind == "rare":
        tasks = (random.random((13, 8000)) < 6e-5).astype(np.float32)
    facts, numbers = merged(*tasks)
    assert facts["drawn"] == facts["values"] == 104_000 > facts["kept"]
    assert facts["mean"] == pytest.approx(numbers.mean(dtype=np.float64))
    assert facts["deviation"] == pytest.approx(numbers.std(dtype=np.float64))


def test_moments_of_drawn_values_are_those_of_all_values():
    numbers = np.random.default_rng(6).normal(3, 2, 200_000)
    facts, _ = merged(*np.split(numbers, [40_000]))
    assert facts["drawn"] < 20_000
    assert facts["mean"] == pytest.approx(numbers.mean(), abs=0.1)
    assert facts["deviation"] == pytest.approx(numbers.std(), abs=0.1)


def test_frequent_texts_keep_their_counts_within_the_bound():
    random = np.random.default_rng(2)
    words = [f"w{number}" for number in random.zipf(1.5, 20_000)]
    true = Counter(words)
    tasks = []
    for start in range(0, len(words), 1000):
        tasks.append(Frequent())
        tasks[-1].add(Counter(words[start : start + 1000]))
    for order in (tasks, tasks[::-1]):
        total = Frequent()
        for task in order:
            total.merge(task)
        assert total.weight == len(words)
        assert len(total.counts) <= frequent_module.SIZE
        bound = len(words) / (frequent_module.SIZE + 1)
        for text, count in true.items():
            assert 0 <= count - total.counts[text] <= bound
        assert total.top(1)[0][0] == true.most_common(1)[0][0]


# --- columns -------------------------------------------------------------------------------------


def test_counts_and_extremes_are_exact_although_few_values_are_drawn():
    random = np.random.default_rng(4)
    batches = [random.normal(size=50_000).astype(np.float32) for _ in range(6)]
    batches[3][[5, 70]] = np.nan
    batches[4][[9, 99, 999]] = np.inf
    arrays = [pa.array(batch, mask=np.arange(len(batch)) % 10 == 0) for batch in batches]
    sketch = column_of(*arrays)
    kept = np.concatenate([np.delete(batch, np.s_[::10]) for batch in batches])
    finite = kept[np.isfinite(kept)]
    assert (sketch.rows, sketch.nulls, sketch.values) == (300_000, 30_000, 270_000)
    # Row 70 is null.
    assert (sketch.nan, sketch.infinite) == (1, 3)
    assert (sketch.least, sketch.greatest) == (finite.min(), finite.max())
    assert sketch.drawn < 30_000
    assert rank_error(sketch.quantiles, finite) < 0.02
    numbers, weights = sketch.quantiles.weighted()
    assert numbers @ weights / weights.sum() == pytest.approx(finite.mean(), abs=0.03)
    assert weights.sum() == pytest.approx(len(finite), rel=0.01)


def test_few_rows_are_described_exactly():
    numbers = np.random.default_rng(6).normal(size=1797)
    facts = facts_of(pa.array(numbers[:1000]), pa.array(numbers[1000:]))
    assert facts["drawn"] == facts["values"] == 1797
    assert facts["mean"] == pytest.approx(numbers.mean())
    assert facts["deviation"] == pytest.approx(numbers.std())
    assert (facts["min"], facts["max"]) == (numbers.min(), numbers.max())
    counts, _ = np.histogram(numbers, facts["histogram"]["edges"])
    # The sketch is bounded, so a bar may be off by its error.
    assert np.abs(np.array(facts["histogram"]["shares"]) - counts / 1797).max() < 0.02
    assert sum(facts["histogram"]["shares"]) == pytest.approx(1, abs=1e-4)


def test_tasks_may_be_merged_in_any_order():
    def task(number):
        watch = Watch(Wanted({"x": "x"}, ("y",), "", ("x", "y"), rows=3), number)
        x = np.random.default_rng(number).normal(number, 1, 20_000)
        inputs = pa.record_batch({"x": pa.array(x)})
        scored = pa.record_batch({"x": pa.array(x), "y": pa.array(2 * x)})
        assert list(watch.before([inputs], ["x"])) == [inputs]
        assert list(watch.after([scored], ["x", "y"])) == [scored]
        return watch.sketch.finish()

    summaries = []
    for order in ([0, 1, 2], [2, 0, 1], [2, 1, 0]):
        total = RowSketch()
        for number in order:
            total.merge(pickle.loads(pickle.dumps(task(number))))
        summaries.append(summary_of(total))
    exact = ("rows", "nulls", "nan", "infinite", "min", "max", "drawn")
    for summary in summaries:
        assert summary["rows"] == 60_000
        assert summary["sample"] == summaries[0]["sample"]
        y, first = summary["outputs"]["y"], summaries[0]["outputs"]["y"]
        assert [y[key] for key in exact] == [first[key] for key in exact]
        assert y["mean"] == pytest.approx(first["mean"])
    assert len(summaries[0]["sample"]["rows"]) == 3


def test_no_rows():
    facts = facts_of()
    counts = dict.fromkeys(("rows", "nulls", "values", "drawn", "effective"), 0)
    assert facts == {"kind": "other", **counts}
    assert facts_of(pa.array([], pa.float32()))["nan"] == 0


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.nulls(4, pa.float32()), {"nulls": 4, "values": 0, "nan": 0}),
        (pa.array([math.nan] * 4), {"nulls": 0, "values": 4, "nan": 4}),
        (pa.array([math.inf, -math.inf]), {"values": 2, "nan": 0, "infinite": 2}),
    ],
)
def test_columns_without_a_finite_number(array, expected):
    facts = facts_of(array)
    assert expected.items() <= facts.items()
    assert not {"min", "mean", "histogram"} & facts.keys()


def test_a_column_without_a_drawn_number_has_a_range_and_no_distribution():
    watch = Watch(Wanted({"x": "x"}, (), "", (), 0), 0, expected=10_000_000)
    for some in ([1.0, 3.0, 2.0], [None] * 1000):
        list(watch.before([pa.record_batch({"x": pa.array(some, pa.float64())})], ["x"]))
    facts = summary_of(watch.end())["inputs"]["x"]
    assert (facts["drawn"], facts["values"], facts["min"], facts["max"]) == (0, 3, 1.0, 3.0)
    assert not {"mean", "deviation", "kept", "quantiles", "histogram"} & facts.keys()


def test_one_value_is_one_bar():
    facts = facts_of(pa.array([2.5] * 9000, pa.float32()))
    assert facts["histogram"] == {"values": [2.5], "shares": [1.0]}
    assert (facts["min"], facts["max"], facts["deviation"]) == (2.5, 2.5, 0.0)


def test_classes_are_one_bar_each():
    facts = facts_of(pa.array([0, 1, 1, 2, 2, 2, 2, None], pa.int64()))
    assert facts["histogram"]["values"] == [0.0, 1.0, 2.0]
    assert facts["histogram"]["shares"] == pytest.approx([1 / 7, 2 / 7, 4 / 7], abs=1e-5)


def test_a_few_extreme_numbers_do_not_squeeze_the_others():
    numbers = np.random.default_rng(8).normal(size=4000)
    numbers[:4] = 1e12
    histogram = facts_of(pa.array(numbers))["histogram"]
    assert histogram["edges"][-1] < 10
    assert 0 < histogram["above"] < 0.02
    assert len(histogram["shares"]) == BARS


def test_numbers_near_the_limits_of_their_type():
    facts = facts_of(pa.array([-1.7e308, 1.7e308, *np.linspace(-8e307, 8e307, 50)]))
    assert (facts["min"], facts["max"]) == (-1.7e308, 1.7e308)
    assert np.isfinite(facts["histogram"]["edges"]).all()


def test_arrays_are_described_by_their_elements_and_lengths():
    column = pa.array([[1.0, 2.0], None, [], [3.0, None, math.nan]], pa.list_(pa.float32()))
    expected = {
        "rows": 4,
        "nulls": 1,
        "values": 4,
        "null_values": 1,
        "nan": 1,
        "lengths": [0, 3],
        "min": 1.0,
        "max": 3.0,
        "mean": 2.0,
    }
    assert expected.items() <= facts_of(column).items()
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(12.0)), 4)
    assert {"values": 12, "lengths": [4, 4], "max": 11.0}.items() <= facts_of(fixed).items()
    nested = pa.array([[[1, 2], [3]], [[4]]], pa.list_(pa.list_(pa.int32())))
    assert {"values": 4, "lengths": [1, 2]}.items() <= facts_of(nested).items()


def test_texts_and_flags_are_described_by_their_most_frequent_values():
    facts = facts_of(pa.array(["a", "b", None, "b", "x" * 500]))
    assert facts["top"][0] == ["b", 0.5]
    assert len(facts["top"][2][0]) == 120
    assert "top" not in facts_of(pa.array(["a"]), values=False)
    assert facts_of(pa.array([True, False, True, True]))["top"] == [["true", 0.75], ["false", 0.25]]
    many = facts_of(*[pa.array(["yes"] * 30_000 + ["no"] * 10_000)] * 5)
    assert many["drawn"] < many["values"] == 200_000
    assert dict(many["top"])["yes"] == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (pa.array([1, 2], pa.uint64()), "number"),
        (pa.array([1, 2], pa.decimal128(9, 2)), "number"),
        (pa.array(np.array([1, 2], np.float16)), "number"),
        (pa.array([b"x"]), "other"),
        (pa.array([{"a": 1}]), "other"),
    ],
)
def test_other_types(array, kind):
    facts = facts_of(array)
    assert (facts["kind"], facts["rows"]) == (kind, len(array))
    assert kind == "other" or (facts["min"], facts["max"]) == (1.0, 2.0)


def test_positions_are_one_of_each_block():
    draw = Draw(0)
    for count, level in ((131_072, 8), (131_073, 8), (1000, 3), (5, 3), (2048, 0)):
        found = draw.positions(count, level)
        assert (found < count).all()
        blocks = found >> level
        assert (np.diff(blocks) == 1).all()
        assert len(found) >= count >> level
        assert draw.positions(count, level) is found
    assert (level_for(2048, 2048), level_for(2049, 2048), level_for(0, 0)) == (0, 1, 0)
    assert (131_072 >> level_for(131_072, 128)) == 128


def test_each_row_is_drawn_equally_often():
    times, draw = np.zeros(1003), Draw(1)
    for _ in range(2000):
        draw.renew()
        times[draw.positions(1003, 3)] += 1
    assert times.mean() == pytest.approx(250, rel=0.02)
    assert np.abs(times - 250).max() < 5 * math.sqrt(250)


def test_bad_rows_are_counted_by_reason_and_leave_the_outputs():
    from tfspark.rows import REASON_TYPE

    watch = Watch(Wanted({}, ("y",), "_reason", ("y",), rows=5), 0)
    reasons = [None, {"code": "FRACTION", "column": "x", "message": "m"}, None]
    scored = pa.record_batch(
        {"y": pa.array([1.0, None, 3.0]), "_reason": pa.array(reasons, REASON_TYPE)}
    )
    assert list(watch.after([scored], ["y", "_reason"])) == [scored]
    assert watch.sketch.reasons == {"FRACTION": 1}
    assert (watch.sketch.rows, watch.sketch.outputs["y"].nulls) == (2, 0)
    assert watch.sketch.sample == [(0, ["1.0"]), (0, ["3.0"])]


def test_the_sample_shows_short_values():
    values = {
        "f": pa.array([0.1], pa.float32()),
        "a": pa.array([list(range(20))]),
        "s": pa.array(["s" * 999]),
        "b": pa.array([b"123"]),
        "n": pa.nulls(1),
    }
    watch = Watch(Wanted({}, (), "", tuple(values), rows=2), 0)
    list(watch.after([pa.record_batch(values)], list(values)))
    ((_, row),) = watch.sketch.sample
    assert row[:2] == ["0.1", "[0, 1, 2, 3, 4, 5, 6, 7, … 20 in all]"]
    assert len(row[2]) == 120
    assert row[3:] == ["3 bytes", "null"]


def test_very_many_columns_are_not_all_described():
    names = [f"c{number}" for number in range(500)]
    wanted = Wanted({name: name for name in names}, tuple(names)).described()
    assert len(wanted.inputs) == len(wanted.outputs) == MOST_COLUMNS
    sketches = [Quantiles(wanted.size(0)) for _ in range(2 * MOST_COLUMNS)]
    for one in sketches:
        one.add(np.random.default_rng(0).normal(size=10_000))
    assert len(pickle.dumps(sketches)) < 300 << 10


def watched(arrow, **wanted):
    """Return the statistics of a column that is both an input and a prediction."""
    watch = Watch(Wanted({"x": "x"}, ("x",), "", ("x",), **{"rows": 5, **wanted}), 0)
    batch = pa.record_batch({"x": arrow})
    assert list(watch.after(watch.before([batch], ["x"]), ["x"])) == [batch]
    return pickle.loads(pickle.dumps(watch.end()))


@pytest.mark.parametrize(
    "kind",
    [pa.timestamp("us"), pa.timestamp("us", "Asia/Tokyo"), pa.timestamp("us", "GMT+01:00")],
)
def test_values_that_python_cannot_show_do_not_end_the_task(kind):
    latest = 253_402_300_799_999_999  # 9999-12-31 23:59:59.999999 in UTC
    number = latest + 1 if kind.tz is None else latest
    found = watched(pa.array([number], pa.int64()).cast(kind))
    assert (found.problem, found.inputs["x"].rows) == ("", 1)
    assert found.sample == [(0, [f"a value of type {kind}"])]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_texts_that_are_no_utf_8_are_counted(kind):
    binary = pa.binary() if kind == pa.string() else pa.large_binary()
    bad = pa.Array.from_buffers(kind, 2, pa.array([b"\xffa", b"b"], binary).buffers())
    found = watched(bad)
    assert found.problem == ""
    assert dict(found.inputs["x"].frequent.counts) == {"\ufffda": 1, "b": 1}


@pytest.mark.parametrize("step", ["add", "finish"])
def test_an_error_ends_only_the_statistics(step, monkeypatch):
    def broken(*_, **__):
        raise MemoryError("no space")

    monkeypatch.setattr(ColumnSketch, step, broken)
    found = watched(pa.array([1.0]))
    assert found.problem == "MemoryError: no space"
    monkeypatch.undo()
    total = RowSketch()
    total.merge(found)
    total.merge(watched(pa.array([1.0])))
    assert total.problem == found.problem


def test_the_statistics_of_a_task_are_small():
    names = [f"c{number}" for number in range(64)]
    texts = pa.array([f"{number:0200}" for number in range(1000)])
    batch = pa.record_batch(dict.fromkeys(names, texts))
    watch = Watch(Wanted({name: name for name in names}, (), "", tuple(names), 1000), 0)
    list(watch.after(watch.before([batch], names), names))
    assert len(watch.sketch.sample) == 16
    assert len(pickle.dumps(watch.end())) < 512 << 10


def result_of(number, rows=5000, columns=MOST_COLUMNS, expected=0):
    """Return the pickled statistics of one task over numbers."""
    names = [f"column_{at:02d}" for at in range(columns)]
    batch = pa.record_batch(dict.fromkeys(names, np.random.default_rng(0).normal(size=rows)))
    watch = Watch(Wanted({name: name for name in names}, (), "", (), 0), number, expected)
    for _ in range(3):
        list(watch.before([batch], names))
    return pickle.dumps(watch.end(), protocol=5)


@pytest.mark.parametrize("expected", [0, 15_000])
def test_the_statistics_of_many_tasks_fit_into_the_results_of_a_stage(expected):
    grid = [0, 63, 99, 199, 499, 999, 4_999, 9_999, 49_999, 99_999]
    sizes = [len(result_of(number, expected=expected)) for number in grid]
    # All tasks up to the next one of the grid are counted as large as the first of them.
    total = sum(size * tasks for size, tasks in zip(sizes, np.diff(grid), strict=False))
    assert sizes[-1] < 7000 < 10 * sizes[0] < 4 << 20
    assert total < 750e6


def test_later_tasks_are_not_less_important():
    """Each task returns fewer numbers than the one before, but they stand for more."""
    total, numbers = RowSketch(), np.random.default_rng(1).normal(size=(40, 3000))
    for at, some in enumerate(numbers):
        watch = Watch(Wanted({"x": "x"}, (), "", (), 0), 100 * at)
        list(watch.before([pa.record_batch({"x": some + at})], ["x"]))
        total.merge(pickle.loads(pickle.dumps(watch.end())))
    shifted = (numbers + np.arange(40)[:, None]).ravel()
    assert rank_error(total.inputs["x"].quantiles, shifted) < 0.05
    assert (total.inputs["x"].least, total.inputs["x"].greatest) == (shifted.min(), shifted.max())


def test_small_sketches_are_not_all_wrong_in_the_same_direction():
    total = RowSketch()
    for number in range(20_000, 20_500):
        watch = Watch(Wanted({"x": "x"}, (), "", (), 0), number, 20)
        list(watch.before([pa.record_batch({"x": np.arange(20.0)})], ["x"]))
        total.merge(pickle.loads(pickle.dumps(watch.end())))
    assert total.inputs["x"].drawn == total.inputs["x"].values
    numbers, weights = total.inputs["x"].quantiles.weighted()
    assert numbers @ weights / weights.sum() == pytest.approx(9.5, abs=0.05)


@pytest.mark.parametrize("expected", [0, 20_000])
def test_values_of_unequal_weight_count_less(expected):
    total, rows = RowSketch(), 20_000
    for number in range(4):
        watch = Watch(Wanted({"x": "x"}, (), "", (), 0), 1000 * number, expected)
        for at in range(0, rows, 2000):
            batch = pa.record_batch({"x": np.arange(at, at + 2000) / rows})
            list(watch.before([batch], ["x"]))
        total.merge(pickle.loads(pickle.dumps(watch.end())))
    sketch, facts = total.inputs["x"], summary_of(total)["inputs"]["x"]
    assert facts["effective"] == sketch.effective < facts["drawn"]
    assert sketch.moments.weight == pytest.approx(4 * rows, rel=0.05)
    few = summary_of(RowSketch(inputs={"x": column_of(pa.array([1.0, 2.0, None]))}))["inputs"]["x"]
    assert few["effective"] == few["drawn"] == 2


def test_the_error_of_the_effective_number_holds_in_95_of_100_runs():
    beyond = 0
    for run in range(60):
        total, numbers = RowSketch(), np.random.default_rng(run).random((12, 40_000))
        for number, some in enumerate(numbers):
            watch = Watch(Wanted({"x": "x"}, (), "", (), 0), 1000 * run + 64 * number)
            for batch in np.split(some, 20):
                list(watch.before([pa.record_batch({"x": batch})], ["x"]))
            total.merge(watch.end())
        sketch = total.inputs["x"]
        beyond += rank_error(sketch.quantiles, numbers.ravel()) > 1.36 / sketch.effective**0.5
    assert beyond <= 6  # of 60; with the number of drawn values it would be 12


def test_texts_of_later_tasks_are_not_less_important():
    total = RowSketch()
    for number in range(4096, 4896):  # one of four keeps its texts
        watch = Watch(Wanted({"x": "x"}, (), "", (), 0), number)
        list(watch.before([pa.record_batch({"x": ["a", "b"] if number % 2 else ["a"]})], ["x"]))
        total.merge(watch.end())
    top = dict(summary_of(total)["inputs"]["x"]["top"])
    assert top["a"] == pytest.approx(2 / 3, abs=0.1)
    sketch = total.inputs["x"]
    assert sketch.values == 1200
    # Only the texts of tasks that keep them count as drawn.
    assert 200 < sketch.drawn < 400
    assert sketch.effective == sketch.drawn


def test_a_task_draws_as_many_values_as_fit_if_its_rows_are_known():
    batches = [
        pa.record_batch({"x": np.random.default_rng(at).normal(size=10_000)}) for at in range(40)
    ]
    drawn = []
    for expected in (0, 400_000):
        watch = Watch(Wanted({"x": "x"}, (), "", (), 0), 0, expected)
        list(watch.before(batches, ["x"]))
        sketch = watch.end().inputs["x"]
        drawn.append(sketch.drawn)
        assert 2000 < sketch.quantiles.count <= sketch.quantiles.room
        assert rank_error(sketch.quantiles, np.concatenate([one["x"] for one in batches])) < 0.02
    assert drawn[1] < drawn[0]


def test_the_range_of_integers_is_exact():
    least, greatest = -(2**63) + 1, 2**63 - 1
    facts = facts_of(pa.array([greatest, None, 0]), pa.array([least, 1]))
    assert (facts["min"], facts["max"]) == (least, greatest)
    large = facts_of(pa.array([2**64 - 1, 5], pa.uint64()))
    assert (large["min"], large["max"]) == (5, 2**64 - 1)


def sampled(make, batches=40):
    """Return the sketch of an input whose task has more values than are all looked at."""
    watch = Watch(Wanted({"x": "x"}, (), "", (), 0), 0)
    arrays = [make(np.random.default_rng(at), at) for at in range(batches)]
    for array in arrays:
        list(watch.before([pa.record_batch({"x": array})], ["x"]))
    found = watch.end()
    assert found.problem == ""
    return found, arrays


def test_counts_of_a_large_input_are_exact_and_all_else_is_an_estimate():
    def batch(random, at):
        numbers = random.normal(at, 1, 20_000).astype(np.float32)
        numbers[random.random(20_000) < 0.1] = np.nan
        numbers[random.random(20_000) < 0.01] = np.inf
        return pa.array(numbers, mask=random.random(20_000) < (0.3 if at % 2 else 0))

    found, arrays = sampled(batch)
    sketch, every = found.inputs["x"], pa.concat_arrays(arrays)
    assert (sketch.rows, sketch.nulls) == (800_000, every.null_count)
    assert sketch.values == 800_000 - every.null_count > sketch.looked > 1 << 18
    numbers = every.drop_null().to_numpy()
    finite = numbers[np.isfinite(numbers)]
    assert sketch.nan == pytest.approx(np.isnan(numbers).sum(), rel=0.1)
    assert sketch.infinite == pytest.approx(np.isinf(numbers).sum(), rel=0.3)
    assert finite.min() <= sketch.least < np.quantile(finite, 0.001)
    assert finite.max() >= sketch.greatest > np.quantile(finite, 0.999)
    assert rank_error(sketch.quantiles, finite) < 0.02
    facts = summary_of(found)["inputs"]["x"]
    assert facts["estimated"]
    assert facts["drawn"] == sketch.drawn


@pytest.mark.parametrize("kind", ["list", "large", "fixed", "nulls", "sliced"])
def test_elements_of_large_inputs_are_counted(kind):
    def batch(random, at):
        lengths = np.full(5000, 8) if kind == "fixed" else random.integers(0, 9, 5000)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        values = pa.array(random.normal(size=offsets[-1]))
        if kind == "fixed":
            return pa.FixedSizeListArray.from_arrays(values, 8)
        if kind == "large":
            return pa.LargeListArray.from_arrays(pa.array(offsets), values)
        mask = pa.array(random.random(5000) < 0.2) if kind == "nulls" else None
        lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, mask=mask)
        return lists.slice(17, 4000) if kind == "sliced" else lists

    found, arrays = sampled(batch)
    sketch = found.inputs["x"]
    elements = np.concatenate([one.flatten().to_numpy() for one in arrays])
    assert sketch.nulls == sum(one.null_count for one in arrays)
    assert sketch.values == len(elements) > sketch.looked
    assert rank_error(sketch.quantiles, elements) < 0.02


@pytest.mark.parametrize(
    "array",
    [
        pa.array(np.arange(300_000), pa.int64()),
        pa.array(np.arange(300_000, dtype=np.int32), mask=np.arange(300_000) == 0),
        pa.array(np.arange(300_000)).cast(pa.decimal128(25, 2)),
        pa.array(np.zeros(300_000, np.float16)),
        pa.array([True] * 300_000),
        pa.array(["a"] * 300_000),
        pa.nulls(300_000),
        pa.array([b"x"] * 300_000),
    ],
    ids=lambda array: str(array.type),
)
def test_large_inputs_of_every_type(array):
    found, _ = sampled(lambda *_: array, batches=3)
    assert found.inputs["x"].rows == 3 * len(array)
    assert found.inputs["x"].nulls == 3 * array.null_count
    json.dumps(summary_of(found), allow_nan=False)


def test_nan_of_a_large_input_is_at_most_all_values():
    found, arrays = sampled(lambda *_: pa.array(np.full(14_332, np.nan)))
    facts = summary_of(found)["inputs"]["x"]
    assert found.inputs["x"].nan > facts["nan"] == facts["values"] == sum(map(len, arrays))
    found.inputs["x"].infinite = 5
    assert summary_of(found)["inputs"]["x"]["infinite"] == 0


@pytest.mark.parametrize("element", [pa.string(), pa.float32(), pa.bool_()])
def test_lengths_that_were_not_looked_at_are_an_estimate(element):
    def batch(_, at):
        length = 8 if at < 40 else 50
        values = pa.array(np.arange(1000 * length) % 2).cast(element)
        offsets = pa.array(np.arange(1001) * length, pa.int32())
        return pa.ListArray.from_arrays(offsets, values)

    found, _ = sampled(batch, batches=30)
    assert "lengths_estimated" not in summary_of(found)["inputs"]["x"]
    found, _ = sampled(batch, batches=60)
    facts = summary_of(found)["inputs"]["x"]
    assert (facts["lengths"], facts["lengths_estimated"]) == ([8, 8], True)


def test_lengths_of_a_large_input_of_arrays_of_one_length_are_exact():
    def batch(random, _):
        return pa.FixedSizeListArray.from_arrays(pa.array(random.normal(size=40_000)), 8)

    facts = summary_of(sampled(batch)[0])["inputs"]["x"]
    assert facts["lengths"] == [8, 8]
    assert "lengths_estimated" not in facts


def test_predictions_are_all_looked_at():
    watch = Watch(Wanted({}, ("y",), "", (), 0), 0)
    for at in range(3):
        numbers = np.zeros(200_000, np.float32)
        numbers[at * 7] = np.nan
        numbers[at * 9 + 1] = at + 1
        list(watch.after([pa.record_batch({"y": numbers})], ["y"]))
    sketch = watch.end().outputs["y"]
    assert (sketch.looked, sketch.nan, sketch.greatest) == (600_000, 3, 3.0)
    assert "estimated" not in summary_of(watch.sketch)["outputs"]["y"]


def test_columns_beyond_the_limit_are_counted():
    names = tuple(f"c{number}" for number in range(70))
    wanted = Wanted({name: name for name in names}, names[:2]).described()
    batch = pa.record_batch({name: pa.array([1.0]) for name in names})
    watch = Watch(wanted, 0)
    list(watch.after(watch.before([batch], names), names))
    total = RowSketch()
    total.merge(watch.end())
    assert summary_of(total)["left_out"] == 70 - MOST_COLUMNS
    assert len(summary_of(total)["inputs"]) == MOST_COLUMNS
