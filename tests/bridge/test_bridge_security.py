"""SQL users of one server: settings of one user change no model of the operator or other users."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.conftest import MODELS

ROOT = "viewfs://cluster/models"
MOUNT = "fs.viewfs.mounttable.cluster.link./models"
MOUNTED = f"{ROOT}/linear"
TOUCH = f"SELECT count(*) FROM text.`{MOUNTED}/1/fingerprint.pb`"
NO_DIGEST = "0" * 64
OPERATOR = {
    f"spark.hadoop.{MOUNT}": MODELS.as_uri(),
    "spark.tfspark.model.mounted": MOUNTED,
    "spark.tfspark.model.pinned": MODELS / "linear",
    "spark.tfspark.model.pinned.sha256": NO_DIGEST,
}
# Hadoop's cache separates users; without doAs, all JDBC users are the user of the server.
OF_THRIFT = {
    **OPERATOR,
    "spark.tfspark.model.roots": ROOT,
    "spark.hadoop.hive.server2.enable.doAs": "false",
}
MODELS_OF_ALL = ("mounted", MOUNTED)
TRUTH = [2.0, 4.0, 6.0]


def scores(model: str) -> str:
    return f"SELECT tf_predict('{model}', float(id), 1) FROM range(3)"


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A folder of models with another `linear`; the answers `x0 - x1` show that it ran."""
    folder = tmp_path / "evil"
    shutil.copytree(MODELS / "fixed", folder / "linear")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("thrift", [OF_THRIFT], indirect=True)
def test_a_jdbc_user_changes_no_model_of_another(
    beeline: Callable[..., list[str]], evil: Path
) -> None:
    beeline(f"SET `{MOUNT}`={evil.as_uri()}", TOUCH, user="eve")
    answers = beeline(*(f"{scores(model)} ORDER BY 1" for model in MODELS_OF_ALL), user="bob")
    assert [float(one) for one in answers] == [*TRUTH, *TRUTH]


@pytest.mark.slow
@pytest.mark.connect_server
def test_a_connect_client_changes_no_model_of_another(in_spark: Any, evil: Path) -> None:
    program = f"""
from pyspark.errors import AnalysisException, PySparkException

def answers(session, text):
    return [row[0] for row in session.sql(text).collect()]

eve, bob = spark.newSession(), spark.newSession()
eve.conf.set({MOUNT!r}, {evil.as_uri()!r})
try:
    eve.sql({TOUCH!r}).collect()
except PySparkException as error:  # the touch counts: that file system holds no such table
    print("the touch of the attacker ends in", type(error).__name__)
found = [answers(bob, {scores("mounted")!r}), answers(bob, {scores(MOUNTED)!r})]
found.append(eve.conf.get({MOUNT!r}) != bob.conf.get({MOUNT!r}, None))
try:
    answers(bob, {scores("pinned")!r})
except AnalysisException as error:
    found.append(str(error).splitlines()[0])
# A client that is open would wait for its server when the program ends.
for session in (eve, bob):
    session.client.close()
answer(found)
"""
    settings = [f".config({name!r}, {str(value)!r})" for name, value in OPERATOR.items()]
    names, paths, apart, pinned = in_spark(program, '.remote("local[2]")', *settings, roots=ROOT)
    assert (names, paths, apart) == (TRUTH, TRUTH, True)
    assert pinned == f"The model at {MODELS}/linear/1 is not the one that is pinned."
