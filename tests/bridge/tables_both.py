"""Jobs of Python and Scala into the same table, in one JVM: see test_bridge_commit.py."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.bridge.commit_both import ScalaJob, Side, Stop, killed
from tests.faults.stopping_store import Stopped, StoppingStore
from tests.faults.test_table_faults import NEW, OLD, Job, made
from tfspark.scoring import recover
from tfspark.scoring.output import folder
from tfspark.scoring.output.journal import Mode
from tfspark.scoring.output.owner import Owner

SCHEMA = "both"

# Step → whether a job is stopped before this operation, given the operation before it.
STEPS: dict[str, Callable[[str, str], bool]] = {
    "before the journal": lambda now, _: now.startswith("rename") and "/draft" in now,
    "after the journal": lambda _, last: last.startswith("rename") and "/draft" in last,
    "after the catalog": lambda now, _: now.startswith("rename") and "/done-" in now,
}
# Mode, whether the table exists, its partition column, step.
CASES: tuple[tuple[Mode, bool, str, str], ...] = (
    ("error", False, "", "before the journal"),
    ("error", False, "g", "after the journal"),
    ("overwrite", True, "g", "after the journal"),
    ("append", True, "g", "after the journal"),
    ("append", True, "", "after the catalog"),
)


class StepStop(Stop):
    """Stops a job in Scala at a step."""

    def __init__(self, step: str) -> None:
        super().__init__(-1)
        self._step, self._last = step, ""

    def accept(self, operation: str) -> None:
        if self._step and STEPS[self._step](operation, self._last):
            self.left = 0
        self._last = operation
        super().accept(operation)


class StepStore(StoppingStore):
    """Stops a job in Python at a step."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name in ("rename", "exchange", "make") and self.step:
            return lambda *paths: self._checked(f"{name} {paths}", found, paths)
        return found

    def _checked(self, now: str, do: Callable[..., Any], paths: tuple[str, ...]) -> Any:
        last = self.done[-1] if self.done else ""
        if not self._inside and STEPS[self.step](now, last):
            raise Stopped(now)
        return do(*paths)


class PythonTableJob(Job):
    """A job in Python that can be stopped at a step."""

    def ends(self, step: str = "") -> str:
        with pytest.MonkeyPatch.context() as patch:
            store, dead = StepStore(step), killed()
            patch.setattr(folder, "store_of", lambda _, path: (store, path[5:]))
            patch.setattr(Owner, "this_process", lambda: dead)
            try:
                return self.run()
            except Stopped:
                return "stopped"


class ScalaTableJob(ScalaJob):
    """The same job in Scala; Spark's Python API writes its files."""

    def __init__(self, job: Job) -> None:
        super().__init__(job.spark, job.warehouse / "y", "digest", job.mode)
        self.job = job

    def ends(self, step: str = "") -> str:  # type: ignore[override]
        return self._ends(StepStop(step), killed())

    def _run(self, commit: Any) -> str:
        spark, table = self.job.spark, f"{SCHEMA}.y"
        if commit.begin(self._commit.JobKey(self.name, "")).isDefined():
            commit.acknowledge()
            return "already done"
        there = spark.catalog.tableExists(table)
        by = self._partitions(table) if there else list(self.job.target.partition_by)
        commit.openWork()
        staged = f"`{SCHEMA}`.`y__tfspark_S{self._runs}`"
        commit.noteTable(staged)
        rows = spark.sql(f"SELECT * FROM VALUES {NEW[0]}, {NEW[1]} AS t(v, g)").coalesce(1)
        written = Path(commit.work(), "spark")
        rows.write.partitionBy(*by).option("path", str(written)).saveAsTable(staged)
        if there:
            spark.sql(f"DROP TABLE {staged}")
        files = [str(one.relative_to(written)) for one in written.rglob("part-*")]
        commit.count("spark", self._seq(files))
        record = self._commit.TableRecord(
            f"`{SCHEMA}`.`y`", f"file:{self.output}", self._seq(by), "" if there else staged
        )
        option = self._jvm.scala.Option.apply(record)
        commit.publish(self.mode, self._seq(files), self._report(), option)
        commit.acknowledge()
        return "done"

    def _partitions(self, table: str) -> list[str]:
        columns = self.job.spark.catalog.listColumns(table)
        return [column.name for column in columns if column.isPartition]


def recovered(spark: SparkSession, side: Side) -> list[str]:
    """Stop jobs in one language, recover in the other, run again; return the problems."""
    problems = []
    for mode, is_there, by, step in CASES:
        spark.sql(f"CREATE SCHEMA {SCHEMA}")
        job = PythonTableJob(spark, SCHEMA, mode, "" if is_there else by, "")
        if is_there:
            made(spark, SCHEMA, by)
        try:
            found = _stopped_and_recovered(spark, side, job, step)
        finally:
            place = job.warehouse
            spark.sql(f"DROP SCHEMA {SCHEMA} CASCADE")
            shutil.rmtree(place, ignore_errors=True)
        old = OLD if is_there else None
        new = sorted([*OLD, *NEW] if mode == "append" else NEW)
        is_decided = step != "before the journal"
        between, ended = (new, "already done") if is_decided else (old, "done")
        expected = ["stopped", between, ended, new, (["y"], ["y"])]
        if found != expected:
            problems.append(f"{mode} {step}: {found} instead of {expected}")
    return problems


def _stopped_and_recovered(
    spark: SparkSession, side: Side, job: PythonTableJob, step: str
) -> list[Any]:
    own = job if side == "python" else ScalaTableJob(job)
    stopped = own.ends(step)
    if side == "scala":
        recover(spark, f"{SCHEMA}.y")
    else:
        jvm: Any = spark._jvm
        jvm.io.tfspark.jobs.Recover.apply(spark._jsparkSession, f"{SCHEMA}.y")
    between = job.rows()
    return [stopped, between, own.ends(), job.rows(), job.names()]
