"""Writes the first sentences of the page: what happened, and what to check. Driver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tfspark.scoring.drift import CHANGED, STABLE
from tfspark.scoring.page import formats

_MOST_FINDINGS = 12


def verdict_of(report: Mapping[str, Any]) -> dict[str, str]:
    """Return one line of text, and its level: `good`, or `look` if there is something to check."""
    rows, nulls, bad = (report.get(name) for name in ("rows_out", "null_rows", "bad_rows"))
    is_query = report.get("rows_in") is None
    parts = [f"{formats.count(rows or 0)} rows {'written' if is_query else 'scored'}"]
    if not is_query:
        parts.append(f"{formats.count(bad or 0)} rejected")
    if nulls is not None:
        parts.append(f"{formats.count(nulls)} null")
    return {"text": ", ".join(parts), "level": "look" if any(findings_of(report)) else "good"}


def findings_of(report: Mapping[str, Any]) -> list[str]:
    """Return the findings that the reader should check, the most important first."""
    found = list(_findings(report))
    more = len(found) - _MOST_FINDINGS
    return (
        found if more <= 0 else [*found[:_MOST_FINDINGS], f"and {more} more, in the tables below"]
    )


def _findings(report: Mapping[str, Any]) -> Iterator[str]:
    rows = report.get("rows_in") or 0
    if bad := report.get("bad_rows"):
        share = formats.share(bad, rows)
        yield f"{formats.count(bad)} of {formats.count(rows)} rows were rejected ({share})."
    if not report.get("rows_out"):
        yield "The output has no rows."
    if nulls := report.get("null_rows"):
        share = formats.share(nulls, report["rows_out"])
        have = "row has a null prediction" if nulls == 1 else "rows have null predictions"
        yield f"{formats.count(nulls)} {have} ({share}), because an input is null."
    yield from _of_drift(report.get("drift") or {})
    for name, facts in ((report.get("statistics") or {}).get("outputs") or {}).items():
        yield from _of_output(name, facts)


def _of_output(name: str, facts: Mapping[str, Any]) -> Iterator[str]:
    values = facts["values"]
    for key, what in (("nan", "NaN"), ("infinite", "infinite")):
        if found := facts.get(key):
            share = formats.share(found, values)
            are = "value is" if found == 1 else "values are"
            yield f"{name}: {formats.count(found)} {are} {what} ({share})."
    if values > 1 and "min" in facts and facts["min"] == facts["max"] and not facts.get("nan"):
        yield f"{name}: all values are {formats.number(facts['min'])}."


def _of_drift(drift: Mapping[str, Any]) -> Iterator[str]:
    for part in ("outputs", "inputs"):
        for name, found in (drift.get(part) or {}).items():
            if found["is_certain"] and found["psi"] >= STABLE:
                word = "has changed" if found["psi"] > CHANGED else "has changed a little"
                yield f"{name} {word} since the baseline (PSI {formats.number(found['psi'])})."
