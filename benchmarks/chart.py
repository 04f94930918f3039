"""Bar charts of the measured rates: one picture per case. Driver.

Draws the stored results and measures nothing. Each bar is one side; its label is the rate in rows
per second and the ratio to the floor. The background is always white, so the text stays readable on
a dark page.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.report import picture_of, rate_of

# tfspark's own sides: one family of blues.
OURS = {
    "job": "#0b4f6c",
    "job_fastest": "#063547",
    "job_spark": "#2a7f9e",
    "jvm": "#1c6785",
    "predict": "#5aa6c0",
    "predict_fastest": "#4a97b2",
    "predict_rows": "#7dbcd1",
    "predict_unbounded": "#3f93b0",
}
# The floor, which no system can beat, and the sides of Spark without a model.
FLOORS = {"floor": "#8c8c8c", "pass_through": "#b8b8b8", "sql": "#b8b8b8"}
OTHERS = "#e08e45"
LEGEND = {
    "tfspark": OURS["job"],
    "floor (dark), Spark without a model (light)": FLOORS["floor"],
    "other ways to score": OTHERS,
}
# Inches at 100 dots each: 900 × 440 pixels for twelve bars, at most 500, which fits a screen.
WIDTH, BAR_HEIGHT, MARGIN, MOST_HEIGHT, DOTS = 9.0, 0.27, 1.1, 5.0, 100


def draw(part: str, content: Mapping[str, Any], folder: Path) -> None:
    """Draw each case of a part into its PNG file."""
    for name, case in content["cases"].items():
        if any(rate_of(side) for side in case["sides"].values()):
            _draw_case(case, content["machine"], folder / picture_of(part, name))


def label_of(rate: float, floor: float | None) -> str:
    """Return the text at a bar: the rate, and its ratio to the floor where one was measured."""
    words = f"{rate:,.0f} rows/s"
    if not floor:
        return words
    ratio = rate / floor
    return f"{words}  ({ratio:.2f} × floor)" if ratio >= 0.01 else f"{words}  ({ratio:.1g} × floor)"


def _draw_case(case: Mapping[str, Any], machine: Mapping[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt
    from matplotlib.patches import Patch

    rates = {name: rate for name, side in case["sides"].items() if (rate := rate_of(side))}
    names = sorted(rates, key=lambda name: rates[name])
    size = (WIDTH, min(BAR_HEIGHT * len(names) + MARGIN, MOST_HEIGHT))
    figure, axis = plt.subplots(figsize=size, facecolor="white", layout="constrained")
    titles = [case["sides"][name]["title"].replace("**", "").replace("`", "") for name in names]
    colors = [OURS.get(name) or FLOORS.get(name, OTHERS) for name in names]
    bars = axis.barh(titles, [rates[name] for name in names], color=colors)
    labels = [label_of(rates[name], rates.get("floor")) for name in names]
    axis.bar_label(bars, labels, padding=4, size=8)
    axis.set_title(
        f"{case['title']}, {case['rows']:,} rows: median of the warm runs, "
        f"{machine['cores']} cores",
        loc="left",
        size=10,
    )
    axis.tick_params(labelsize=8, left=False)
    axis.set_xlim(0, max(rates.values()) * 1.6)
    axis.xaxis.set_visible(False)
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    patches = [Patch(color=color, label=label) for label, color in LEGEND.items()]
    figure.legend(handles=patches, loc="outside lower left", ncols=3, fontsize=8, frameon=False)
    figure.savefig(path, dpi=DOTS, metadata={"Software": None})
    plt.close(figure)
