"""The operator on separate executors: the model is sent, and a lost executor loses no row."""

from __future__ import annotations

import pytest

from tests.bridge.conftest import MODELS, Start
from tests.shell import SHORT_RUN

KILL = """
import os, signal, threading
from pyspark.sql import functions as sf

def executors():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\\0")
        except OSError:
            continue
        if spark.sparkContext.applicationId.encode() in words and any(
            word.endswith(b"CoarseGrainedExecutorBackend") for word in words
        ):
            found.append(int(pid))
    return found

def score():
    rows = spark.range(0, 640_000, 1, 64).selectExpr("id", "float(id % 1000) AS x")
    y = rows.selectExpr("id", "x", f"tf_predict('{LINEAR}', x, 1) AS y")
    (row,) = y.selectExpr("count(*)", "sum(y)", "count_if(y != 2 * x + 2)").collect()
    return list(row)

spark.conf.set("spark.tfspark.batchSize", "20")
spark.range(2).count()  # starts when both executors are there
first = executors()
result = []
thread = threading.Thread(target=lambda: result.append(score()))
thread.start()
tracker = spark.sparkContext.statusTracker()
while thread.is_alive():
    stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    if any(stage and stage.numCompletedTasks >= 8 for stage in stages):
        break
    thread.join(0.01)
os.kill(first[0], signal.SIGKILL)
thread.join()
answer([len(first), result[0], len(set(first) - set(executors()))])
"""


@pytest.mark.slow
def test_a_killed_executor_loses_no_row(start: Start) -> None:
    settings = {
        "spark.master": "local-cluster[2,1,1024]",
        "spark.cores.max": 2,
        "spark.scheduler.minRegisteredResourcesRatio": 1.0,
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
        "spark.executor.extraJavaOptions": SHORT_RUN,
        "spark.tfspark.model.roots": MODELS,
    }
    with start(settings) as session:
        found = session.ask(f"LINEAR = {str(MODELS / 'linear')!r}\n{KILL}")
    executors, (rows, total, wrong), gone = found
    assert (executors, gone) == (2, 1)
    assert (rows, wrong) == (640_000, 0)
    assert total == 640_000 * 1001.0
