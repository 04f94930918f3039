"""Score by SQL: `./spark-submit.sh jobs/sql_score.py --register tfpredict=DIR --query "SELECT …"`.

Registers models under SQL names and runs a query, or a file of statements. The result of the last
statement is shown or written, with a JSON report, whose path is the last line on stdout. `--help`
works without Spark, and lists the exit codes. `tfspark sql` is the same program without
spark-submit.
"""

from __future__ import annotations

import sys

from tfspark.cli.sql_score import main, new_parser, parse_args, run

__all__ = ["main", "new_parser", "parse_args", "run"]

if __name__ == "__main__":
    sys.exit(main())
