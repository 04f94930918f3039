"""A picture of what was measured: rows per second of every side, one panel per case. Driver."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.report import rate_of

OURS, FLOOR, OTHERS = "#1f6f8b", "#b0b0b0", "#e0a458"


def draw(part: Mapping[str, Any], path: Path) -> None:
    """Draw the cases of a part into a PNG."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    cases = [case for case in part["cases"].values() if any(map(rate_of, case["sides"].values()))]
    if not cases:
        return
    heights = [len(case["sides"]) + 1.5 for case in cases]
    figure, axes = plt.subplots(
        len(cases),
        squeeze=False,
        figsize=(9, 0.28 * sum(heights)),
        height_ratios=heights,
        layout="constrained",
    )
    for axis, case in zip(axes[:, 0], cases, strict=True):
        _panel(axis, case)
    machine = part["machine"]
    figure.supxlabel(
        f"rows per second, warm, median; {machine['processor']}, {machine['cores']} cores", size=8
    )
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _panel(axis: Any, case: Mapping[str, Any]) -> None:
    rates = {name: rate for name, side in case["sides"].items() if (rate := rate_of(side))}
    names = sorted(rates, key=lambda name: rates[name])
    values = [rates[name] for name in names]
    titles = [case["sides"][name]["title"].replace("**", "").replace("`", "") for name in names]
    bars = axis.barh(titles, values, color=[_color(name) for name in names])
    axis.bar_label(bars, [f"{value:,.0f}" for value in values], padding=3, size=7)
    axis.set_title(f"{case['title']}, {case['rows']:,} rows", loc="left", size=9)
    axis.tick_params(labelsize=7)
    axis.set_xlim(0, max(values) * 1.15)
    axis.xaxis.set_visible(False)
    axis.spines[["top", "right", "bottom"]].set_visible(False)


def _color(name: str) -> str:
    if name in ("job", "job_spark", "predict", "predict_unbounded"):
        return OURS
    return FLOOR if name in ("floor", "pass_through", "sql") else OTHERS
