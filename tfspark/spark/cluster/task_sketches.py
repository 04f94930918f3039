"""Brings statistics and engines of `mapInArrow` tasks to the driver. Driver of a classic session.

A task of `mapInArrow` returns only rows, so an accumulator takes its statistics. If Spark retries
or repeats a task, it may add the statistics of this task again. This accumulator therefore counts
each task number once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce

from pyspark import Accumulator, AccumulatorParam
from pyspark.sql import SparkSession

from tfspark.columns import resolve
from tfspark.engine_choice import EngineChoice, merged
from tfspark.sketches import RowSketch


@dataclass
class Gathered:
    """Statistics of some tasks of one stage.

    Attributes:
        tasks: The numbers of the tasks.
        total: The statistics of all of them.
        choices: The engine of each model; empty if no task had rows.
    """

    tasks: set[int] = field(default_factory=set)
    total: RowSketch = field(default_factory=RowSketch)
    choices: tuple[EngineChoice, ...] = ()


class OncePerTask(AccumulatorParam[Gathered]):
    """Adds the statistics of a task only if its number is new."""

    def zero(self, value: Gathered) -> Gathered:  # noqa: ARG002
        """Return the statistics of no task."""
        return Gathered()

    def addInPlace(self, value1: Gathered, value2: Gathered) -> Gathered:  # noqa: N802
        """Add the second to the first, and return the first."""
        if value1.tasks.isdisjoint(value2.tasks):
            value1.tasks |= value2.tasks
            value1.total.merge(value2.total)
            value1.choices = merged(value1.choices, value2.choices)
        return value1


@dataclass
class TaskSketches:
    """The statistics and the engines of all scored frames of a job.

    Attributes:
        spark: The session.
        rows: Number of rows in the sample.
        keep: Kept columns of the sample; `None` for all.
        without: Columns that are not in the sample.
        reason: The column that says why a row is bad; empty without one.
        statistics: Whether statistics are collected.
    """

    spark: SparkSession
    rows: int
    keep: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    reason: str = ""
    statistics: bool = True
    _frames: list[Accumulator[Gathered]] = field(default_factory=list)

    def of_frame(self) -> Accumulator[Gathered]:
        """Return an accumulator for the tasks of another frame."""
        added = self.spark.sparkContext.accumulator(Gathered(), OncePerTask())
        self._frames.append(added)
        return added

    def shown(self, kept: Sequence[str]) -> list[str]:
        """Return the kept columns that are in the sample; names resolve as in Spark."""
        keep = kept if self.keep is None else [resolve(name, kept) for name in self.keep]
        return [name for name in kept if name in keep and name not in self.without]

    def total(self) -> RowSketch | None:
        """Return the statistics of all computed frames; `None` if none are collected."""
        if not self.statistics:
            return None
        total = RowSketch()
        for one in self._frames:
            total.merge(one.value.total)
        return total

    def choices(self) -> tuple[EngineChoice, ...]:
        """Return the engine of each model; empty if no row was computed."""
        return reduce(merged, (one.value.choices for one in self._frames), ())
