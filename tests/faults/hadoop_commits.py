"""A job without tasks that writes text files to a Hadoop file system."""

from __future__ import annotations

from tests.faults.stopping_store import Killing, Stopping
from tests.faults.test_commit_faults import PARTS, killed
from tfspark.scoring.output.commit import Commit
from tfspark.scoring.output.journal import JobKey, Mode
from tfspark.scoring.output.lock import Lock
from tfspark.scoring.output.places import Places
from tfspark.spark.cluster.hadoop_store import HadoopStore


class StoppingHadoopStore(Stopping, HadoopStore):
    """A Hadoop file system; stops its job before one operation."""


class KillingHadoopStore(Killing, HadoopStore):
    """A Hadoop file system; kills its process before one operation."""


def run(store: HadoopStore, output: str, mode: Mode, number: int, run_id: str = "") -> None:
    """Run a job without tasks, with text files."""
    commit = Commit(Lock(store, Places(output), f"A{number}", killed()))
    try:
        if commit.begin(JobKey("A", run_id)):
            commit.acknowledge()
            return
        commit.open_work()
        new = f"{commit.work}/new"
        store.make(new)
        there = {store.read(f"{new}/{name}") for name in store.names(new)}
        for part in PARTS:
            if part not in there:
                store.create(f"{new}/A{number}-{part}", part)
        commit.publish(mode, store.names(new), {})
        commit.acknowledge()
    finally:
        commit.lock.silence()
