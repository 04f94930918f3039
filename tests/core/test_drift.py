"""Drift between the statistics of two reports."""

import json
from math import log

import numpy as np
import pyarrow as pa
import pytest

from tfspark.scoring.drift import CHANGED, FEWEST, STABLE, drift_of
from tfspark.sketches import ColumnSketch, RowSketch
from tfspark.sketches.draw import Draw
from tfspark.sketches.summary import summary_of


def statistics_of(*, shown=True, **columns):
    """Return the statistics of output columns, as a JSON report has them."""
    rows = RowSketch()
    for name, values in columns.items():
        rows.outputs[name] = ColumnSketch()
        rows.outputs[name].add(pa.array(values), Draw(0))
    return json.loads(json.dumps(summary_of(rows, values=shown), allow_nan=False))


def drift_between(now, then):
    return drift_of(statistics_of(y=now), statistics_of(y=then))["outputs"]["y"]


def normal(seed, shift=0.0, rows=4000):
    return np.random.default_rng(seed).normal(shift, 1, rows)


def test_equal_rows_have_no_drift():
    assert drift_between(normal(1), normal(1)) == {"psi": 0.0, "ks": 0.0, "is_certain": True}


def test_other_rows_of_the_same_distribution_are_stable():
    found = drift_between(normal(1), normal(2))
    assert found["psi"] < 0.02
    assert found["ks"] < 0.05


def test_shifted_rows_have_changed_by_the_exact_index():
    found = drift_between(normal(1, 1.0), normal(2))
    then, now = np.sort(normal(2)), np.sort(normal(1, 1.0))
    edges = np.quantile(then, np.linspace(0.1, 0.9, 9))
    shares = np.diff(np.searchsorted(now, edges) / 4000, prepend=0, append=1)
    exact = sum((share - 0.1) * log(share / 0.1) for share in shares)
    assert found["psi"] > CHANGED
    assert found["psi"] == pytest.approx(exact, rel=0.1)
    points = np.concatenate([now, then])
    ranks = [np.searchsorted(one, points, side="right") / 4000 for one in (now, then)]
    assert found["ks"] == pytest.approx(np.abs(ranks[0] - ranks[1]).max(), abs=0.02)


def test_more_nulls_are_drift():
    now = [None if at % 5 == 0 else value for at, value in enumerate(normal(1).tolist())]
    assert drift_between(now, normal(1))["psi"] > CHANGED
    assert drift_between(now, normal(1))["ks"] < 0.05


def test_nan_is_drift():
    now = normal(1)
    now[::3] = np.nan
    assert drift_between(now, normal(1))["psi"] > CHANGED


def test_classes_and_texts_have_one_bin_each():
    then = ["a"] * 500 + ["b"] * 500
    now = ["a"] * 750 + ["b"] * 250
    exact = 0.25 * log(1.5) - 0.25 * log(0.5)
    assert drift_between(now, then)["psi"] == pytest.approx(exact, abs=1e-4)
    assert drift_between([0] * 750 + [1] * 250, [0] * 500 + [1] * 500)["psi"] > STABLE
    assert drift_between([True] * 500, [True] * 500)["psi"] == 0
    assert drift_between(["c"] * 500, then)["psi"] > 5


@pytest.mark.parametrize("then", [[3.0] * 300, [np.nan] * 300, [None] * 299 + [1.0]])
@pytest.mark.parametrize("now", [[3.0] * 300, [4.0] * 300, [np.nan] * 300])
def test_columns_without_a_distribution(now, then):
    found = drift_between(now, then)
    assert (found["psi"] == 0) == (repr(now) == repr(then))


def test_an_older_report_may_have_no_points_of_a_distribution():
    now, then = statistics_of(y=normal(1)), statistics_of(y=normal(2))
    then["outputs"]["y"]["quantiles"] = {"values": [], "shares": []}
    for found in (drift_of(now, then), drift_of(then, now)):
        assert found["outputs"]["y"].keys() == {"psi", "is_certain"}


