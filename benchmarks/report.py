"""Writes the measured numbers as Markdown tables: the targets, then one per case. Driver.

Reads the JSON files of `results/` and writes `results.md` and the part of `README.md` between the
two marks. A number is a median; both sides of a ratio come from the same run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import compress
from pathlib import Path
from typing import Any

from benchmarks.measure import middle
from benchmarks.targets import Row, target_rows

BEGIN, END = "<!-- results -->", "<!-- end of results -->"


def load(folder: Path) -> dict[str, Any]:
    """Return the stored results: part → content of its file."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}


def write(folder: Path, readme: Path | None = None) -> None:
    """Write the tables of all stored results."""
    parts = load(folder)
    text = "\n\n".join(sections(parts, folder=""))
    (folder / "results.md").write_text(f"# Results\n\n{text}\n")
    if readme is None:
        return
    text = "\n\n".join(sections(parts, folder=f"{folder.name}/"))
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def sections(parts: Mapping[str, Any], folder: str) -> list[str]:
    """Return the targets, the cases and the small measurements.

    Args:
        parts: The stored results.
        folder: Path from the page to the folder of the charts, with a slash at its end.
    """
    rows = target_rows(parts)
    found = ["## Targets", _target_table(rows)] if rows else []
    for part, title in (("cases", "Cases"), ("peers", "Peers")):
        if part in parts:
            found += [f"## {title}", _where(parts[part]["machine"])]
            for name, case in parts[part]["cases"].items():
                found.append(f"### {case['title']} ({name}, {case['rows']:,} rows)")
                found.append(
                    f"![{case['title']}: rows per second]({folder}{picture_of(part, name)})"
                )
                found.append(case_table(case))
                found.append(f"{case['machine']}, {case['date'][:10]}.")
                found += _left_out(case)
                if case["busy_before"] > 0.1:
                    found.append(
                        f"Other programs used {case['busy_before']:.0%} of the machine when this "
                        "case began."
                    )
    if "micro" in parts:
        found += ["## Small measurements", _where(parts["micro"]["machine"])]
        found.append(_micro_table(parts["micro"]["measured"]))
    return found


def picture_of(part: str, case: str) -> str:
    """Return the name of the file with the chart of a case."""
    return f"{part}-{case}.png"


def case_table(case: Mapping[str, Any]) -> str:
    """Return the table of a case: a line per side, the fastest first."""
    sides = case["sides"]
    rate = {name: rate_of(side) for name, side in sides.items()}
    lines = []
    for name in sorted(sides, key=lambda name: -(rate[name] or 0)):
        side = sides[name]
        warm = middle(side["warm"])
        spread = f"{min(side['warm']):.2f}–{max(side['warm']):.2f}" if side["warm"] else ""
        lines.append(
            [
                side["title"],
                _number(warm),
                spread,
                _thousands(rate[name]),
                _ratio(rate[name], rate.get("floor")),
                _ratio(rate[name], rate.get("batch_udf")),
                _number(middle(side["cold"])),
                _number(middle(side["start"])),
                _settings(side),
                _difference(side),
            ]
        )
    head = [
        *("side", "warm s", "from–to", "rows/s", "of the floor", "× `predict_batch_udf`"),
        *("cold s", "start s", "batch", "largest difference"),
    ]
    # Without cold runs, their columns are left out.
    filled = [any(column) for column in zip(*lines, strict=True)]
    head, *lines = (list(compress(line, filled)) for line in (head, *lines))
    return table(head, lines)


def rate_of(side: Mapping[str, Any]) -> float | None:
    """Return rows per second of the median warm run."""
    warm = middle(side["warm"])
    return side["rows"] / warm if warm else None


def table(head: list[str], lines: list[list[str]]) -> str:
    """Return a Markdown table with text in the first column and numbers in the others."""
    rule = ["---", *(["---:"] * (len(head) - 1))]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *lines])


def _target_table(rows: list[Row]) -> str:
    lines = [
        [row.what, row.target, row.measured, {True: "yes", False: "**no**", None: ""}[row.met]]
        for row in rows
    ]
    return table(["what", "target", "measured", "met"], lines)


def _micro_table(measured: Mapping[str, Any]) -> str:
    lines = []
    for entry in measured.values():
        for side, values in entry["sides"].items():
            spread = f"{min(values):.4g}–{max(values):.4g}"
            lines.append([entry["title"], side, f"{middle(values):.4g}", spread, entry["unit"]])
    return table(["what", "side", "median", "from–to", "unit"], lines)


def _where(machine: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    peers = "; ".join(
        f"{peer}: " + ", ".join(f"{name} {version}" for name, version in found.items())
        for peer, found in machine.get("peers", {}).items()
    )
    words = (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GiB, "
        f"{machine['system']}; {versions}; commit {machine['commit']}, {machine['date']}."
    )
    return f"{words} Peers: {peers}." if peers else words


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _thousands(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _ratio(value: float | None, reference: float | None) -> str:
    return f"{value / reference:.2f}" if value and reference else ""


def _settings(side: Mapping[str, Any]) -> str:
    """Return the batch size, and the other settings that were searched."""
    others = [f"{name}: {value}" for name, value in side.get("settings", {}).items()]
    return ", ".join([str(side.get("batch") or ""), *others]).removeprefix(", ")


def _left_out(case: Mapping[str, Any]) -> list[str]:
    """Return a list of the sides that could not take part, by reason."""
    titles: dict[str, list[str]] = {}
    for side in case.get("left_out", {}).values():
        titles.setdefault(side["reason"].replace("`", "'"), []).append(side["title"])
    lines = [f"- {', '.join(sides)}: `{reason}`" for reason, sides in titles.items()]
    return ["Left out:", "\n".join(lines)] if lines else []


def _difference(side: Mapping[str, Any]) -> str:
    if "difference" not in side:
        return ""
    return "bit-equal" if side["bit_equal"] else f"{side['difference']:.1e}"
