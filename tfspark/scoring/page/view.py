"""Prepares the content of the page of a report, as a plain structure for the template. Driver.

The page leaves out facts that a report lacks. It therefore works for the reports of all jobs and of
earlier versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from tfspark.engine_choice import reasons
from tfspark.foreign_text import lines, one_line
from tfspark.rows import CODES
from tfspark.scoring.json_text import copied
from tfspark.scoring.page import charts, formats
from tfspark.scoring.page.columns import columns_of, drift_rows
from tfspark.scoring.page.verdict import findings_of, verdict_of

Facts: TypeAlias = Mapping[str, Any]

_COUNTS = (
    ("rows_in", "rows read"),
    ("rows_out", "rows written"),
    ("null_rows", "rows with null predictions"),
    ("bad_rows", "rows rejected"),
    ("kept_rows", "rows scored by an earlier run"),
)


def view_of(report: Facts) -> dict[str, Any]:
    """Return the content of the page of a report; all text is safe to show."""
    cards = {key: lines(text) for key, text in (report.get("cards") or {}).items()}
    others = {key: value for key, value in report.items() if key != "cards"}
    safe = copied(others, one_line, one_line)
    models = _models(safe, cards)
    statistics = safe.get("statistics") or {}
    return {
        "title": " and ".join(model["title"] for model in models) or str(safe.get("job", "")),
        "job": safe.get("job", ""),
        "run": safe.get("run", ""),
        "started": safe.get("started", "").replace("T", " ").replace("+00:00", " UTC"),
        "verdict": verdict_of(safe),
        "findings": findings_of(safe),
        "counts": _counts(safe),
        "phases": _phases(safe.get("seconds") or {}),
        "rate": _rate(safe),
        "models": models,
        "outputs": columns_of(statistics, "outputs"),
        "inputs": columns_of(statistics, "inputs"),
        "left_out": _left_out(statistics),
        "drift": drift_rows(safe.get("drift") or {}),
        "reasons": _reasons(statistics),
        "bad_rows_output": safe.get("bad_rows_output", ""),
        "sample": statistics.get("sample") or {"columns": [], "rows": []},
        "facts": _facts(safe),
    }


def _left_out(statistics: Facts) -> str:
    """Return a sentence about the columns without statistics; empty if there are none."""
    columns = statistics.get("left_out") or 0
    are = "input or prediction is" if columns == 1 else "inputs and predictions are"
    return f"{formats.count(columns)} {are} not described." if columns else ""


def _counts(report: Facts) -> list[dict[str, Any]]:
    return [
        {"name": name, "label": label, "value": report[name], "text": formats.count(report[name])}
        for name, label in _COUNTS
        if isinstance(report.get(name), int) and (report[name] or name != "kept_rows")
    ]


def _phases(seconds: Mapping[str, float]) -> dict[str, Any]:
    names = [name for name in seconds if name != "total"]
    bars = charts.rows_of_bars([(name, seconds[name]) for name in names])
    shown = [
        {**bar, "value": seconds[name], "seconds": formats.seconds(seconds[name])}
        for bar, name in zip(bars, names, strict=True)
    ]
    total = seconds.get("total", sum(seconds[name] for name in names))
    return {"bars": shown, "total": total, "total_text": formats.seconds(total)}


def _rate(report: Facts) -> str:
    """Return the rows per second of the phase that scores; empty if unknown."""
    took = (report.get("seconds") or {}).get("score")
    rows = report.get("scored_rows")
    rows = report.get("rows_out") if rows is None else rows
    return formats.number(float(f"{rows / took:.3g}")) if took and rows else ""


def _models(report: Facts, cards: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the models, each with its signature, its card and its engine."""
    model = report.get("model") or {}
    named = {"": model} if "digest" in model else model
    engines = report.get("engine") or {}
    return [
        {
            "key": key,
            "title": _title(one),
            "facts": [
                ("path", one.get("path", "")),
                ("digest", one.get("digest", "")),
                ("signature", one.get("signature", "")),
                ("TensorFlow of the export", one.get("tensorflow", "")),
            ],
            "specs": [
                (role, spec)
                for role, part in (("input", "inputs"), ("output", "outputs"))
                for spec in one.get(part) or []
            ],
            "card": cards.get(key, ""),
            "engine": _engine(engines if "engine" in engines else engines.get(key) or {}),
        }
        for key, one in named.items()
        if isinstance(one, Mapping)
    ]


def _title(model: Facts) -> str:
    version = model.get("version")
    return f"{model.get('name', '')}" + ("" if version is None else f", version {version}")


def _engine(choice: Facts) -> dict[str, Any]:
    """Return the engine that scored, and the figures or reasons."""
    if "engine" not in choice:
        why = "the value of --engine; auto is native, or tensorflow if native cannot serve it"
        return {"name": "not recorded", "why": [why]}
    rates = choice.get("rows_per_second") or {}
    timed = [f"{name}: {formats.count(rate)} rows/s in one worker" for name, rate in rates.items()]
    unused = reasons(choice["engine"], choice.get("refused") or {})
    return {"name": choice["engine"], "why": [*timed, *unused]}


def _reasons(statistics: Facts) -> list[dict[str, Any]]:
    meanings = {str(code): text for code, text in CODES.items()}
    return [
        {
            "code": code,
            "meaning": meanings.get(code, "").replace("`", ""),
            "value": rows,
            "text": formats.count(rows),
        }
        for code, rows in (statistics.get("reasons") or {}).items()
    ]


def _facts(report: Facts) -> list[tuple[str, str]]:
    """Return the facts about the run and its environment."""
    ways = {"direct": "direct: the tasks read and write the files", "spark": "through Spark"}
    way = report.get("path", "")
    facts = [
        ("input", report.get("input", "")),
        ("output", report.get("output", "")),
        ("rejected rows", report.get("bad_rows_output", "")),
        ("path of the rows", ways.get(way, way)),
        *((f"{name} version", text) for name, text in (report.get("versions") or {}).items()),
        *(("rounded", text) for text in report.get("rounded") or []),
    ]
    return [(name, str(text)) for name, text in facts if text]
