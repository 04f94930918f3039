"""Statistics of columns in one pass: bounded sketches that can be merged. Driver and executor.

A task collects a `RowSketch` while it scores; the driver merges the sketches of all tasks. The
counts of rows, nulls and values are exact. NaN, infinities, the least and the greatest number are
exact for predictions, and for the first input values of each task. Everything else comes from
values that are drawn at random, so that statistics cost little even beside a light model.
"""

from __future__ import annotations

from tfspark.sketches.column import ColumnSketch
from tfspark.sketches.frequent import Frequent
from tfspark.sketches.moments import Moments
from tfspark.sketches.quantiles import Quantiles
from tfspark.sketches.rows import RowSketch
from tfspark.sketches.watching import Wanted, Watch

__all__ = ["ColumnSketch", "Frequent", "Moments", "Quantiles", "RowSketch", "Wanted", "Watch"]
