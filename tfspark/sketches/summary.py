"""The statistics of a job as plain numbers and texts, for its JSON report. Driver.

All numbers are finite, so that the document is valid JSON. `NaN` and infinities are only counted.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from tfspark.sketches.column import ColumnSketch
from tfspark.sketches.quantiles import Numbers
from tfspark.sketches.rows import RowSketch

# Bars of a histogram. A column with at most this many distinct numbers gets one bar for each.
BARS = 40
_PARTS = np.linspace(0, 1, BARS + 1)
# Points of a distribution function.
_SHARES = np.linspace(0, 1, 101)
_TOP = 10
# A few extreme numbers would leave all others in one bar. If the range is much wider than the
# middle 99 % of the numbers, the axis has only these.
_MIDDLE = (0.005, 0.995)
_MUCH_WIDER = 5


def summary_of(sketch: RowSketch, *, values: bool = True) -> dict[str, Any]:
    """Return the statistics of a job.

    Args:
        sketch: The sketch of all tasks.
        values: Whether texts of rows may be shown.
    """
    parts = {"inputs": sketch.inputs, "outputs": sketch.outputs}
    columns = {
        part: {name: _column(one, values=values) for name, one in found.items()}
        for part, found in parts.items()
    }
    return {
        "rows": sketch.rows,
        **columns,
        **({"left_out": sketch.left_out} if sketch.left_out else {}),
        "reasons": dict(sorted(sketch.reasons.items())),
        "sample": {"columns": list(sketch.columns), "rows": [row for _, row in sketch.sample]},
    }


def _column(sketch: ColumnSketch, *, values: bool) -> dict[str, Any]:
    sketch.finish()
    facts: dict[str, Any] = {
        "kind": sketch.kind,
        "rows": sketch.rows,
        "nulls": sketch.nulls,
        "values": sketch.values,
        "drawn": sketch.drawn,
        "effective": sketch.effective,
    }
    if sketch.longest is not None:
        facts["lengths"] = [sketch.shortest, sketch.longest]
        if sketch.unmeasured:
            facts["lengths_estimated"] = True
        facts["null_values"] = sketch.null_values
    if sketch.looked < sketch.values and sketch.kind == "number":
        facts["estimated"] = True
    if sketch.kind == "number":
        # Estimates may be too large.
        nan = min(sketch.nan, sketch.values)
        facts |= {"nan": nan, "infinite": min(sketch.infinite, sketch.values - nan)}
        if sketch.least is not None:
            facts |= {"min": sketch.least, "max": sketch.greatest}
        if sketch.quantiles.count:  # a batch that is shorter than a block may draw no number
            facts |= _distribution(sketch)
    elif sketch.kind != "other" and sketch.frequent.weight and (values or sketch.kind == "flag"):
        weight = sketch.frequent.weight
        facts["top"] = [[text, count / weight] for text, count in sketch.frequent.top(_TOP)]
    return facts


def _distribution(sketch: ColumnSketch) -> dict[str, Any]:
    assert sketch.least is not None
    assert sketch.greatest is not None
    numbers, upto = sketch.quantiles.steps()
    shares = upto.copy()
    shares[1:] -= upto[:-1]
    moments = {"mean": sketch.moments.mean, "deviation": sketch.moments.deviation}
    least, greatest = float(sketch.least), float(sketch.greatest)
    return {
        # The squares of very large numbers are infinite.
        **{name: number for name, number in moments.items() if isfinite(number)},
        "kept": sketch.quantiles.count,
        "quantiles": _quantiles(numbers, upto),
        "histogram": _histogram(numbers, upto, shares, least, greatest),
    }


def _quantiles(numbers: Numbers, upto: Numbers) -> dict[str, list[float]]:
    """Return points of the distribution function; all of them if there are few."""
    if len(numbers) > len(_SHARES):
        at = np.minimum(upto.searchsorted(_SHARES), len(numbers) - 1)
        at = at[np.append(True, at[1:] != at[:-1])]
        numbers, upto = numbers[at], upto[at]
    return {"values": numbers.tolist(), "shares": upto.round(6).tolist()}


def _histogram(
    numbers: Numbers, upto: Numbers, shares: Numbers, least: float, greatest: float
) -> dict[str, Any]:
    """Return bars of equal width, or one bar for each number if there are few numbers.

    Returns:
        `values` of single numbers or `edges` of bars, their `shares`, and the shares of the numbers
        `below` and `above` the axis.
    """
    if len(numbers) <= BARS // 2:
        return {"values": numbers.tolist(), "shares": shares.round(6).tolist()}
    low, high = numbers[upto.searchsorted(_MIDDLE)].tolist()
    if not low < high or greatest - least <= _MUCH_WIDER * (high - low):
        low, high = least, greatest
    edges = low * (1 - _PARTS) + high * _PARTS  # the difference of large numbers may be infinite
    # A bar includes its lower edge, and the last bar also its upper edge. `np.histogram` does the
    # same, but takes three times as long.
    at = numbers.searchsorted(edges)
    at[-1] = numbers.searchsorted(high, side="right")
    before = np.append(0.0, upto)[at]
    return {
        "edges": edges.tolist(),
        "shares": (before[1:] - before[:-1]).round(6).tolist(),
        "below": round(float(before[0]), 6),
        "above": round(float(1 - before[-1]), 6),
    }
