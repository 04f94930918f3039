"""Score by SQL: `./spark-submit.sh jobs/sql_score.py --register tfpredict=DIR --query "SELECT …"`.

Registers models under SQL names and runs a query, or a file of statements. Shows or writes the
result of the last statement, and writes a JSON report. The path of the report is the last line on
stdout. `--help` works without Spark, and lists the exit codes. `tfspark sql` is the same program
without spark-submit.
"""

from __future__ import annotations

import sys

from tfspark.cli.sql_score import main, new_parser, parse_args, run

__all__ = ["main", "new_parser", "parse_args", "run"]

if __name__ == "__main__":
    sys.exit(main())
