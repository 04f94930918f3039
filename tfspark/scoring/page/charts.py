"""Computes the shapes of charts; the template draws them as SVG. Driver.

Coordinates are those of the view box. Charts have their own units, so that text keeps its size on
every screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import floor, isfinite, log10
from typing import Any

from tfspark.scoring.page import formats

WIDTH, HEIGHT = 360, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 14, 50
_GAP = 0.12
_TICKS = 4


def histogram(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return bars and axes of a histogram with `edges`, or with one bar for each of `values`."""
    shares = facts["shares"]
    top = max([*shares, 1e-9])
    if "edges" in facts:
        edges = facts["edges"]
        low, high = edges[0], edges[-1]
        ticks = [(tick, _across(tick, low, high)) for tick in _nice(low, high)]
        names = [f"{left} to {right}" for left, right in pairwise(map(formats.number, edges))]
    else:
        names = [formats.number(value) for value in facts["values"]]
        ticks = _some(facts["values"])
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "marks": _marks(shares, top, names),
        "left": _LEFT,
        "right": WIDTH - _RIGHT,
        "base": HEIGHT - _BOTTOM,
        "top": _TOP,
        "x": [{"at": round(at, 1), "text": formats.number(tick)} for tick, at in ticks],
        "y": [
            {"at": round(_up(part * top, top), 1), "text": formats.share(part * top)}
            for part in (0.5, 1)
        ],
    }


def rows_of_bars(pairs: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    """Return horizontal bars, each with a text; the longest bar is as wide as the chart."""
    most = max([value for _, value in pairs] + [1e-9])
    return [{"text": text, "width": round(100 * value / most, 2)} for text, value in pairs]


def _marks(shares: Sequence[float], top: float, names: Sequence[str]) -> str:
    """Return the bars as SVG, without a template, because a page may have thousands of bars.

    They contain only numbers, so they need no escaping.
    """
    step = (WIDTH - _LEFT - _RIGHT) / len(shares)
    wide = min(step * (1 - _GAP), 40)
    first, base = _LEFT + (step - wide) / 2, HEIGHT - _BOTTOM
    return "\n".join(
        f'<rect class="mark" x="{first + step * at:.2f}" y="{y:.2f}" width="{wide:.2f}" '
        f'height="{base - y:.2f}"><title>{name}: {formats.share(one)}</title></rect>'
        for at, (one, name) in enumerate(zip(shares, names, strict=True))
        for y in (_up(one, top),)
    )


def _up(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * value / top


def _across(value: float, low: float, high: float) -> float:
    part = (value / 2 - low / 2) / (high / 2 - low / 2)  # no difference overflows
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * part


def _some(values: Sequence[float]) -> list[tuple[float, float]]:
    """Return at most six of the values with the middles of their bars."""
    step = (WIDTH - _LEFT - _RIGHT) / len(values)
    every = -(-len(values) // 6)
    return [(values[at], _LEFT + step * (at + 0.5)) for at in range(0, len(values), every)]


def _nice(low: float, high: float) -> list[float]:
    """Return round numbers between two numbers; without one, the two numbers themselves."""
    size = (high - low) / _TICKS
    if not (isfinite(size) and size > 0):
        return [low, high]
    unit = 10.0 ** floor(log10(size))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= size)
    first = -(-low // step)
    ticks = [(first + at) * step for at in range(_TICKS + 1)]
    inside = [tick for tick in ticks if low <= tick <= high]
    return inside if len(set(inside)) > 1 else [low, high]
