"""Converts Spark's messages about lost processes to our errors."""

from __future__ import annotations

import pytest

from tfspark.errors import EngineError, TfsparkError, TimeLimitError, WorkerLostError
from tfspark.spark.cluster.lost_workers import lost, naming_lost_workers

FAILED = """Job aborted due to stage failure: Task 3 in stage 1.0 failed {times} times, \
most recent failure: Lost task 3.{last} in stage 1.0 (TID 5) (host executor 2): {reason}
\tat org.apache.spark.api.python.BasePythonRunner$ReaderIterator$$anonfun$1.applyOrElse(P.scala:1)
\tat java.base/java.lang.Thread.run(Thread.java:840)
"""
WORKER = "org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)"
SEGFAULT = """: Fatal Python error: Segmentation fault

Current thread 0x00007f (most recent call first):
  File "native.py", line 90 in run
"""
SLOW = """:
tfspark.errors.TimeLimitError: model m (abc), partition 3: the model did not load within 1 s.
Hint: give it more time.

"""
EXECUTOR = (
    "ExecutorLostFailure (executor 2 exited caused by one of the running tasks) Reason: Container "
    "killed by YARN for exceeding physical memory limits."
)


def failure(reason: str, times: int = 4) -> RuntimeError:
    return RuntimeError(FAILED.format(reason=reason, times=times, last=times - 1))


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (failure(WORKER + SEGFAULT), EngineError, "found:    Segmentation fault"),
        (failure(WORKER + SEGFAULT), EngineError, "native code crashed the Python worker 4 times."),
        (
            failure(WORKER + SEGFAULT.replace("Segmentation fault", "Illegal instruction")),
            EngineError,
            "instructions that the CPU of the worker lacks",
        ),
        (failure(WORKER), WorkerLostError, "a process of Spark ended during the task 4 times."),
        (failure(WORKER + ": \n", 1), WorkerLostError, "ended during the task."),
        (failure(EXECUTOR), WorkerLostError, "executor 2: Container killed by YARN for exceeding"),
    ],
)
def test_the_end_of_a_process_is_typed_and_placed(
    error: RuntimeError, kind: type[TfsparkError], words: str
) -> None:
    with (
        pytest.raises(kind) as caught,
        naming_lost_workers("model m (abc)", "split {} of a".format),
    ):
        raise error
    assert words in str(caught.value)
    assert "model m (abc), split 3 of a: " in str(caught.value)
    assert "Hint: " in str(caught.value)


def test_a_model_that_exceeds_its_limit_says_so_itself() -> None:
    found = lost(failure(WORKER + SLOW), "another")
    assert isinstance(found, TimeLimitError)
    assert str(found) == (
        "model m (abc), partition 3: the model did not load within 1 s.\nHint: give it more time."
    )


def test_other_failures_pass() -> None:
    assert lost(failure("java.lang.NullPointerException"), "m") is None
    with pytest.raises(WorkerLostError, match="typed"), naming_lost_workers("m"):
        raise WorkerLostError("typed")
