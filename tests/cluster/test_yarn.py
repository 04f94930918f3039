"""Jobs on YARN."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import sleep

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import examples, hadoop_jars
from tests.cluster.miniyarn import Yarn, miniyarn
from tests.shell import ROOT
from tools.class_archive import SHORT_RUN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("archive")]

Predictions = Callable[[Path], dict[int, float]]
# Without `spark.yarn.jars`, each application sends 500 MB of jars to the cluster.
SETTINGS = {
    "spark.yarn.jars": f"local:{hadoop_jars.JARS}/*",
    "spark.driver.extraJavaOptions": SHORT_RUN,
    "spark.executor.extraJavaOptions": SHORT_RUN,
    "spark.driver.memory": "1g",
    "spark.executor.memory": "1g",
    "spark.executor.instances": "2",
    "spark.executor.cores": "1",
}
CONFS = [word for name, value in SETTINGS.items() for word in ("--conf", f"{name}={value}")]


@pytest.fixture(scope="module")
def yarn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yarn]:
    with miniyarn(tmp_path_factory.mktemp("yarn")) as cluster:
        yield cluster


@pytest.fixture
def variables(environment: dict[str, str], yarn: Yarn) -> dict[str, str]:
    """The variables of a shell that finds the cluster."""
    return {**environment, "HADOOP_CONF_DIR": str(yarn.conf), "PYSPARK_PYTHON": sys.executable}


def start(words: list[object], cwd: Path, variables: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a program whose output goes to the file `log`."""
    with (cwd / "log").open("w") as stream:
        return subprocess.Popen(
            list(map(str, words)),
            cwd=cwd,
            env=dict(variables),
            stdout=stream,
            stderr=stream,
            text=True,
        )


def run(words: list[object], cwd: Path, variables: Mapping[str, str]) -> None:
    assert start(words, cwd, variables).wait() == 0, (cwd / "log").read_text()


def test_the_example_scores_from_hdfs_to_hdfs_in_the_environment_of_the_archive(
    archive: Path,
    variables: dict[str, str],
    yarn: Yarn,
    linear: Path,
    numbers: Path,
    expected: dict[int, float],
    predictions: Predictions,
    tmp_path: Path,
) -> None:
    put = [(linear, "/models/price"), (numbers, "/homes")]
    hadoop_jars.file_shell(yarn.conf, "-mkdir", "-p", "/models")
    for local, there in put:
        hadoop_jars.file_shell(yarn.conf, "-put", local, there)
    words = dict(examples.spark_submits())["yarn/score.sh"]
    words = [word.replace("dist/environment.tar.gz", str(archive)) for word in words]
    submit = hadoop_jars.JARS.parent / "bin" / "spark-submit"
    own = {name: value for name, value in variables.items() if name != "PYSPARK_PYTHON"}
    (tmp_path / "jobs").symlink_to(ROOT / "jobs")
    run([submit, *CONFS, *words, "--engine", "openvino"], tmp_path, own)
    hadoop_jars.file_shell(yarn.conf, "-get", "/prices", tmp_path)
    assert predictions(tmp_path / "prices") == expected
    report = json.loads(next((tmp_path / "prices").glob("_tfspark_report_*.json")).read_text())
    assert "tensorflow" not in report["versions"]


def test_the_command_scores_in_client_mode(
    variables: dict[str, str],
    yarn: Yarn,
    linear: Path,
    numbers: Path,
    expected: dict[int, float],
    predictions: Predictions,
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "tfspark", "score", "--master", "yarn"]
    flags = ["--model", f"file://{linear}", "--input", f"file://{numbers}", "--output", "/client"]
    run([*command, *flags, *CONFS], tmp_path, {**variables, "PYTHONPATH": str(ROOT)})
    hadoop_jars.file_shell(yarn.conf, "-get", "/client", tmp_path)
    assert predictions(tmp_path / "client") == expected


def test_yarn_starts_a_killed_driver_again_and_it_continues_the_job(
    variables: dict[str, str], yarn: Yarn, linear: Path, predictions: Predictions, tmp_path: Path
) -> None:
    files, rows = 20, 2_000
    (tmp_path / "in").mkdir()
    for file in range(files):
        ids = np.arange(file * rows, (file + 1) * rows)
        features = np.stack([ids % 50, ids % 7], axis=1).astype(np.float32)
        table = pa.table({"id": ids, "features": list(features)})
        pq.write_table(table, tmp_path / "in" / f"part-{file:02d}.parquet")
    submit = [ROOT / "spark-submit.sh", "--master", "yarn", "--deploy-mode", "cluster", *CONFS]
    job = ["jobs/batch_score.py", "--model", f"file://{linear}", "--input", f"file://{tmp_path}/in"]
    place = tmp_path / "place"
    flags = ["--output", f"file://{place}/out", "--batch-size", 1, "--chunks", files]
    started = start([*submit, *job, *flags], tmp_path, variables)
    while not list(place.glob(".out.tfspark/work-*/attempts/part-*")):
        assert started.poll() is None, (tmp_path / "log").read_text()
        sleep(0.02)
    yarn.kill_driver()
    assert started.wait() == 0, (tmp_path / "log").read_text()
    expected = {one: 2.0 * (one % 50) - one % 7 + 3.0 for one in range(files * rows)}
    assert predictions(place / "out") == expected
    assert [one.name for one in place.iterdir()] == ["out"]
    report = json.loads(next((place / "out").glob("_tfspark_report_*.json")).read_text())
    assert report["rows_out"] == files * rows
