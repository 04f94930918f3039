"""A stream whose model changes, and whose driver is killed and started again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from bisect import bisect_left
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.faults.driver import SUBMIT, environment
from tfspark.scoring.output.local_store import LocalStore
from tfspark.streaming.records import Records
from tfspark.testing import save_function

pytestmark = pytest.mark.faults

IS_LONG = bool(os.environ.get("ROUNDS"))
# Files, and the micro-batches from which on a good, a broken and another good version are there.
FILES, GOOD, BROKEN, LAST = (30, 10, 15, 20) if IS_LONG else (9, 3, 5, 7)
KILLS = 5 if IS_LONG else 1
ROWS = 4


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the input, the first version of the model, and versions for later."""
    import tensorflow as tf

    spec = tf.TensorSpec((None,), tf.float32, "inputs")
    for version, home in (
        (1, "model"),
        (GOOD, "prepared"),
        (BROKEN, "prepared"),
        (LAST, "prepared"),
    ):
        function = lambda inputs, n=version: {"y": inputs * 2 + n}  # noqa: E731
        save_function(tmp_path / home / str(version), function, spec)
    index = tmp_path / "prepared" / str(BROKEN) / "saved_model.pb"
    index.write_bytes(index.read_bytes()[:100])
    (tmp_path / "rows").mkdir()
    for batch in range(FILES):
        ids = [float(batch * ROWS + row) for row in range(ROWS)]
        file = tmp_path / "rows" / f"{batch}.parquet"
        pq.write_table(pa.table({"inputs": pa.array(ids, pa.float32())}), file)
        os.utime(file, (batch, batch))  # Spark reads files in the order of their times
    return tmp_path


def drive(place: Path, operations: int, delay: float, log: Path) -> int:
    """Run the driver and its JVM to the end of the driver; return the exit code."""
    with log.open("w") as stream:
        driver = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.faults.stream_driver",
                *map(str, (place, operations, delay)),
            ],
            env=environment(
                PYSPARK_SUBMIT_ARGS=SUBMIT,
                PYSPARK_PYTHON=sys.executable,
                SPARK_LOCAL_IP="127.0.0.1",
            ),
            cwd=place,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
        try:
            return driver.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()


def expected_version(batch: int) -> int:
    return 1 if batch < GOOD else GOOD if batch < LAST else LAST


def last_files(checkpoint: Path) -> list[int]:
    """Return the number of the last file of each micro-batch.

    A micro-batch can have two files: Spark records a file before it records the micro-batch that
    the file is in. After a kill between the two, the next file joins the same micro-batch.
    """
    found = []
    while (entry := checkpoint / "offsets" / str(len(found))).exists():
        found.append(json.loads(entry.read_text().splitlines()[-1])["logOffset"])
    return found


def rows_of(folder: Path) -> list[tuple[Any, ...]]:
    tables = [
        pq.read_table(folder / name) for name in sorted(p.name for p in folder.glob("*.parquet"))
    ]
    return sorted(tuple(row.values()) for table in tables for row in table.to_pylist())


@pytest.mark.timeout(1800)
def test_each_batch_has_the_rows_of_its_version_once(place: Path, figure: Any) -> None:
    chance, killed, logs = random.Random("stream"), 0, list[Path]()
    while True:
        logs.append(place / f"log-{len(logs)}")
        is_last = killed == KILLS
        operations = -1 if is_last else chance.randrange(20, 120)
        code = drive(place, operations, chance.choice([0, chance.random()]), logs[-1])
        if is_last:
            break
        assert code == -signal.SIGKILL, logs[-1].read_text()[-3000:]
        killed += 1
    text = "".join(log.read_text() for log in logs)
    assert code == 0, text[-3000:]

    last = last_files(place / "checkpoint")
    batches = [bisect_left(last, file) for file in range(FILES)]
    versions = [expected_version(batches[row // ROWS]) for row in range(FILES * ROWS)]
    scored = [(float(row), 2.0 * row + one, one) for row, one in enumerate(versions)]
    assert rows_of(place / "scores") == scored
    records = Records(LocalStore(), str(place / "checkpoint" / "tfspark"))
    found = [records.of(batch) for batch in range(len(last))]
    assert [one and one.version for one in found] == [expected_version(n) for n in range(len(last))]
    assert [(one.version, one.batch) for one in records.refusals()] == [(BROKEN, BROKEN)]
    assert text.count(f"version {BROKEN} of {place}/model is refused at micro-batch {BROKEN}") == 1
    replayed = text.count("is replayed with version")
    figure(f"stream of {len(last)} micro-batches: {killed} kills, {replayed} replays, 0 wrong rows")
