"""`make bench`: measure every side of every case in turns, and write tables and pictures.

    python -m benchmarks                       cases, then the small measurements
    python -m benchmarks --case linear --repeat 3
    python -m benchmarks --part peers          tfspark, the floor and the peers
    python -m benchmarks --smoke               small rows, right answers, no times

Results are added case by case to `results/<part>.json`, so a run can be narrowed or taken up again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import bridge, report
from benchmarks.cases import BY_NAME, CASES, Case
from benchmarks.chart import draw
from benchmarks.client import ROOT
from benchmarks.machine import machine, peer_versions
from benchmarks.measure import Settings, measure_case, task_of
from benchmarks.micro import MEASUREMENTS, NEEDED
from benchmarks.roster import BRIDGE, PEERS, SIDES, SideOf, python_of
from benchmarks.smoke import smoke

PARTS = ("cases", "peers", "micro")


def main() -> None:
    """Parse the command line and measure."""
    chosen = _arguments()
    settings = Settings(
        data=Path(chosen.data).resolve(),
        repeat=chosen.repeat,
        cold=chosen.cold,
        conf=tuple(chosen.conf),
    )
    sides = PEERS if chosen.part == ["peers"] else SIDES
    sides = tuple(side for side in sides if not chosen.side or side.name in chosen.side)
    if bridge.jar() is None:
        sides = tuple(side for side in sides if side.group != BRIDGE)
        print("the Scala bridge is not built (make bridge); its sides are left out")
    cases = [BY_NAME[name] for name in chosen.case or BY_NAME]
    if chosen.rows:
        cases = [case.at(chosen.rows) for case in cases]
    if chosen.smoke:
        small = [case.at(case.smoke_rows) for case in cases]
        prepare(small, sides, settings.data)
        smoke(small, sides, settings, everything=bool(chosen.side or chosen.case))
        return
    results = Path(chosen.results)
    results.mkdir(parents=True, exist_ok=True)
    readme = ROOT / "benchmarks" / "README.md" if results == DEFAULT_RESULTS else None
    for part in chosen.part:
        if part == "micro":
            prepare(NEEDED, (), settings.data)
            for name in chosen.micro or MEASUREMENTS:
                if name == "sql_operator" and bridge.jar() is None:
                    continue
                _add(results, part, "measured", name, MEASUREMENTS[name](settings), readme)
        else:
            taking = [case for case in cases if _takes(case, part, sides)]
            for case in taking:
                those = tuple(side for side in sides if side.takes(case))
                prepare([case], those, settings.data)
                measured = measure_case(case, those, settings)
                _add(results, part, "cases", case.name, measured, readme)
    print((results / "results.md").read_text())


DEFAULT_RESULTS = ROOT / "benchmarks" / "results"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=…", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--part", action="append", choices=PARTS, help="by default cases and micro")
    add("--case", action="append", choices=[case.name for case in CASES])
    names = dict.fromkeys(side.name for side in (*SIDES, *PEERS))
    add("--rows", type=int, help="instead of the case's own number")
    add("--side", action="append", choices=list(names))
    add("--micro", action="append", choices=list(MEASUREMENTS))
    add("--repeat", type=int, default=5, help="warm runs of each side (5)")
    add("--cold", type=int, default=5, help="cold runs of each side (5)")
    add("--conf", action="append", default=[], metavar="KEY=VALUE", help="for every Spark session")
    add("--data", default=ROOT / "benchmarks" / "data", help="where rows and models are kept")
    add("--results", default=DEFAULT_RESULTS, type=Path, help="where results are written")
    add("--smoke", action="store_true", help="check the outputs over few rows, time nothing")
    chosen = parser.parse_args()
    chosen.part = chosen.part or (["micro"] if chosen.micro else ["cases", "micro"])
    return chosen


def _takes(case: Case, part: str, sides: Sequence[SideOf]) -> bool:
    """Whether a part has a case: that of the peers has those that a peer takes part in."""
    return part != "peers" or any(side.cases and side.takes(case) for side in sides)


def prepare(cases: Sequence[Case], sides: Sequence[SideOf], data: Path) -> None:
    """Make the rows and models that are not there, in processes of their own."""
    wanted = {f"{case.name}:{case.rows}": case for case in cases}
    for case in cases:
        for side in sides:
            if side.rows and side.takes(case):
                fewer = case.at(min(side.rows, case.rows))
                wanted[f"{fewer.name}:{fewer.rows}"] = fewer
    if missing := [words for words, case in wanted.items() if not case.folder(data).is_dir()]:
        print(f"making rows and models: {' '.join(missing)}", flush=True)
        _run(sys.executable, "-m", "benchmarks.prepare", str(data), *missing)
    for case in cases:
        for side in sides:
            if side.name == "mlflow" and side.takes(case):
                task = task_of(side, case, data)
                _run(python_of("mlflow"), "-m", "benchmarks.peers.mlflow_model", str(task))


def _run(*command: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")


def _add(
    folder: Path, part: str, kind: str, name: str, measured: dict[str, Any], readme: Path | None
) -> None:
    """Put one result into its file and write the tables and the picture anew."""
    file = folder / f"{part}.json"
    content: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {kind: {}}
    content["machine"] = machine()
    if part == "peers":
        content["machine"]["peers"] = {
            peer: peer_versions(peer) for peer in ("ray", "daft", "mlflow")
        }
    order: Callable[[str], int] = [*BY_NAME, *MEASUREMENTS].index
    content[kind][name] = measured
    content[kind] = {key: content[kind][key] for key in sorted(content[kind], key=order)}
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    if part != "micro":
        draw(content, folder / f"{part}.png")
    report.write(folder, readme)


if __name__ == "__main__":
    main()
