"""The flags of a job's report: statistics, sample rows, baseline. Driver.

Like `flags`, this module imports nothing heavy, so that `--help` is fast.
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
    "number of scored rows that the report and its page show; 0 also leaves out all texts of rows "
    "(default: 5)",
    arguments.whole,
    5,
)
BASELINE = Flag(
    "--baseline",
    "REPORT.json",
    "compare the statistics with this JSON report of an earlier run (default: none)",
    default="",
)
