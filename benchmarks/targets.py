"""The target ratios of tfspark, and the measured ratios. Driver.

Returns a row for each target with two measured sides. Both sides of a ratio come from the same
part, which is one run with the sides in turns. A target over all cases has two rows: the smallest
ratio, and the geometric mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import geometric_mean
from typing import Any

from benchmarks.measure import middle


@dataclass(frozen=True)
class Row:
    """One target: its text, the target ratio, the measured ratio, and whether it was met."""

    what: str
    target: str
    measured: str
    met: bool | None


# part, cases, side, compared side or family, minimum ratio
_LIGHT, _HEAVY = ("linear", "mlp", "wide"), ("cifar2", "lstm", "mobilenet", "resnet", "encoder")
_RATES = (
    ("cases", ("linear", "mlp"), "job", "batch_udf", 10.0),
    ("cases", ("linear", "mlp"), "job", "batch_udf_unbounded", 10.0),
    ("cases", ("linear", "mlp"), "job", "batch_udf_128", 25.0),
    ("cases", ("cifar2",), "job", "batch_udf", 1.8),
    ("cases", ("linear",), "job", "sql", 1.2),
    ("cases", ("linear",), "jvm", "batch_udf", 6.0),
    ("cases", ("mlp",), "jvm", "batch_udf", 3.0),
    ("peers", _LIGHT, "job", "floor", 0.9),
    ("peers", _HEAVY, "job", "floor", 0.95),
    ("peers", ("linear", "mlp"), "predict", "batch_udf", 3.0),
    ("peers", ("wide",), "predict", "batch_udf", 1.5),
    ("peers", ("cifar2",), "predict", "batch_udf", 1.4),
    ("peers", ("mobilenet",), "predict_fastest", "batch_udf", 2.0),
    ("peers", ("linear", "mlp"), "predict_rows", "batch_udf", 3.0),
    ("peers", ("wide",), "predict_rows", "batch_udf", 1.5),
    ("peers", ("cifar2",), "predict_rows", "batch_udf", 1.4),
    ("peers", ("lstm",), "jvm", "predict", 0.9),
    ("peers", ("cifar2",), "job_fastest", "job", 1.35),
    ("peers", ("mobilenet",), "job_fastest", "job", 1.7),
    ("peers", ("resnet",), "job_fastest", "job", 1.25),
    ("peers", ("encoder",), "job_fastest", "job", 1.15),
    ("peers", ("linear", "mlp", "text", "lstm", "wide"), "job_fastest", "job", 0.98),
)


@dataclass(frozen=True)
class OverCases:
    """A target over all cases of the peers' part.

    Attributes:
        sides: The compared sides; in each case, the fastest of them counts.
        mean: The minimum geometric mean of the ratios.
        least: The minimum ratio of each case.
    """

    sides: tuple[str, ...]
    mean: float
    least: float = 1.0


_OVER_CASES = (
    OverCases(("onnx_udf", "onnx_batch_udf"), 1.5),
    OverCases(("daft_threads",), 1.3),
    OverCases(("daft",), 8.0),
    OverCases(("ray",), 12.0),
    OverCases(("mlflow",), 100.0),
    OverCases(("mlflow_own",), 100.0),
    OverCases(("batch_udf",), 4.0),
)
# The side of tfspark in these targets.
_OURS = "job_fastest"

# measurement, faster side, slower side, minimum ratio
_MICRO = (
    ("first_result", "native", "import tensorflow", 7.0),
    ("first_result", "native, forked", "import tensorflow", 15.0),
    ("engine_call", "native", "signature", 5.0),
)

# The maximum ratio of the SQL operator's time to the time of the formula.
_IN_SQL = ("operator", "formula")
_OPERATOR = (("Parquet → Parquet", 1.0), ("no sink", 1.1))

_SECOND = ("tfspark", "predict_batch_udf")
# Differences below this many seconds cannot be measured.
RESOLUTION = 0.005


def target_rows(parts: Mapping[str, Any]) -> list[Row]:
    """Return the targets with measurements."""
    peers = parts.get("peers", {}).get("cases", {})
    return [
        *_rate_rows(parts),
        *(row for target in _OVER_CASES for row in over_cases(peers, target)),
        *_micro_rows(parts.get("micro", {}).get("measured", {})),
    ]


def over_cases(cases: Mapping[str, Any], target: OverCases) -> Iterator[Row]:
    """Return the smallest ratio of all cases with both sides, and the geometric mean."""
    ratios, titles = {}, {}
    for name, case in cases.items():
        rates = {side: _rate(measured) for side, measured in case["sides"].items()}
        theirs = {side: rate for side in target.sides if (rate := rates.get(side))}
        if (ours := rates.get(_OURS)) and theirs:
            ratios[name] = ours / max(theirs.values())
            titles.update({side: case["sides"][side]["title"] for side in (_OURS, *theirs)})
    if not ratios:
        return
    others = " or ".join(titles[side] for side in target.sides if side in titles)
    what = f"{titles[_OURS]} against {others}".replace("**", "")
    last = min(ratios, key=lambda name: ratios[name])
    of = f"of {len(ratios)} case{'s' if len(ratios) > 1 else ''}"
    yield _at_least(f"{what}: smallest {of} ({last})", ratios[last], target.least)
    yield _at_least(f"{what}: geometric mean {of}", geometric_mean(ratios.values()), target.mean)


def _rate_rows(parts: Mapping[str, Any]) -> Iterator[Row]:
    for part, names, side, other, least in _RATES:
        for name in names:
            case = parts.get(part, {}).get("cases", {}).get(name)
            if case is None:
                continue
            for key, theirs in case["sides"].items():
                if side in case["sides"] and other in (key, theirs.get("family")):
                    yield from _rate_row(name, case["sides"][side], theirs, least)


def _rate_row(
    case: str, ours: Mapping[str, Any], theirs: Mapping[str, Any], least: float
) -> Iterator[Row]:
    rates = [_rate(one) for one in (ours, theirs)]
    if rates[0] and rates[1]:
        words = [str(one["title"]).replace("**", "") for one in (ours, theirs)]
        yield _at_least(f"{case}: {' against '.join(words)}", rates[0] / rates[1], least)


def _rate(side: Mapping[str, Any]) -> float | None:
    warm = middle(side["warm"])
    return side["rows"] / warm if warm else None


def _micro_rows(measured: Mapping[str, Any]) -> Iterator[Row]:
    for name, side, other, least in _MICRO:
        ours, theirs = _median(measured, name, side), _median(measured, name, other)
        if ours and theirs:
            what = f"{measured[name]['title']}: {side} against {other}"
            yield _at_least(what, theirs / ours, least)
    for name in ("second_udf", "second_udf_large"):
        added = [_added(measured, name, side, f"{side}, again") for side in _SECOND]
        if added[0] is not None and added[1] is not None:
            what = f"{measured[name]['title']}, what it adds: {' against '.join(_SECOND)}"
            yield _at_least(what, added[1] / max(added[0], RESOLUTION), 20.0)
    memory = [_median(measured, "worker_memory", side) for side in ("native", "tensorflow")]
    if memory[0] and memory[1]:
        share = memory[0] / memory[1]
        yield Row(
            "worker memory of the `tensorflow` engine's", "≤ 0.6", f"{share:.2f}", share <= 0.6
        )
    slots = [_median(measured, "scaling", side) for side in ("local[1]", "local[2]")]
    if slots[0] and slots[1]:
        yield _at_least("`local[1]` → `local[2]`, CNN", slots[0] / slots[1], 1.9)
    for way, most in _OPERATOR:
        ours, theirs = (_median(measured, "sql_operator", f"{s}, {way}") for s in _IN_SQL)
        if ours and theirs:
            what = f"SQL operator in the JVM of the formula's time, linear, {way}"
            yield Row(what, f"≤ {most:g} ×", f"{ours / theirs:.2f} ×", ours / theirs <= most)
    task = _added(measured, "task_cost", "predict", "empty mapInArrow")
    if task is not None:
        what = "added cost of a warm task over an empty `mapInArrow` task"
        yield Row(what, "≤ 3 ms", f"{task:.1f} ms", task <= 3)


def _added(measured: Mapping[str, Any], name: str, side: str, over: str) -> float | None:
    """Return the median difference of consecutive runs."""
    sides = measured.get(name, {}).get("sides", {})
    if side not in sides or over not in sides:
        return None
    pairs = zip(sides[side], sides[over], strict=True)
    return middle([value - other for value, other in pairs])


def _median(measured: Mapping[str, Any], name: str, side: str) -> float | None:
    return middle(measured.get(name, {}).get("sides", {}).get(side, []))


def _at_least(what: str, ratio: float, least: float) -> Row:
    digits = 2 if least < 2 else 1
    return Row(what, f"≥ {least:g} ×", f"{ratio:.{digits}f} ×", ratio >= least)
