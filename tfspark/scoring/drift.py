"""Compares the statistics of a run with those of an earlier run. Driver.

The population stability index (PSI) is the sum of (a - e)·ln(a / e) over bins, where e is the share
of a bin in the earlier run, and a its share in this run: N. Siddiqi, "Credit Risk Scorecards"
(Wiley, 2006). It is the divergence J of Kullback and Leibler (1951). The bins are the deciles or
the most frequent values of the earlier run, and one bin each for nulls, NaN and infinities. Below
0.1 a column counts as stable, above 0.25 as changed. The Kolmogorov-Smirnov distance (KS) is the
largest difference between the two distribution functions of finite numbers.

Both numbers have an error if they come from drawn values: n in this run, and m in the earlier one.
Drawn values may have unequal weights, so n and m are effective numbers: (Σw)²/Σw² of the weights w
(L. Kish, "Survey Sampling", Wiley, 1965). The index of two equal distributions is then about
b·(1/n + 1/m) for b bins. The distance is off by at most 1.36·√(1/n + 1/m) with a probability of
95 % (N. Smirnov, 1948), and by 0.01 more, because a report has only 101 points of a distribution
function.

Both numbers are computed from the statistics in the two JSON reports alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log, sqrt
from typing import Any, TypeAlias

import numpy as np

METHOD = (
    "PSI: population stability index over the deciles or the most frequent values of the earlier "
    "run, with nulls, NaN and infinities as bins of their own (N. Siddiqi, Credit Risk Scorecards, "
    "Wiley 2006; the divergence J of S. Kullback and R. Leibler, 1951). KS: Kolmogorov-Smirnov "
    "distance, the greatest difference between the two distribution functions. Drawn values change "
    "it by at most the number after ±, with a probability of 95 %: 1.36·√(1/n + 1/m) (N. Smirnov, "
    "1948) for n and m drawn values, where values of unequal weight count less (L. Kish, 1965)."
)
STABLE, CHANGED = 0.1, 0.25
# If a run has fewer values than this, chance alone can move the index beyond the limits.
FEWEST = 200
# An empty bin would make the index infinite.
_LEAST_SHARE = 1e-4
_DECILES = np.linspace(0.1, 0.9, 9)

Facts: TypeAlias = Mapping[str, Any]


def drift_of(statistics: Facts, before: Facts) -> dict[str, Any]:
    """Return the drift of each column that both runs describe.

    Args:
        statistics: The statistics of this run, as in its JSON report.
        before: The statistics of the earlier run.

    Returns:
        For `inputs` and `outputs`: column → `psi`, `ks` for numbers, `ks_error` if they were drawn,
            and `is_certain`, which is false if there are few values. Also `only_now` and
            `only_before`, the columns that only one run has; a column that the other run may have
            left out, because it has too many, is not named. A column of texts is left out if a run
            was told not to show texts.
    """
    found: dict[str, Any] = {}
    for part in ("inputs", "outputs"):
        now, then = statistics.get(part) or {}, before.get(part) or {}
        both = [name for name in now if name in then and _are_alike(now[name], then[name])]
        shown = [name for name in both if not (_hides(now[name]) or _hides(then[name]))]
        found[part] = {name: _column(now[name], then[name]) for name in shown}
        found.setdefault("only_now", []).extend(_only_in(now, then, both, before))
        found.setdefault("only_before", []).extend(_only_in(then, now, both, statistics))
    return found


def _only_in(one: Facts, other: Facts, both: list[str], report: Facts) -> list[str]:
    """Return the columns of one run that the other run lacks, or has with another kind of values.

    If the `report` of the other run left columns out, it is unknown whether it lacks a column.
    """
    is_cut = bool(report.get("left_out"))
    return [name for name in one if name not in both and (name in other or not is_cut)]


def _are_alike(now: Facts, then: Facts) -> bool:
    return bool(now["kind"] == then["kind"] != "other")


def _has_points(facts: Facts) -> bool:
    """Whether a column has points of a distribution function; older reports may have none."""
    return bool((facts.get("quantiles") or {}).get("values"))


def _hides(facts: Facts) -> bool:
    """Whether the texts of a column are not in a report."""
    return bool(facts["kind"] == "text" and facts["values"] and "top" not in facts)


def _column(now: Facts, then: Facts) -> dict[str, Any]:
    numbers = now["kind"] == "number"
    bins = _bins_of_numbers if numbers else _bins_of_texts
    drift: dict[str, Any] = {
        "psi": _psi(_weighted(now, bins(now, then)), _weighted(then, bins(then, then)))
    }
    if numbers and _has_points(now) and _has_points(then):
        drift["ks"] = _distance(now, then)
        if error := _error(now, then):
            drift["ks_error"] = error
    drift["is_certain"] = min(_known(now), _known(then)) >= FEWEST
    return drift


def _error(now: Facts, then: Facts) -> float:
    """Return the most by which drawn values change the distance, with a probability of 95 %."""
    shares = [
        1 / max(_sample(facts), 1)
        for facts in (now, then)
        if facts["drawn"] < _finite(facts) or facts.get("estimated")
    ]
    return round(1.36 * sqrt(sum(shares)), 4)


def _finite(facts: Facts) -> int:
    return max(int(facts["values"]) - sum(_special(facts)[1:]), 0)


def _known(facts: Facts) -> int:
    """Return the number of values that the bins are about."""
    return _sample(facts) + sum(_special(facts))


def _sample(facts: Facts) -> int:
    """Return the effective number of drawn values; older reports have only the number."""
    return int(facts.get("effective", facts["drawn"]))


def _special(facts: Facts) -> list[int]:
    """Return the nulls, NaN and infinities."""
    nulls = facts["nulls"] + facts.get("null_values", 0)
    return [nulls, facts.get("nan", 0), facts.get("infinite", 0)]


def _psi(shares: list[float], expected: list[float]) -> float:
    pairs = [
        (max(share, _LEAST_SHARE), max(wanted, _LEAST_SHARE))
        for share, wanted in zip(shares, expected, strict=True)
    ]
    return round(sum((share - wanted) * log(share / wanted) for share, wanted in pairs), 4)


def _weighted(facts: Facts, bins: list[float]) -> list[float]:
    """Return the shares of bins among all values, and those of nulls, NaN and infinities."""
    special = _special(facts)
    total = max(facts["values"] + special[0], 1)
    usual = _finite(facts) / total
    return [*(share * usual for share in bins), *(count / total for count in special)]


def _bins_of_numbers(facts: Facts, then: Facts) -> list[float]:
    """Return the shares of the finite numbers between the deciles of the earlier run."""
    if not _has_points(then):
        return [1.0]
    values, upto = (np.asarray(then["quantiles"][key]) for key in ("values", "shares"))
    at = np.minimum(np.searchsorted(upto, _DECILES), len(values) - 1)
    upto_each = _share_upto(facts, np.unique(values[at]))
    shares: list[float] = np.diff(upto_each, prepend=0.0, append=1.0).tolist()
    return shares


def _bins_of_texts(facts: Facts, then: Facts) -> list[float]:
    """Return the shares of the most frequent values of the earlier run, and of all others."""
    shares = dict(facts.get("top", []))
    bins = [float(shares.get(text, 0.0)) for text, _ in then.get("top", [])]
    return [*bins, max(1.0 - sum(bins), 0.0)]


def _share_upto(facts: Facts, numbers: Any) -> Any:
    """Return, for each of some numbers, the share of a run's finite numbers up to it."""
    if not _has_points(facts):
        return np.zeros(len(numbers))
    values, upto = facts["quantiles"]["values"], [0.0, *facts["quantiles"]["shares"]]
    return np.asarray(upto)[np.searchsorted(values, numbers, side="right")]


def _distance(now: Facts, then: Facts) -> float:
    numbers = np.union1d(now["quantiles"]["values"], then["quantiles"]["values"])
    return round(float(np.abs(_share_upto(now, numbers) - _share_upto(then, numbers)).max()), 4)
