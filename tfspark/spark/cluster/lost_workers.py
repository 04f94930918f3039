"""Explains why a process of Spark ended in the middle of a task. Driver.

Takes the failure that Spark reports when a Python worker or an executor is gone, and returns a
typed error that names the model and the task. A crash in native code is an error of the model. A
process that told nothing was probably killed; then the same command may succeed.

Spark shows what Python says of a crash if `spark.python.worker.faulthandler.enabled` is set, as the
jobs do. A model that exceeds its time limit says so in the same way; see `worker.time_limit`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from tfspark.errors import EngineError, TfsparkError, WorkerLostError, explain
from tfspark.foreign_text import one_line
from tfspark.spark.cluster.failures import from_worker

# Partition → what its task was doing, in words.
TaskInWords: TypeAlias = Callable[[int], str]

_WORKER = re.compile(r"Python worker exited unexpectedly \(crashed\)")
_EXECUTOR = re.compile(r"ExecutorLostFailure \(executor (\S+) .*?Reason: (.*)")
_CRASH = re.compile(r"^.*Fatal Python error: (.+)", re.M)
_TASK = re.compile(r"Task (\d+) in stage \S+ failed (\d+) times")

_SIGNALS = {
    "Illegal instruction": "this TensorFlow needs instructions that the CPU of the worker lacks; "
    "install a build for it.",
    "Bus error": "a file of the model was shortened while it was in use, or the disk is full.",
}
_OF_A_MODEL = (
    "run the model alone in TensorFlow, which should crash too; export it again, or install "
    "another version of TensorFlow."
)


@contextmanager
def naming_lost_workers(subject: str, task: TaskInWords = "partition {}".format) -> Iterator[None]:
    """Raise a typed error if a process of Spark ends in a task of the block.

    Args:
        subject: What the tasks use, such as `model m (123abc)`, for the message.
        task: Returns what the task of a partition works on.

    Raises:
        EngineError: After a crash in native code.
        WorkerLostError: After any other end.
        TfsparkError: What a worker raised before it ended, such as `TimeLimitError`.
    """
    try:
        yield
    except Exception as error:
        own = None if isinstance(error, TfsparkError) else lost(error, subject, task)
        if own is None:
            raise
        raise own from error


def lost(
    error: BaseException, subject: str, task: TaskInWords = "partition {}".format
) -> TfsparkError | None:
    """Return the error of a process that ended; `None` for any other failure."""
    text = str(error)
    executor = _EXECUTOR.search(text)
    if not _WORKER.search(text) and executor is None:
        return None
    if told := from_worker(error):
        return told
    failed = _TASK.search(text)
    where = one_line(subject + (f", {task(int(failed.group(1)))}" if failed else ""))
    times = f" {failed.group(2)} times" if failed and failed.group(2) != "1" else ""
    if crash := _CRASH.search(text):
        reason = crash.group(1).strip()
        hint = _SIGNALS.get(reason, _OF_A_MODEL)
        problem = f"{where}: native code crashed the Python worker{times}."
        return EngineError(explain(problem, found=reason, hint=hint))
    found = (
        f"executor {executor.group(1)}: {executor.group(2)}" if executor else "it gave no reason"
    )
    return WorkerLostError(
        explain(
            f"{where}: a process of Spark ended during the task{times}.",
            found=found,
            hint="if the system killed it for its memory, give executors more (such as "
            "spark.executor.memoryOverhead), or score fewer rows at a time with --batch-size; then "
            "run the same command again.",
        )
    )
