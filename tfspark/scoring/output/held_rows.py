"""Scored rows that wait on the workers' disks until they are counted. Driver.

They are used for tables that take all rows in one statement, which cannot be undone. If a worker is
lost, its rows are scored again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfspark.spark.cluster.tables import keep_on_disk

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass
class HeldRows:
    """Rows between their scoring and their commit.

    Attributes:
        rows: The rows; `None` while no rows are held.
    """

    rows: DataFrame | None = None

    def hold(self, df: DataFrame) -> None:
        """Score the rows and keep them."""
        self.rows = keep_on_disk(df)
        self.rows.count()

    def release(self) -> None:
        """Free the disks, if rows are held."""
        if self.rows is not None:
            self.rows.unpersist()
            self.rows = None