def test_few_values_are_not_certain():
    assert not drift_between(normal(1, rows=199), normal(2))["is_certain"]


def test_columns_of_one_run_are_named():
    found = drift_of(statistics_of(a=[1.0], b=[1.0]), statistics_of(b=["x"], c=[1.0]))
    assert found["outputs"] == {}
    assert (found["only_now"], found["only_before"]) == (["a", "b"], ["b", "c"])


@pytest.mark.parametrize(
    ("now_left_out", "then_left_out", "expected"),
    [(0, 0, (["a"], ["c"])), (3, 0, (["a"], [])), (0, 3, ([], ["c"])), (3, 3, ([], []))],
)
def test_columns_that_were_left_out_have_not_vanished(now_left_out, then_left_out, expected):
    now, then = statistics_of(a=[1.0], b=[1.0]), statistics_of(b=[1.0], c=[1.0])
    now["left_out"], then["left_out"] = now_left_out, then_left_out
    found = drift_of(now, then)
    assert (found["only_now"], found["only_before"]) == expected
    other = statistics_of(b=["x"]) | {"left_out": 3}
    assert drift_of(now, other)["only_before"] == ["b"]


def test_a_column_that_is_now_null_has_certainly_changed():
    for now in ([None] * 999 + [1.0], [np.nan] * 1000):
        found = drift_between(now, normal(1))
        assert found["psi"] > CHANGED
        assert found["is_certain"]


def test_texts_that_are_not_shown_are_not_compared():
    texts, hidden = ["a"] * 300, statistics_of(shown=False, y=["a"] * 300)
    for one, other in ((hidden, statistics_of(y=texts)), (statistics_of(y=["b"] * 300), hidden)):
        found = drift_of(one, other)
        assert found["outputs"] == {}
        assert found["only_now"] == found["only_before"] == []


def test_the_distance_of_drawn_values_has_an_error():
    now, then = normal(1, rows=60_000), normal(2, rows=50_000)
    found = drift_between(now, then)
    facts = [statistics_of(y=values)["outputs"]["y"] for values in (now, then)]
    n, m = (one["effective"] for one in facts)
    assert n <= facts[0]["drawn"] < 60_000
    assert found["ks_error"] == pytest.approx(1.36 * np.sqrt(1 / n + 1 / m), abs=1e-4)
    points = np.concatenate([now, then])
    ranks = [np.searchsorted(np.sort(one), points, side="right") / len(one) for one in (now, then)]
    exact = np.abs(ranks[0] - ranks[1]).max()
    assert abs(found["ks"] - exact) < found["ks_error"] + 0.01
    assert "ks_error" not in drift_between(normal(1), normal(2))


def test_values_of_unequal_weight_are_less_certain():
    now, then = statistics_of(y=normal(1)), statistics_of(y=normal(2))
    now["outputs"]["y"] |= {"values": 10**6, "effective": 400}
    found = drift_of(now, then)["outputs"]["y"]
    assert (found["ks_error"], found["is_certain"]) == (0.068, True)
    now["outputs"]["y"]["effective"] = FEWEST - 1
    assert not drift_of(now, then)["outputs"]["y"]["is_certain"]
    # An older report lacks the number.
    del now["outputs"]["y"]["effective"]
    assert drift_of(now, then)["outputs"]["y"]["ks_error"] == 0.0215


def test_too_many_estimated_nan_do_not_hide_the_error():
    now, then = statistics_of(y=normal(1)), statistics_of(y=normal(2))
    now["outputs"]["y"] |= {"values": 4010, "nan": 20, "estimated": True}
    assert drift_of(now, then)["outputs"]["y"]["ks_error"] > 0


@pytest.mark.parametrize("seed", range(5))
def test_drawn_values_of_one_distribution_are_stable(seed):
    assert drift_between(normal(seed, rows=100_000), normal(seed + 9, rows=100_000))["psi"] < 0.02
