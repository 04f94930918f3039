"""The driver of `cluster_soak`, which runs from the first minute to the last. Driver.

    python -m benchmarks.cluster_soak_driver PLACE

Scores a stream whose model changes, and runs SQL queries with `tfpredict` at the same time, until
the file `PLACE/stop` exists. Prints one JSON line: the numbers of queries, wrong answers,
micro-batches and model swaps.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

import tfspark

# Seconds from one query to the next; the soak is not a test of speed.
PAUSE = 0.5
SQL = "SELECT count(*) AS rows, sum(tfpredict(features)) AS total FROM points"
SCHEMA = "id long, features array<float>"


def main(place: Path) -> None:
    """Score until the end of the soak."""
    spark = SparkSession.builder.appName("cluster soak").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    (place / "app").write_text(spark.sparkContext.applicationId)
    with streaming(spark, place) as query:
        account = ask(spark, place, query)
        query.processAllAvailable()
        account["micro-batches"] = query.lastProgress["batchId"] + 1
    print(json.dumps(account), flush=True)
    spark.stop()


@contextmanager
def streaming(spark: SparkSession, place: Path) -> Iterator[Any]:
    """Start the stream; stop it at the end."""
    score = tfspark.score_batches(
        place / "model",
        str(place / "scores"),
        checkpoint=place / "checkpoint",
        version_column="version",
    )
    rows = spark.readStream.schema(SCHEMA).parquet(str(place / "arriving"))
    query = score.writer(rows).trigger(processingTime="2 seconds").start()
    try:
        yield query
    finally:
        query.stop()
    if score.refusals():
        raise RuntimeError(f"the stream refused a version: {score.refusals()}")


def ask(spark: SparkSession, place: Path, query: Any) -> dict[str, int]:
    """Run the same query again and again, always with the newest version."""
    spark.read.schema(SCHEMA).parquet(str(place / "table")).createOrReplaceTempView("points")
    rows, base = spark.sql(
        "SELECT count(*), sum(2 * features[0] - features[1]) FROM points"
    ).first()
    account = {"queries": 0, "wrong answers": 0, "swaps in SQL": -1}
    registered = 0
    while not (place / "stop").exists():
        newest = max(int(folder.name) for folder in (place / "model").iterdir())
        if newest != registered:
            tfspark.register(spark, "tfpredict", place / "model" / str(newest))
            registered = newest
            account["swaps in SQL"] += 1
        found = spark.sql(SQL).first()
        account["queries"] += 1
        account["wrong answers"] += (found.rows, found.total) != (rows, base + registered * rows)
        if query.exception() is not None:
            raise query.exception()
        time.sleep(PAUSE)
    return account


if __name__ == "__main__":
    main(Path(sys.argv[1]))
