"""Trains and exports two models, writes a table, scores it on Spark and shows the result.

Run by `make demo`. The output folder is `demo-output/`, or the given one. What an earlier demo
wrote is deleted first. A folder with any other file is refused and stays as it is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
SHOWN = 10
TABLE = "digits.parquet"
# All that a demo writes; the hidden folder has the job's commit files.
WRITTEN = (TABLE, "models", "scored", ".scored.tfspark")


def main() -> int:
    """Run the demo and return an exit code; a failed step ends it with the code of the step."""
    base = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "demo-output").resolve()
    clear(base)
    table = base / TABLE
    program = "import sys; from models.digits import write_parquet; write_parquet(sys.argv[1])"
    # First, because the table marks a folder as one of the demo.
    step("Write the digits as a table", sys.executable, "-c", program, table)
    for model in ("linear", "digits"):
        command = ("-m", "models", model, "--out", base / "models")
        step(f"Train and export {model}", sys.executable, *command)
    scored = base / "scored"
    output = step(
        "Score the table on Spark",
        ROOT / "spark-submit.sh",
        "--master",
        "local[2]",
        ROOT / "jobs/batch_score.py",
        *("--model", base / "models/digits"),
        *("--input", table),
        *("--output", scored),
        *("--fetch", "digit=digit"),
    )
    report_path = Path(output.splitlines()[-1])
    show(scored, json.loads(report_path.read_text()))
    for what, where in (
        ("models", base / "models"),
        ("table", table),
        ("scored", scored),
        ("report", report_path),
    ):
        print(f"{what:8} {where}")
    return 0


def clear(base: Path) -> None:
    """Delete what an earlier demo wrote; exit if the folder is not one of the demo."""
    found = {path.name for path in base.iterdir()} if base.exists() else set()
    if found and (TABLE not in found or found - {*WRITTEN}):
        sys.exit(f"error: the folder {base} has other files; name a new one")
    for name in found:
        path = base / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def step(title: str, *command: object) -> str:
    """Run a command, print its output, and return its stdout."""
    print(f"== {title}", flush=True)
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, end="", flush=True)
    if done.returncode:
        sys.stderr.write(done.stderr)
        sys.exit(done.returncode)
    return done.stdout


def show(scored: Path, report: dict[str, Any]) -> None:
    """Print ten predictions beside their labels, the accuracy and the rate."""
    rows = pq.read_table(scored, columns=["id", "label", "digit"]).sort_by("id").to_pylist()
    print(f"\n{'id':>5} {'label':>6} {'prediction':>11}")
    for row in rows[:: max(len(rows) // SHOWN, 1)][:SHOWN]:
        mark = "" if row["label"] == row["digit"] else "   wrong"
        print(f"{row['id']:>5} {row['label']:>6} {row['digit']:>11}{mark}")
    right = sum(row["label"] == row["digit"] for row in rows)
    seconds = report["seconds"]["score"]
    print(f"\naccuracy {right / len(rows):.4f} on {len(rows)} rows (training rows included)")
    print(f"rate     {len(rows) / seconds:.0f} rows/s, start of Spark's workers included")


if __name__ == "__main__":
    sys.exit(main())
