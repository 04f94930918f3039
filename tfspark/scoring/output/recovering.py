"""Recovers an output without running a job. Driver."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from tfspark.scoring.output.lock import Lock
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.output.places import Places
from tfspark.scoring.output.recover import Recovery
from tfspark.scoring.output.stores import store_of
from tfspark.spark.cluster.files import HadoopFiles

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def recover(spark: SparkSession, output: str) -> list[str]:
    """Finish or remove what dead jobs left beside a folder.

    Args:
        spark: A classic session, whose file systems reach the folder.
        output: Path or URI of the folder that the jobs wrote.

    Returns:
        The runs whose rows were decided and are published now. The same command, given again, finds
        its job done.

    Raises:
        OutputBusyError: A live job writes to the folder.
    """
    store, root = store_of(spark, HadoopFiles(spark, output).qualified(output).rstrip("/"))
    places = Places(root)
    if not store.exists(places.hidden):
        return []
    lock = Lock(store, places, f"recovery-{uuid4().hex}", Owner.this_process())
    lock.acquire()
    try:
        recovery = Recovery(lock)
        recovery.run()
    finally:
        lock.release()
    return [journal.run for journal in recovery.published]
