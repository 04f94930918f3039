"""Explains why a process of Spark ended in the middle of a task. Driver.

Spark reports a failure when a Python worker or an executor ends. `lost` converts it to a typed
error that names the model and the task. A crash in native code is an error of the model. A process
that gave no reason was probably killed; the same command may then succeed.

Spark includes Python's crash report if `spark.python.worker.faulthandler.enabled` is set; the jobs
set it. A worker whose model exceeds the time limit reports it the same way; see
`worker.time_limit`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from tfspark.errors import EngineError, TfsparkError, WorkerLostError, explain
from tfspark.foreign_text import one_line
from tfspark.spark.cluster.failures import from_worker

# Partition → the work of its task, as text.
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
    """Raise a typed error if a process of Spark ends during a task of the block.

    Args:
        subject: The subject of the message, such as `model m (123abc)`.
        task: Describes the task of a partition.

    Raises:
        EngineError: After a crash in native code.
        WorkerLostError: When a process ended for another reason.
        TfsparkError: A worker raised it before it ended, such as `TimeLimitError`.
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
    """Return the typed error if a process of Spark ended; `None` for any other failure."""
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
            hint="if the system killed it because it used too much memory, give the executors more "
            "(spark.executor.memoryOverhead; on one machine, fewer cores, such as --master "
            "local[2]), or score fewer rows at a time (--batch-size of the batch job); then run "
            "the same command again.",
        )
    )
