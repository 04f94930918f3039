"""The flags of a job's report: statistics, sample rows, baseline. Driver.

As in `flags`, nothing heavy is imported, so that `--help` is fast.
"""

from __future__ import annotations

from tfspark.scoring import arguments
from tfspark.scoring.flags import Flag

NO_STATS = Flag(
    "--no-stats",
    "",
    "collect no statistics of inputs and predictions for the report and its page",
)
SAMPLE_ROWS = Flag(
    "--sample-rows",
    "N",
    "scored rows that the report and its page show; with 0, they show no texts of rows either "
    "(default: 5)",
    arguments.whole,
    5,
)
BASELINE = Flag(
    "--baseline",
    "REPORT.json",
    "report of an earlier run, with which the statistics of this run are compared (default: none)",
    default="",
)
