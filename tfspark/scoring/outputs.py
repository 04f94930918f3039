"""Which output a target is: a folder or a table. Driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfspark.scoring.dataset import Dataset
from tfspark.scoring.path_output import PathOutput
from tfspark.scoring.publish import Mode, Output
from tfspark.scoring.table_output import TableOutput

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def output_of(spark: SparkSession, target: Dataset, mode: Mode, run: str) -> Output:
    """Return the output of a target; `run` makes the names of this run its own."""
    if target.table:
        return TableOutput(spark, target, mode, run)
    return PathOutput(spark, target, mode, run)
