"""Score by SQL: `./spark-submit.sh jobs/sql_score.py --register tfpredict=DIR --query "SELECT …"`.

In come models under SQL names and a query (or a file of statements), out goes the result of the
last statement, shown or written, and a JSON report, whose path is the last line on stdout. The
session has Hive support: the metastore that `hive-site.xml` names, else an embedded one in the
working directory. Exit codes: 0 done, 2 usage, 65 model, data or SQL, 66 no input, 73 output
exists, 70 anything else.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfspark.scoring import arguments

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SHOWN_ROWS = 20


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; a usage error ends the process with code 2."""
    parser = argparse.ArgumentParser(
        prog="sql_score.py",
        description="Register TensorFlow SavedModels as SQL functions and run a query.",
        epilog="Exit codes: 0 done, 2 usage, 65 model, data or SQL, 66 no input, 73 output exists.",
    )
    parser.add_argument(
        "--register",
        type=arguments.pair,
        action=arguments.ByName,
        default={},
        required=True,
        metavar="NAME=MODEL",
        help="SQL name and export dir, base path or URI of a model; repeatable",
    )
    query = parser.add_mutually_exclusive_group(required=True)
    query.add_argument("--query", metavar="SQL", help="one statement")
    query.add_argument("--file", type=Path, metavar="PATH", help="statements, separated by ;")
    parser.add_argument(
        "--narrow",
        action="store_true",
        help="allow conversions that may lose precision, such as double to float",
    )
    arguments.add_output_flags(parser, required=False)
    return parser.parse_args(argv)


def run(spark: SparkSession, args: argparse.Namespace) -> str:
    """Run the statements and return the path of the report."""
    from tfspark.scoring.dataset import Dataset
    from tfspark.scoring.query import QueryJob, run_query
    from tfspark.scoring.report import check_report, write_report
    from tfspark.spark.failures import own_errors

    target = None
    if args.output or args.output_table:
        target = Dataset(
            args.output or "", args.output_table or "", args.output_format, args.output_option
        )
    job = QueryJob(
        models=args.register,
        text=args.query or args.file.read_text("utf-8"),
        target=target,
        mode=args.mode,
        narrow=args.narrow,
    )
    check_report(spark, args.report)
    report, result = run_query(spark, job)
    if target is None:
        with report.phase("show"), own_errors():
            result.show(SHOWN_ROWS, truncate=False)
    return write_report(spark, report, target, args.report)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, open the session, run; return the exit code."""
    args = parse_args(argv)

    def job() -> str:
        from tfspark.errors import InputNotFoundError, explain
        from tfspark.spark.session import session

        if args.file is not None and not args.file.is_file():
            raise InputNotFoundError(
                explain(f"There is no SQL file at {args.file}.", hint="check --file.")
            )
        spark = session("tfspark sql_score", hive=True)
        try:
            return run(spark, args)
        finally:
            spark.stop()

    return arguments.run_job(job)


if __name__ == "__main__":
    sys.exit(main())
