"""One table of exit codes: the errors, the help of the jobs and their page agree with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from py4j.protocol import Py4JNetworkError

from jobs import batch_score, sql_score
from tfspark import errors
from tfspark.scoring.batch import finish_job, new_report
from tfspark.scoring.exit_codes import EXIT_CODES, in_words
from tfspark.scoring.output.protocol import publish
from tfspark.scoring.report import Report
from tfspark.scoring.run_job import run_job

ROOT = Path(__file__).parents[2]


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def test_each_error_has_a_code_of_the_table() -> None:
    found = {one.exit_code for one in vars(errors).values() if hasattr(one, "exit_code")}
    assert found <= set(EXIT_CODES)


def test_the_page_of_the_jobs_has_the_table() -> None:
    assert in_words() in in_one_line((ROOT / "jobs" / "README.md").read_text())


@pytest.mark.parametrize("job", [batch_score, sql_score])
def test_the_help_has_the_table(job: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    assert in_words() in in_one_line(job.new_parser().format_help())


IN_A_TASK = """Job aborted due to stage failure: Task 0 in stage 1.0 failed 1 times
org.apache.spark.api.python.PythonException: Traceback (most recent call last):
  File "part_file.py", line 38, in add
OSError: [Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device

\tat org.apache.spark.api.python.BasePythonRunner$ReaderIterator.handle(PythonRunner.scala:1)
"""
IN_THE_JVM = """An error occurred while calling o1.save.
: org.apache.spark.SparkException: Job aborted.
\tat org.apache.spark.A.b(A.scala:1)
Caused by: java.io.IOException: No space left on device
\tat java.base/java.io.FileOutputStream.writeBytes(Native Method)
"""


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (RuntimeError("something"), 70, "The job failed."),
        (RuntimeError("Caused by: java.lang.NullPointerException: x"), 70, "The job failed."),
        (OSError(28, "No space left on device"), 74, "could not read or write"),
        (RuntimeError(IN_A_TASK), 74, "No space left on device"),
        (RuntimeError(IN_THE_JVM), 74, "java.io.IOException: No space left on device"),
        (
            RuntimeError(
                "Caused by: org.apache.hadoop.hdfs.protocol.DSQuotaExceededException: The quota"
            ),
            74,
            "The quota",
        ),
        (
            RuntimeError(
                "Task 3 in stage 1.0 failed 4 times: Python worker exited unexpectedly (crashed)"
            ),
            75,
            "the job, partition 3: a process of Spark ended",
        ),
        (Py4JNetworkError("Answer from Java side is empty"), 75, "JVM of Spark's driver ended"),
        (errors.RowError("row 3"), 65, "row 3"),
    ],
)
def test_an_error_ends_the_job_with_the_code_of_its_kind(
    error: Exception, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def job() -> str:
        raise error

    assert run_job(job) == code
    assert words in capsys.readouterr().err


@dataclass
class Target:
    """An output whose publication fails, after or before the rows are decided."""

    is_decided: bool

    def publish(self, account: Any) -> None:
        raise OSError("disk gone")

    def acknowledge(self) -> None:
        raise Py4JNetworkError("Answer from Java side is empty")


def test_rows_that_are_decided_are_not_told_to_be_lost() -> None:
    target: Any = Target(is_decided=True)
    with pytest.raises(errors.UnfinishedOutputError, match="publishes the rest and scores nothing"):
        publish(target, target, {})


def test_a_failure_before_the_decision_stays_what_it_is() -> None:
    target: Any = Target(is_decided=False)
    with pytest.raises(OSError, match="disk gone"):
        publish(target, target, {})


def test_a_jvm_that_dies_after_the_rows_are_shown_ends_no_job() -> None:
    def save(report: Report) -> None:
        raise Py4JNetworkError("Answer from Java side is empty")

    target: Any = Target(is_decided=True)
    finish_job(target, new_report("test"), save)
