"""The driver of a stream whose model changes: `stream_driver.py PLACE OPERATIONS DELAY`.

It scores each file of `PLACE/rows` as a micro-batch. While micro-batch n − 1 is written, it moves
`PLACE/prepared/n`, if there is one, to the base path of the model. After some operations of the
commit and of the records, and a delay, it kills itself.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

import tfspark
from tests.faults.stopping_store import StoppingStore
from tfspark.scoring.output import folder
from tfspark.streaming import Folder, checkpoint
from tfspark.streaming.sinks import Batch


class LateKill(StoppingStore):
    """Kills its process some seconds after an operation."""

    def __init__(self, allowed: int, delay: float) -> None:
        super().__init__(allowed if allowed >= 0 else None)
        self._delay = delay

    def stop(self, operation: str) -> None:
        self.allowed = None
        kill = lambda: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
        threading.Timer(self._delay, kill).start() if self._delay else kill()


class Publishing(Folder):
    """A folder that publishes the version for the next micro-batch before it takes the rows."""

    def write(self, rows: DataFrame, batch: Batch) -> None:
        place = Path(self.path).parent
        prepared = place / "prepared" / str(batch.number + 1)
        if prepared.exists():
            prepared.rename(place / "model" / prepared.name)
        super().write(rows, batch)


def main(place: Path, operations: int, delay: float) -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    logging.getLogger("py4j").setLevel(logging.WARNING)
    spark = SparkSession.builder.getOrCreate()
    store = LateKill(operations, delay)

    def store_of(_: Any, path: str) -> tuple[LateKill, str]:
        return store, path.removeprefix("file:")

    folder.store_of = store_of  # type: ignore[assignment]
    checkpoint.store_of = store_of  # type: ignore[assignment]
    score = tfspark.score_batches(
        place / "model",
        Publishing(str(place / "scores")),
        checkpoint=place / "checkpoint",
        version_column="version",
    )
    rows = spark.readStream.schema("inputs float").option("maxFilesPerTrigger", "1")
    writer = score.writer(rows.parquet(str(place / "rows"))).trigger(availableNow=True)
    writer.start().awaitTermination()
    print("operations", len(store.done))
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
