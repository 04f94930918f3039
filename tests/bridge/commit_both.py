"""The commits of Python and Scala on the same folders, in one JVM: see test_bridge_commit.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from py4j.protocol import Py4JJavaError
from pyspark.java_gateway import ensure_callback_server_started
from pyspark.sql import SparkSession

from tests.faults.stopping_store import Stopped, StoppingStore
from tests.faults.test_commit_faults import OLD, PARTS, Job, after, killed, rows
from tfspark.errors import OutputBusyError
from tfspark.scoring import recover
from tfspark.scoring.output.journal import Mode
from tfspark.scoring.output.lock import Lock
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.output.places import Places

Side = Literal["python", "scala"]
EVER = 10_000


class Stop:
    """Stops a job in Scala before an operation, as `StoppingStore` stops one in Python."""

    def __init__(self, allowed: int) -> None:
        self.left = allowed

    def accept(self, operation: str) -> None:
        if self.left == 0:
            raise ValueError(f"stopped before {operation}")
        self.left -= 1

    class Java:
        implements = ("java.util.function.Consumer",)


class SmallJob(Protocol):
    """The common interface of a job in both languages."""

    name: str
    mode: Mode
    output: Path

    def ends(self, allowed: int = EVER, owner: Owner | None = None) -> str: ...


class PythonJob(Job):
    """A job in Python."""

    def ends(self, allowed: int = EVER, owner: Owner | None = None) -> str:
        try:
            return self.run(StoppingStore(allowed), owner)
        except Stopped:
            return "stopped"
        except OutputBusyError as error:
            return str(error)


class ScalaJob:
    """The same job in Scala, which keeps no parts."""

    def __init__(
        self, spark: SparkSession, output: Path, name: str, mode: Mode, run_id: str = ""
    ) -> None:
        self.output, self.name, self.mode, self.run_id = output, name, mode, run_id
        self._session, self._jvm = spark._jsparkSession, cast("Any", spark._jvm)
        self._commit: Any = self._jvm.io.tfspark.jobs.commit
        self._runs = 0

    def ends(self, allowed: int = EVER, owner: Owner | None = None) -> str:
        return self._ends(Stop(allowed), owner or killed())

    def _ends(self, stop: Stop, owner: Owner) -> str:
        self._runs += 1
        lock = self._lock(stop, owner)
        try:
            return self._run(self._commit_of(lock))
        except Py4JJavaError as error:
            return "stopped" if stop.left == 0 else str(error.java_exception.getMessage())
        finally:
            lock.silence()

    def _lock(self, stop: Stop, owner: Owner) -> Any:
        store = self._commit.WatchedStore(self._commit.LocalStore(), stop)
        places = self._commit.HiddenFolder(str(self.output))
        holder = self._commit.Owner(owner.host, owner.machine, owner.pid, owner.started, owner.user)
        lease = self._jvm.scala.concurrent.duration.Duration.apply("120 s")
        return self._commit.Lock(store, places, f"S{self._runs}", holder, lease)

    def _commit_of(self, lock: Any) -> Any:
        folder = self._jvm.org.apache.hadoop.fs.Path(f"file:{self.output}")
        tables = self._jvm.io.tfspark.jobs.SessionTables(self._session, folder)
        return self._commit.Commit(lock, tables)

    def _run(self, commit: Any) -> str:
        if commit.begin(self._commit.JobKey(self.name, self.run_id)).isDefined():
            commit.acknowledge()
            return "already done"
        commit.openWork()
        written = Path(commit.work(), "spark")
        written.mkdir()
        names = [f"S{self._runs}-{part}" for part in PARTS]
        for name, part in zip(names, PARTS, strict=True):
            (written / name).write_text(f"{self.name}.{part}")
        commit.count("spark", self._seq(names))
        commit.publish(self.mode, self._seq(names), self._report(), self._jvm.scala.Option.empty())
        commit.acknowledge()
        return "done"

    def _seq(self, texts: list[str]) -> Any:
        return self._jvm.scala.jdk.javaapi.CollectionConverters.asScala(texts).toSeq()

    def _report(self) -> Any:
        node = self._jvm.com.fasterxml.jackson.databind.ObjectMapper().createObjectNode()
        return node.put("run", f"S{self._runs}")


class Both:
    """Jobs of both languages, each on its own folder."""

    def __init__(self, spark: SparkSession, root: Path) -> None:
        ensure_callback_server_started(spark.sparkContext._gateway)
        self.spark, self.root = spark, root
        self._folders = 0

    def job(self, side: Side, output: Path, name: str, mode: Mode, run_id: str = "") -> SmallJob:
        if side == "python":
            return PythonJob(output, name, mode, run_id)
        return ScalaJob(self.spark, output, name, mode, run_id)

    def recover(self, side: Side, output: Path) -> None:
        if side == "python":
            recover(self.spark, str(output))
        else:
            jvm: Any = self.spark._jvm
            jvm.io.tfspark.jobs.Recover.apply(self.spark._jsparkSession, str(output))

    def output(self, there: list[str] | None) -> Path:
        self._folders += 1
        output = self.root / str(self._folders) / "out"
        (output if there else output.parent).mkdir(parents=True)
        if there:
            (output / "old").write_text(*there)
        return output

    def stopped(self, side: Side, mode: Mode, there: list[str] | None) -> Iterator[SmallJob]:
        """Yield jobs that were stopped before operation 0, 1, 2, … until a job finishes."""
        for allowed in range(EVER):
            job = self.job(side, self.output(there), "A", mode)
            if job.ends(allowed) != "stopped":
                assert allowed > 15
                return
            yield job

    def recovered(self, side: Side, mode: Mode, there: list[str] | None) -> list[str]:
        """Stop jobs in one language, recover in the other, run again; return the problems."""
        wrong = []
        for job in self.stopped(side, mode, there):
            seen = rows(job.output)
            self.recover(_other(side), job.output)
            between = rows(job.output)
            ended = job.ends()
            is_decided = ended == "already done"
            expected = after(there, job)  # type: ignore[arg-type]
            is_right = (
                between == (expected if is_decided else there)
                and (is_decided or seen == there)
                and rows(job.output) == expected
                and [path.name for path in job.output.parent.iterdir()] == ["out"]
            )
            if not is_right:
                wrong.append(f"{seen} {between} {ended} {rows(job.output)}")
        return wrong

    def refused(self, side: Side) -> str:
        """Hold the lock in the other language; return how a job ends."""
        output, owner = self.output(None), Owner.this_process()
        if side == "scala":
            held: Any = Lock(StoppingStore(), Places(str(output)), "A1", owner)
            release = held.release
        else:
            job = ScalaJob(self.spark, output, "A", "append")
            held = job._lock(Stop(EVER), owner)
            release = job._commit_of(held).abandon
        held.acquire()
        ended = self.job(side, output, "B", "append").ends(owner=owner)
        release()
        assert not list(output.parent.iterdir())
        return ended

    def done_before(self, side: Side) -> list[Any]:
        """Run one run id in both languages; return how each job ended, and the rows."""
        output = self.output(OLD)
        sides: tuple[Side, ...] = (side, _other(side), side)
        jobs = [self.job(one, output, f"of-{one}", "append", "monday") for one in sides]
        return [[job.ends() for job in jobs], rows(output)]

    def knows_that_it_ended(self) -> list[bool]:
        """Whether Scala detects that this process runs and that another one has ended."""
        jvm: Any = self.spark._jvm
        alive, own = Owner.this_process(), []
        for owner in (alive, replace(alive, started="0"), replace(alive, machine="another")):
            fields = (owner.host, owner.machine, owner.pid, owner.started, owner.user)
            own.append(bool(jvm.io.tfspark.jobs.commit.Owner(*fields).hasEnded()))
        return own


def _other(side: Side) -> Side:
    return "scala" if side == "python" else "python"


def everything(spark: SparkSession, root: str) -> dict[str, Any]:
    """Return the results that the tests check."""
    both = Both(spark, Path(root))
    sides: tuple[Side, ...] = ("python", "scala")
    cases: tuple[tuple[Mode, list[str] | None], ...] = (
        ("error", None),
        ("overwrite", OLD),
        ("append", OLD),
    )
    found: dict[str, Any] = {"ended": both.knows_that_it_ended()}
    for side in sides:
        for mode, there in cases:
            found[f"{side} {mode}"] = both.recovered(side, mode, there)
        found[f"{side} refused"] = both.refused(side)
        found[f"{side} done"] = both.done_before(side)
    return found
