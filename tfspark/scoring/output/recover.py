"""Recovers an output without running a job. Driver."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from tfspark.errors import UsageError
from tfspark.scoring.output.lock import Lock
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.output.places import Places
from tfspark.scoring.output.recovery import Recovery
from tfspark.scoring.output.session_tables import SessionTables
from tfspark.scoring.output.stores import resolve_links, store_of
from tfspark.scoring.output.table_name import location_of, table_name
from tfspark.spark.cluster.files import HadoopFiles

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def recover(spark: SparkSession, output: str) -> list[str]:
    """Finish or remove the work of dead jobs beside a folder or a table.

    Args:
        spark: A classic session, whose file systems reach the folder.
        output: Path or URI of the output folder, or the name of a table. If the text can be a path
            or a table name, such as `scores`, both are tried.

    Returns:
        The runs that had decided to publish before they died; their rows are now published. If the
        same command is run again, it finds its job done.

    Raises:
        OutputBusyError: A live job writes to the output.
    """
    return [run for folder in _folders(spark, output) for run in recover_folder(spark, folder)]


def is_there(spark: SparkSession, output: str) -> bool:
    """Whether there is an output, or something that a job left beside it."""
    stores = [store_of(spark, folder.rstrip("/")) for folder in _folders(spark, output)]
    if any(store.exists(root) or store.exists(Places(root).hidden) for store, root in stores):
        return True
    return "/" not in output and _is_table(spark, output)


def _is_table(spark: SparkSession, text: str) -> bool:
    """Whether there is a table or view, in any catalog; it may have no folder."""
    try:
        return bool(spark.catalog.tableExists(table_name(spark, text).quoted))
    except UsageError:
        return False


def _folders(spark: SparkSession, output: str) -> list[str]:
    """Return the folders that the name of an output can mean."""
    folders = [resolve_links(HadoopFiles(spark, output).qualified(output))]
    return folders if "/" in output else [*folders, *_folder_of_table(spark, output)]


def _folder_of_table(spark: SparkSession, text: str) -> list[str]:
    """Return the folder of a table; empty when the text cannot be a table name."""
    try:
        folder = location_of(spark, table_name(spark, text))
    except UsageError:
        return []
    return [HadoopFiles(spark, folder).qualified(folder)] if folder else []


def recover_folder(spark: SparkSession, folder: str) -> list[str]:
    """Recover the output in a folder; return the run ids of the jobs that are now published.

    Args:
        spark: The session.
        folder: The qualified path of the folder, behind its links.
    """
    store, root = store_of(spark, folder.rstrip("/"))
    places = Places(root)
    if not store.exists(places.hidden):
        return []
    lock = Lock(store, places, f"recovery-{uuid4().hex}", Owner.this_process())
    try:
        lock.acquire()
        recovery = Recovery(lock, tables=SessionTables(spark, folder.rstrip("/")))
        recovery.run()
    finally:
        lock.release()
    return [journal.run for journal in recovery.published]
