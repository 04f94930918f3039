"""Prepares the inputs and outputs for the page: figures, charts and drift. Driver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from tfspark.scoring.drift import CHANGED, STABLE
from tfspark.scoring.page import charts, formats

Facts: TypeAlias = Mapping[str, Any]

_KINDS = {
    "number": "numbers",
    "text": "texts",
    "flag": "booleans",
    "other": "values that are only counted",
}


def columns_of(statistics: Facts, part: str) -> list[dict[str, Any]]:
    """Return the columns of `inputs` or `outputs`."""
    return [_column(name, facts) for name, facts in (statistics.get(part) or {}).items()]


def _column(name: str, facts: Facts) -> dict[str, Any]:
    is_array = "lengths" in facts
    top, histogram = facts.get("top") or [], facts.get("histogram") or {}
    bars = charts.rows_of_bars([(text, share) for text, share in top])
    return {
        "name": name,
        "kind": ("arrays of " if is_array else "") + _KINDS[facts["kind"]],
        "value_name": "elements" if is_array else "values",
        "figures": list(_figures(facts, is_array=is_array)),
        # Older reports have a histogram without bars if no number was drawn.
        "chart": charts.histogram(histogram) if histogram.get("shares") else None,
        "beyond": _beyond(histogram),
        "top": [
            {**bar, "share": formats.share(share)}
            for bar, (_, share) in zip(bars, top, strict=True)
        ],
        "source": " ".join(_source(facts, "elements" if is_array else "values")),
    }


def _figures(facts: Facts, *, is_array: bool) -> Iterator[dict[str, Any]]:
    rows, values = facts["rows"], facts["values"]
    yield _figure("null", facts["nulls"], formats.share(facts["nulls"], rows))
    if is_array and facts["null_values"]:
        share = formats.share(facts["null_values"], values + facts["null_values"])
        yield _figure("null elements", facts["null_values"], share)
    if facts["kind"] == "number":
        yield _figure("NaN", facts["nan"], formats.share(facts["nan"], values))
        if facts["infinite"]:
            yield _figure("infinite", facts["infinite"], formats.share(facts["infinite"], values))
    for key, label in (
        ("min", "min"),
        ("mean", "mean"),
        ("max", "max"),
        ("deviation", "std. deviation"),
    ):
        if key in facts:
            yield _figure(label, facts[key], formats.number(facts[key]))
    if is_array:
        shortest, longest = facts["lengths"]
        text = formats.count(longest)
        yield _figure(
            "length",
            longest,
            text if shortest == longest else f"{formats.count(shortest)} to {text}",
        )


def _figure(label: str, value: float, text: str) -> dict[str, Any]:
    return {"label": label, "value": value, "text": text}


def _beyond(histogram: Facts) -> str:
    parts = [
        f"{formats.share(histogram[key])} {word}"
        for key, word in (("below", "lower"), ("above", "higher"))
        if histogram.get(key)
    ]
    return f"Beyond the axis: {' and '.join(parts)}." if parts else ""


def _source(facts: Facts, what: str) -> Iterator[str]:
    """Return sentences: the number of values behind the chart, and which figures are estimates."""
    finite = max(facts["values"] - facts.get("nan", 0) - facts.get("infinite", 0), 0)
    yield _drawn(facts, finite, what)
    if facts.get("estimated"):
        yield f"NaN and infinities are estimates, and {what} outside min and max are possible."
    if facts.get("lengths_estimated"):
        yield "Other lengths are possible."


def _drawn(facts: Facts, values: int, what: str) -> str:
    drawn, number = facts["drawn"], formats.count(values)
    if not values:
        return f"No {what}."
    if not drawn:
        return f"No {what} are described."
    if drawn < values or facts.get("estimated"):
        return f"From {formats.count(drawn)} of {number} {what}, drawn at random."
    if facts.get("kept", drawn) < drawn:
        return f"Mean and deviation from all {number} {what}; the chart is an estimate."
    return f"From all {number} {what}."


def drift_rows(drift: Facts) -> dict[str, Any]:
    """Return the table of drift; `rows` is empty without a baseline."""
    rows = [
        {
            "name": name,
            "part": part.removesuffix("s"),
            "psi": found["psi"],
            "psi_text": formats.number(found["psi"]),
            "ks": found.get("ks"),
            "ks_text": _distance(found),
            **_level(found),
        }
        for part in ("outputs", "inputs")
        for name, found in (drift.get(part) or {}).items()
    ]
    return {
        "rows": sorted(rows, key=lambda row: -row["psi"]),
        "baseline": drift.get("baseline") or {},
        "method": drift.get("method", ""),
        "limits": f"Below {STABLE} a column counts as stable, above {CHANGED} as changed.",
        "missing": [*(drift.get("only_now") or []), *(drift.get("only_before") or [])],
    }


def _distance(found: Facts) -> str:
    if "ks" not in found:
        return ""
    error = f" ± {found['ks_error']:.2f}" if "ks_error" in found else ""
    return formats.number(found["ks"]) + error


def _level(found: Facts) -> dict[str, str]:
    if not found["is_certain"]:
        return {"level": "unsure", "word": "too few values"}
    if found["psi"] < STABLE:
        return {"level": "good", "word": "stable"}
    return (
        {"level": "bad", "word": "changed"}
        if found["psi"] > CHANGED
        else {"level": "look", "word": "changed a little"}
    )
