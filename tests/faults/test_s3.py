"""A job on S3 is stopped before any request that changes something, and run again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from tests.faults.driver import SUBMIT
from tests.faults.hadoop_commits import run
from tests.faults.numbered_rows import NEW, write_old
from tests.faults.s3 import BUCKET, S3, connector, s3_server
from tests.faults.test_commit_faults import PARTS
from tfspark.scoring.output.journal import Mode
from tfspark.spark.cluster.hadoop_store import HadoopStore

pytestmark = pytest.mark.faults

STEP = 1 if os.environ.get("ROUNDS") else 8
MODES: tuple[Mode, ...] = ("error", "overwrite", "append")


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def store(s3: S3, spark: SparkSession) -> Iterator[HadoopStore]:
    """The bucket, by S3A in the JVM of the session, which starts without the connector."""
    jvm: Any = spark._jvm
    jars = connector()
    urls = spark.sparkContext._gateway.new_array(jvm.java.net.URL, len(jars))
    for at, jar in enumerate(jars):
        urls[at] = jvm.java.io.File(str(jar)).toURI().toURL()
    configuration = spark._jsc.hadoopConfiguration()
    before = configuration.getClassLoader()
    configuration.setClassLoader(jvm.java.net.URLClassLoader(urls, before))
    for name, value in s3.settings().items():
        configuration.set(name, value)
    yield HadoopStore(spark, f"s3a://{BUCKET}/")
    configuration.setClassLoader(before)
    for name in s3.settings():
        configuration.unset(name)


@pytest.mark.parametrize("mode", MODES)
def test_stopped_before_any_request_and_run_again(
    mode: Mode, s3: S3, store: HadoopStore, figure: Any
) -> None:
    assert not store.is_atomic
    old = [] if mode == "error" else ["old"]
    for allowed in range(MODES.index(mode) if STEP > 1 else 0, 200, STEP):
        place = f"{mode}/{allowed}"
        for name in old:
            s3.put(f"{place}/out/{name}", name.encode())
        # Without a run id, requests follow after the job has deleted its record.
        job = (store, f"s3a://{BUCKET}/{place}/out", mode)
        s3.stop_after(allowed)
        try:
            run(*job, 1, "once")
            stopped = False
        except Py4JJavaError:
            stopped = True
        s3.go()
        if stopped:
            run(*job, 2, "once")
        keys = [key for key in s3.keys(f"{place}/") if not key.endswith("/")]
        files = [key for key in keys if key.startswith(f"{place}/out/")]
        rows = sorted(s3.get(key).decode() for key in files)
        assert rows == sorted([*PARTS, *(old if mode == "append" else [])]), allowed
        (record,) = set(keys) - set(files)
        assert "/.out.tfspark/done-" in record
        if not stopped:
            figure(f"s3, {mode}: {allowed // STEP} stops")
            assert allowed > 15
            return
    raise AssertionError("the job does not end")


# Before the decision, and when an overwrite has deleted the old files and shows no new one.
KILLS = {"decide": "rename .*draft", "add": r"rename \('[^']*/new/"}


@pytest.mark.parametrize("step", KILLS if STEP == 1 else ["add"])
def test_a_job_with_all_files_on_s3_is_killed_and_run_again(
    step: str, s3: S3, linear: Path, numbered: Path, drive: Any, tmp_path: Path
) -> None:
    write_old(tmp_path / "old")
    for name, local in (("model", linear), ("source", numbered), ("out", tmp_path / "old")):
        s3.put_folder(f"{step}/{name}", local)
    where = {name: f"s3a://{BUCKET}/{step}/{name}" for name in ("model", "source")}
    settings = " ".join(
        f"--conf spark.hadoop.{key}={value}" for key, value in s3.settings().items()
    )
    jars = ",".join(map(str, connector()))
    submit = {"PYSPARK_SUBMIT_ARGS": f"--jars {jars} {settings} {SUBMIT}"}
    ends = []
    for before in (KILLS[step], ""):
        flags = ("--mode", "overwrite")
        output = f"s3a://{BUCKET}/{step}/out"
        driver = drive(output, *flags, before=before, environment=submit, **where)
        driver.wait_until_planned()
        driver.go()
        ends.append(driver.end())
    assert ends == [-signal.SIGKILL, 0], driver.log.read_text()
    out = [
        key
        for key in s3.keys(f"{step}/")
        if not key.startswith((f"{step}/model", f"{step}/source"))
    ]
    parts = [pq.read_table(BytesIO(s3.get(key))) for key in out if key.endswith(".parquet")]
    rows = [(row["id"], row["outputs"]) for part in parts for row in part.to_pylist()]
    assert sorted(rows) == [(one, 2.0 * one + 3.0) for one in NEW]
    assert all(key.startswith(f"{step}/out/") for key in out if not key.endswith("/"))
