"""The doctor: one table about the driver and the executors, with advice and an exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tfspark import doctor
from tfspark.errors import EngineError, TimeLimitError, WorkerLostError
from tfspark.options import ScoreOptions
from tfspark.scoring.diagnosis import DRIVER, Diagnosis, aligned, diagnose
from tfspark.spark.worker.checkup import Checkup, Fact

VERSIONS = {"python": "3.11.1", "tfspark": "1", "tensorflow": "2.21", "pyarrow": "20.0"}


def facts(**versions: str) -> list[Fact]:
    return [Fact(name, version) for name, version in {**VERSIONS, **versions}.items()]


def diagnosis(*workers: list[Fact]) -> Diagnosis:
    found = Diagnosis({"tensorflow"})
    found.add(DRIVER, facts())
    found.add_executors({f"host{number} 7": one for number, one in enumerate(workers)})
    return found


def test_executors_with_the_same_answers_share_a_column() -> None:
    found = diagnosis(facts(), facts(), facts(numpy="2"))
    assert found.problem() is None
    assert found.table() == "\n".join(
        [
            "check       driver  2 executors such as host0 7  executor host2 7  advice",
            "python      3.11.1  3.11.1                       3.11.1            ok",
            "tfspark     1       1                            1                 ok",
            "tensorflow  2.21    2.21                         2.21              ok",
            "pyarrow     20.0    20.0                         20.0              ok",
            "numpy       -       -                            2                 ok",
        ]
    )


def test_each_problem_has_advice_once() -> None:
    found = diagnosis(facts(tfspark="2"), facts(tfspark="2"), [*facts(), Fact("x", "y", "do z.")])
    assert found.advice.keys() == {"tfspark", "x"}
    assert found.advice["x"] == ["do z."]
    assert len(found.advice["tfspark"]) == 1
    problem = found.problem()
    assert isinstance(problem, EngineError)
    assert "2 checks need attention" in str(problem)


def test_workers_need_only_the_package_of_their_engine() -> None:
    without = [fact for fact in facts(openvino="2026.4") if fact.check != "tensorflow"]
    found = Diagnosis({"openvino"})
    found.add(DRIVER, facts())
    found.add_executors({"host 7": without})
    assert found.problem() is None
    assert "TensorFlow library" not in [fact.check for fact in Checkup({"openvino"})()]
    assert "TensorFlow library" in [fact.check for fact in Checkup({"tensorflow"})()]


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ([TimeLimitError("slow")], WorkerLostError),
        ([TimeLimitError("slow"), EngineError("bad")], EngineError),
    ],
)
def test_a_loss_alone_is_worth_another_try(errors: list[Any], kind: type) -> None:
    found = Diagnosis({"tensorflow"})
    for error in errors:
        with found.checking("model"):
            raise error
    assert type(found.problem()) is kind
    assert [*map(str, errors)] == found.advice["model"]


def test_a_cell_is_one_safe_line() -> None:
    assert aligned([["a", "b"], ["x\ny", "\x1b[1m"]]) == "a    b\nx y  \\x1b[1m"


def test_a_session_that_can_score(spark: SparkSession, linear: Path) -> None:
    found = diagnose(spark, str(linear), ScoreOptions(timeout=100.0))
    assert found.problem() is None, found.table()
    driver, executor = found.columns
    assert found.rows["model"][driver].startswith("linear_model version 1 (")
    assert found.rows["model"][executor] == "opens"
    assert found.rows["tensorflow"][executor] == found.rows["tensorflow"][driver]


def test_problems_are_in_the_table(linear: Path, end_of: Any, deadly: Any) -> None:
    missing = end_of(doctor.main, f"file:{linear}/nothing")
    assert missing.code == 65
    assert "There is no model folder" in missing.stdout

    deadly("tfspark.scoring.diagnosis", lambda: os.kill(os.getpid(), signal.SIGSEGV))
    crashed = end_of(doctor.main, linear)
    assert crashed.code == 65
    assert "native code crashed the Python worker. found: Segmentation fault" in crashed.stdout
    assert crashed.error.startswith("1 check needs attention")


def test_help_works_without_spark() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "tfspark.doctor", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "MODEL" in done.stdout
    assert "Exit codes: 0 all checks passed" in " ".join(done.stdout.split())
    assert not {"pyspark", "pyarrow", "tensorflow"} & {
        line.rpartition("|")[2].strip() for line in done.stderr.splitlines()
    }
