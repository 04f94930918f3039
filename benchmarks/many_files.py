"""Measures the cost of many small files for a job: `python -m benchmarks.many_files --files 10000`.

Writes that many Parquet files of a few rows, scores them with the linear model on both paths in
turns, and prints one JSON line per run: the seconds of each phase from the report.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from benchmarks.client import ROOT
from benchmarks.spark_sides import open_session
from tfspark.scoring import batch
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.job import Path as Way

ROWS = 8
WAYS: tuple[Way, ...] = ("direct", "spark")


def make(folder: Path, files: int) -> None:
    """Write the files if they do not exist."""
    if folder.is_dir():
        return
    aside = folder.with_name(f".{folder.name}")
    aside.mkdir(parents=True)
    features = list(np.arange(2 * ROWS, dtype=np.float32).reshape(ROWS, 2))
    pq.write_table(pa.table({"features": features}), aside / "part-00000.parquet")
    for number in range(1, files):
        shutil.copyfile(aside / "part-00000.parquet", aside / f"part-{number:05d}.parquet")
    aside.rename(folder)


def measure(
    spark: SparkSession, model: Path, source: Path, out: Path, way: Way
) -> dict[str, float]:
    """Run the job once and return seconds by phase."""
    shutil.rmtree(out, ignore_errors=True)
    job = batch.BatchJob(
        model=str(model), source=Dataset(path=str(source)), target=Dataset(path=str(out)), path=way
    )
    report = batch.new_report("many files")
    begin = time.perf_counter()
    plan = batch.plan(spark, job, report)
    planned = time.perf_counter()
    batch.execute(spark, plan, report)
    return {"plan": planned - begin, "execute": time.perf_counter() - planned}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--data", type=Path, default=ROOT / "benchmarks" / "data")
    chosen = parser.parse_args()
    source = chosen.data / f"files-{chosen.files}"
    make(source, chosen.files)
    with open_session("local[2]", {}) as spark:
        for _ in range(chosen.repeat):
            for way in WAYS:
                out = chosen.data / "out" / "many-files"
                seconds = measure(spark, chosen.data / "models" / "linear", source, out, way)
                print(json.dumps({"files": chosen.files, "path": way, **seconds}), flush=True)


if __name__ == "__main__":
    main()
