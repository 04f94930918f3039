"""The checkpoint of a stream: its query id, and where its records are. Driver."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tfspark.errors import UsageError, explain
from tfspark.scoring.output.local_store import LocalStore
from tfspark.scoring.output.store import Store
from tfspark.scoring.output.stores import store_of
from tfspark.spark.cluster.files import HadoopFiles, local_path
from tfspark.spark.cluster.session_kind import is_classic
from tfspark.streaming.records import Records

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_QUERY = "sql.streaming.queryId"


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint of one stream.

    Attributes:
        path: The path that the user gave.
        store: Its file system.
        root: Its folder, in the form that the store takes.
    """

    path: str
    store: Store
    root: str

    @classmethod
    def at(cls, spark: SparkSession, path: str) -> Checkpoint:
        """Return the checkpoint at a path or URI.

        Raises:
            UsageError: When Spark has no file system for the URI, or when this is Spark Connect and
                the path is not a local one.
        """
        if is_classic(spark):
            qualified = HadoopFiles(spark, path).qualified(path)
            return cls(path, *store_of(spark, qualified.rstrip("/")))
        local = local_path(path)
        if local is None:
            raise UsageError(
                explain(
                    "On Spark Connect, the checkpoint of a stream must be a local path of the "
                    "server, because the versions are recorded there by Python.",
                    expected="a path of the server, such as a mounted volume",
                    found=path,
                    hint="use a classic session for other file systems.",
                )
            )
        return cls(path, LocalStore(), str(Path(local).absolute()))

    @property
    def records(self) -> Records:
        """The records of the stream."""
        return Records(self.store, f"{self.root}/tfspark")

    def query_id(self, spark: SparkSession, batch: int) -> str:
        """Return the id of the stream, which does not change when it is started again.

        Args:
            spark: The session of the stream.
            batch: The micro-batch that runs; this checkpoint must have begun it.

        Raises:
            UsageError: When this is not the checkpoint of the stream that runs.
        """
        text = self.store.read(f"{self.root}/metadata")
        found = "" if text is None else str(json.loads(text)["id"])
        running = spark.sparkContext.getLocalProperty(_QUERY) if is_classic(spark) else None
        is_begun = self.store.exists(f"{self.root}/offsets/{batch}")
        if found and is_begun and running in (None, found):
            return found
        raise UsageError(
            explain(
                f"{self.path} is not the checkpoint of the stream that runs, so the version of a "
                "micro-batch cannot be recorded.",
                expected=f"the checkpoint of query {running or 'that runs'}",
                found=f"query {found}" if found else "no checkpoint",
                hint="start the stream with score.writer(stream), or set the writer's option "
                "checkpointLocation to the same path.",
            )
        )
