"""The examples are accepted by spark-submit, and by the clients of the platforms."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import examples
from tests.cluster.daemons import SPARK_CLASS
from tests.cluster.recording_kubernetes import recording_kubernetes

SUBMIT = SPARK_CLASS.with_name("spark-submit")
CLIENTS = (
    "botocore==1.44.5",
    "databricks-sdk==0.162.0",
    "google-cloud-dataproc==5.32.0",
    "kubernetes-validate==1.37.0",
    "pyyaml==6.0.3",
)


def submitted(words: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        [str(SUBMIT), *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("name", "words"), [pytest.param(*one, id=one[0]) for one in examples.spark_submits()]
)
def test_spark_submit_parses_the_options(
    name: str, words: list[str], environment: dict[str, str]
) -> None:
    """Spark's launcher refuses unknown options, and starts nothing here."""
    command = [SPARK_CLASS, "org.apache.spark.launcher.Main"]
    known = [*command, "org.apache.spark.deploy.SparkSubmit", *words]
    done = subprocess.run(known, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--usage-error" not in done.stdout


@pytest.fixture
def pod(environment: dict[str, str]) -> dict[str, Any]:
    """The driver's pod of the example for Kubernetes, as spark-submit creates it."""
    words = dict(examples.spark_submits())["kubernetes/score.sh"]
    with recording_kubernetes() as server:
        words[words.index("--master") + 1] = f"k8s://{server.url}"
        here = ("--conf", "spark.kubernetes.submission.waitAppCompletion=false")
        submitted([*here, *words], environment)
    (found,) = [one for one in server.created if one["kind"] == "Pod"]
    return found


def test_the_clients_of_the_platforms_accept_the_examples(
    pod: dict[str, Any], tmp_path: Path
) -> None:
    (driver,) = pod["spec"]["containers"]
    arguments = dict(examples.job_arguments())["kubernetes/score.sh"]
    assert driver["args"][-len(arguments) :] == arguments
    assert {"name": "data", "mountPath": "/data"}.items() <= driver["volumeMounts"][0].items()

    (tmp_path / "pod.json").write_text(json.dumps(pod))
    uv = [sys.executable, "-m", "uv", "run", "--quiet", "--no-project", "--isolated"]
    clients = [word for client in CLIENTS for word in ("--with", client)]
    checks = [Path(__file__).with_name("platform_schemas.py"), examples.EXAMPLES]
    done = subprocess.run(
        [*uv, *clients, "python", *checks, tmp_path / "pod.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    documents = [
        path for ending in ("*.json", "*.yaml") for path in examples.EXAMPLES.rglob(ending)
    ]
    checked = {line.split()[0] for line in done.stdout.splitlines()}
    assert checked == {
        "pod",
        *(path.relative_to(examples.EXAMPLES).as_posix() for path in documents),
    }
