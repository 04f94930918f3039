"""Score a dataset with a SavedModel: `./spark-submit.sh jobs/batch_score.py --model DIR …`.

Writes the scored rows and a JSON report, whose path is the last line on stdout. `--help` works
without Spark, and lists the exit codes. `tfspark score` is the same program without spark-submit.
"""

from __future__ import annotations

import sys

from tfspark.cli.batch_score import main, new_parser, parse_args, run

__all__ = ["main", "new_parser", "parse_args", "run"]

if __name__ == "__main__":
    sys.exit(main())
