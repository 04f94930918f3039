"""`make bench`: measure every side of every case in turns, and write tables and charts.

    python -m benchmarks                       cases, then the small measurements
    python -m benchmarks --case linear --repeat 3
    python -m benchmarks --part peers          tfspark, the floor and the peers
    python -m benchmarks --smoke               few rows; checks the answers, measures no time
    python -m benchmarks --redraw              tables and charts from the stored results

Each case is stored in `results/<part>.json` as soon as it is measured, so a run can cover some of
the cases, or continue after an interruption.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import bridge, report
from benchmarks.cases import BY_NAME, CASES, Case
from benchmarks.chart import draw
from benchmarks.client import ROOT
from benchmarks.machine import machine, peer_versions
from benchmarks.measure import WARM_UP_SECONDS, Settings, measure_case
from benchmarks.micro import MEASUREMENTS, NEEDED
from benchmarks.preparation import prepare, unable
from benchmarks.processes import Processes
from benchmarks.roster import BRIDGE, ENVIRONMENTS_OF_PEERS, PEERS, SIDES, SideOf
from benchmarks.smoke import smoke

PARTS = ("cases", "peers", "micro")


def main() -> None:
    """Parse the command line and measure."""
    chosen = _arguments()
    if chosen.redraw:
        redraw(chosen.results)
        return
    settings = Settings(
        data=Path(chosen.data).resolve(),
        repeat=chosen.repeat,
        cold=chosen.cold,
        warm_up=chosen.warm_up,
        conf=tuple(chosen.conf),
        search=chosen.search,
    )
    sides = _sides(chosen)
    cases = [BY_NAME[name] for name in chosen.case or BY_NAME]
    if chosen.rows:
        cases = [case.at(chosen.rows) for case in cases]
    if chosen.smoke:
        small = [case.at(case.smoke_rows) for case in cases if chosen.case or not case.large]
        prepare(small, sides, settings.data)
        smoke(small, sides, settings, everything=bool(chosen.side or chosen.case))
        return
    if chosen.prepare:
        for name, reasons in _prepare(cases, sides, settings).items():
            print(f"{name}: {reasons or 'every side can load it'}")
        return
    chosen.results.mkdir(parents=True, exist_ok=True)
    for part in chosen.part:
        if part == "micro":
            _measure_micro(chosen.micro or list(MEASUREMENTS), settings, chosen.results)
        else:
            _measure_cases(part, cases, sides, settings, chosen.results)
    print((chosen.results / "results.md").read_text())


def redraw(results: Path) -> None:
    """Write the tables and charts of the stored results again."""
    for part, content in report.load(results).items():
        if part in ("cases", "peers"):
            draw(part, content, results)
    report.write(results, _readme_of(results))


def _sides(chosen: argparse.Namespace) -> tuple[SideOf, ...]:
    """Return the sides of this run, without those of the Scala bridge when it is not built."""
    sides = PEERS if chosen.part == ["peers"] else SIDES
    sides = tuple(side for side in sides if not chosen.side or side.name in chosen.side)
    if bridge.jar() is None:
        sides = tuple(side for side in sides if side.group != BRIDGE)
        print("the Scala bridge is not built (make bridge); its sides are left out")
    return sides


def _measure_micro(names: Sequence[str], settings: Settings, results: Path) -> None:
    prepare(NEEDED, (), settings.data)
    for name in names:
        if name != "sql_operator" or bridge.jar() is not None:
            _store(results, "micro", "measured", name, MEASUREMENTS[name](settings))


def _measure_cases(
    part: str, cases: Sequence[Case], sides: Sequence[SideOf], settings: Settings, results: Path
) -> None:
    reasons = _prepare(cases, sides, settings)
    with closing(Processes(settings.start)) as processes:
        for case in cases:
            taking = [side for side in sides if side.takes(case)]
            measured = measure_case(case, taking, settings, processes, reasons[case.name])
            _store(results, part, "cases", case.name, measured)


def _prepare(
    cases: Sequence[Case], sides: Sequence[SideOf], settings: Settings
) -> dict[str, dict[str, str]]:
    """Make rows and models; return the sides that cannot take part in a case, with the reasons."""
    prepare(cases, sides, settings.data, search=True)
    return {case.name: unable(case, sides, settings.data) for case in cases}


def _readme_of(results: Path) -> Path | None:
    """Return the page that shows these results: only the default folder has one."""
    return ROOT / "benchmarks" / "README.md" if results == DEFAULT_RESULTS else None


DEFAULT_RESULTS = ROOT / "benchmarks" / "results"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=…", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--part", action="append", choices=PARTS, help="default: cases and micro")
    add("--case", action="append", choices=[case.name for case in CASES])
    names = dict.fromkeys(side.name for side in (*SIDES, *PEERS))
    add("--rows", type=int, help="number of rows; by default the case's own")
    add("--side", action="append", choices=list(names))
    add("--micro", action="append", choices=list(MEASUREMENTS))
    add("--repeat", type=int, default=5, help="warm runs of each side (5)")
    add("--cold", type=int, help="cold runs of each side (5; none of peers)")
    add("--warm-up", type=float, default=WARM_UP_SECONDS, help="seconds of each side (8)")
    add("--search", action="store_true", help="search the settings of Ray Data again")
    add("--conf", action="append", default=[], metavar="KEY=VALUE", help="for every Spark session")
    add("--data", default=ROOT / "benchmarks" / "data", help="folder of the rows and models")
    add("--results", default=DEFAULT_RESULTS, type=Path, help="folder of the results")
    add("--smoke", action="store_true", help="check the outputs over few rows, measure no time")
    add("--prepare", action="store_true", help="only make the rows and models of a run")
    add("--redraw", action="store_true", help="only write the tables and charts again")
    chosen = parser.parse_args()
    chosen.part = chosen.part or (["micro"] if chosen.micro else ["cases", "micro"])
    if chosen.cold is None:
        chosen.cold = 0 if chosen.part == ["peers"] else 5
    return chosen


def _store(folder: Path, part: str, kind: str, name: str, measured: dict[str, Any]) -> None:
    """Store one result in its file and write the tables and charts again."""
    file = folder / f"{part}.json"
    content: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {kind: {}}
    content["machine"] = machine()
    if part == "peers":
        content["machine"]["peers"] = {peer: peer_versions(peer) for peer in ENVIRONMENTS_OF_PEERS}
    order: Callable[[str], int] = [*BY_NAME, *MEASUREMENTS].index
    if kind == "cases":
        measured["machine"] = content["machine"]["processor"]
        measured["date"] = content["machine"]["date"]
    content[kind][name] = measured
    content[kind] = {key: content[kind][key] for key in sorted(content[kind], key=order)}
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    if part != "micro":
        draw(part, content, folder)
    report.write(folder, _readme_of(folder))


if __name__ == "__main__":
    main()
