"""A disk is full or read-only: the job fails, publishes nothing and keeps the old output."""

from __future__ import annotations

from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.faults.numbered_rows import NEW, write_old
from tests.faults.reader import files_of, rows_of
from tests.faults.small_disks import make_read_only, small_disk
from tfspark.spark.cluster.running_tasks import is_busy

pytestmark = pytest.mark.faults

# Enough for the preflight, which refuses an output that is certainly too large.
KILOBYTES = 2048
ROWS = 400_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of random numbers, which need three times the space of the small disk."""
    chance = np.random.default_rng(1)
    features = pa.FixedSizeListArray.from_arrays(chance.random(2 * ROWS, np.float32), 2)
    ids = chance.integers(0, 2**62, ROWS)
    folder = tmp_path_factory.mktemp("large")
    columns = {"id": ids, "features": features.cast(pa.list_(pa.float32()))}
    pq.write_table(pa.table(columns), folder / "part-0.parquet", row_group_size=ROWS // 10)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("mode", ["overwrite", "append"])
@pytest.mark.parametrize("flags", ["--path direct", "--path spark", "--path spark --chunks 2"])
def test_a_full_disk_leaves_the_old_output(
    flags: str, mode: str, spark: Any, job: Any, large: Path, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", KILOBYTES) as disk:
        output = disk / "out"
        write_old(output)
        before = contents(output)
        assert job(output, "--mode", mode, *flags.split(), source=large) in (70, 73, 74)
        assert contents(output) == before
        assert [path.name for path in disk.iterdir()] == ["out"]
        if "direct" in flags:  # Spark's JVM leaves files open that are deleted, and take space
            while is_busy(spark):  # the other task of the failed job fills the disk, too
                sleep(0.02)
            assert job(output, "--mode", "overwrite", *flags.split()) == 0
            assert rows_of(files_of(output)) == NEW


@pytest.mark.parametrize("path", ["direct", "spark"])
def test_a_read_only_output_is_refused(path: str, job: Any, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", KILOBYTES) as disk:
        write_old(disk / "out")
        before = contents(disk / "out")
        make_read_only(disk)
        code = job(disk / "out", "--mode", "overwrite", "--path", path)
        assert code in (70, 73, 74)
        assert contents(disk / "out") == before


@pytest.mark.parametrize("variable", ["SPARK_LOCAL_DIRS", "TFSPARK_CACHE_DIR"])
def test_a_full_disk_of_a_worker_shows_nothing(
    variable: str, drive: Any, large: Path, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    write_old(place / "out")
    before = contents(place / "out")
    with small_disk(tmp_path / "disk", 4) as disk:
        flags = ("--mode", "overwrite", "--path", "spark", "--bad-rows", place / "bad")
        driver = drive(place / "out", *flags, source=large, environment={variable: str(disk)})
        driver.go()
        code = driver.end()
        assert code in (65, 70, 73, 74), driver.log.read_text()
    assert contents(place / "out") == before
    assert [path.name for path in place.iterdir()] == ["out"]
