"""Finds the commits of jobs in the history of a table: Iceberg's snapshots, Delta's log. Driver.

Such a table commits the rows and a mark of the job in one transaction. If a later start finds the
mark, the rows are committed. The mark is lost when Iceberg expires the snapshot or Delta cleans up
its log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tfspark.spark.cluster.tables import commits_of_delta, summaries_of_iceberg

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_TOKEN, _REPORT = "tfspark.commit", "tfspark.report"


class History(Protocol):
    """The history of one table."""

    def mark(self, token: str, report: Mapping[str, Any]) -> dict[str, str]:
        """Return the options of a write that mark its commit.

        Args:
            token: Identifies the commit.
            report: The report of the run.
        """

    def settings(self, token: str, report: Mapping[str, Any]) -> dict[str, str]:
        """Return session settings that, besides the options, mark the creation of a table."""

    def marks(self) -> dict[str, Mapping[str, Any]]:
        """Return the marks of all commits in the history: token → report."""


@dataclass(frozen=True)
class IcebergHistory:
    """The snapshots of an Iceberg table."""

    spark: SparkSession
    name: str

    def mark(self, token: str, report: Mapping[str, Any]) -> dict[str, str]:
        """See `History.mark`."""
        facts = {_TOKEN: token, _REPORT: json.dumps(report)}
        return {f"snapshot-property.{key}": value for key, value in facts.items()}

    def settings(self, token: str, report: Mapping[str, Any]) -> dict[str, str]:  # noqa: ARG002
        """See `History.settings`."""
        return {}

    def marks(self) -> dict[str, Mapping[str, Any]]:
        """See `History.marks`."""
        found = summaries_of_iceberg(self.spark, self.name, _TOKEN, _REPORT)
        return {token: json.loads(report) for token, report in found}


@dataclass(frozen=True)
class DeltaHistory:
    """The log of a Delta table. Delta itself refuses to commit the same transaction twice."""

    spark: SparkSession
    name: str

    def mark(self, token: str, report: Mapping[str, Any]) -> dict[str, str]:
        """See `History.mark`."""
        text = self._text(token, report)
        return {"txnAppId": f"tfspark-{token}", "txnVersion": "1", "userMetadata": text}

    def settings(self, token: str, report: Mapping[str, Any]) -> dict[str, str]:
        """See `History.settings`. Delta ignores the options when it creates a table."""
        return {"spark.databricks.delta.commitInfo.userMetadata": self._text(token, report)}

    def _text(self, token: str, report: Mapping[str, Any]) -> str:
        return json.dumps({_TOKEN: token, _REPORT: report})

    def marks(self) -> dict[str, Mapping[str, Any]]:
        """See `History.marks`. Other programs may have written any text as metadata."""
        start = json.dumps({_TOKEN: ""})[:-2]
        texts = [text for text in commits_of_delta(self.spark, self.name) if text.startswith(start)]
        return {record[_TOKEN]: record[_REPORT] for record in map(json.loads, texts)}


_HISTORIES: Mapping[str, type[IcebergHistory] | type[DeltaHistory]] = {
    "iceberg": IcebergHistory,
    "delta": DeltaHistory,
}


def history_of(spark: SparkSession, name: str, provider: str) -> History | None:
    """Return the history of a table; `None` when its format has no history.

    Args:
        spark: The session.
        name: Quoted name of the table.
        provider: Its format; for a new table, the class of its catalog.
    """
    for word, kind in _HISTORIES.items():
        if word in provider.lower():
            return kind(spark, name)
    return None
