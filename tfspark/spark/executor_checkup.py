"""Runs a checkup on each executor, on classic sessions and on Spark Connect. Driver.

Spark cannot start exactly one task on each executor. So the job has several short tasks for each
slot. Each task waits a moment, so that no executor takes all of them. Only one answer of each
executor is used.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from time import sleep
from typing import Any, TypeAlias

import pyarrow as pa
from pyspark.sql import SparkSession

from tfspark.spark.cluster.pandas_check import check_pandas
from tfspark.spark.cluster.session_kind import is_classic
from tfspark.spark.cluster.tasks import task_slots
from tfspark.spark.worker.checkup import Checkup, Fact, place

_log = logging.getLogger(__name__)

# Executor → its facts.
Answers: TypeAlias = dict[str, list[Fact]]

_PAUSE_SECONDS = 0.1
_TASKS_PER_SLOT = 2
# On Connect, the number of slots is not known.
_TASKS_ON_CONNECT = 32
_ROUNDS = 3

_SCHEMA = "executor string, check string, found string, advice string"


def ask_executors(spark: SparkSession, checkup: Checkup) -> Answers:
    """Return the facts of every executor that ran a task.

    Raises:
        PySparkException: When a task fails; `naming_lost_workers` explains it.
    """
    check_pandas("mapInArrow")
    expected, tasks = _expected(spark), _tasks(spark)
    found: Answers = {}
    for _ in range(_ROUNDS):
        found |= _ask(spark, checkup, tasks)
        if len(found) >= expected:
            break
    else:
        _log.warning("%d of %d executors answered; run the doctor again", len(found), expected)
    return dict(sorted(found.items()))


def _ask(spark: SparkSession, checkup: Checkup, tasks: int) -> Answers:
    def ask(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            facts = checkup()
            sleep(_PAUSE_SECONDS)
            rows = [{"executor": place(), **fact._asdict()} for fact in facts]
            yield pa.RecordBatch.from_pylist(rows)

    answers: dict[str, dict[str, Fact]] = {}
    for row in spark.range(0, tasks, 1, tasks).mapInArrow(ask, _SCHEMA).collect():
        fact = Fact(row["check"], row["found"], row["advice"])
        answers.setdefault(row["executor"], {})[fact.check] = fact
    return {executor: list(facts.values()) for executor, facts in answers.items()}


def _expected(spark: SparkSession) -> int:
    """Return the number of executors; 1 on Connect, where it is unknown."""
    if not is_classic(spark):
        return 1
    context: Any = spark.sparkContext
    # The list includes the driver. In a local session, the driver itself runs the tasks.
    return max(int(context._jsc.sc().getExecutorMemoryStatus().size()) - 1, 1)


def _tasks(spark: SparkSession) -> int:
    return _TASKS_PER_SLOT * task_slots(spark) if is_classic(spark) else _TASKS_ON_CONNECT
