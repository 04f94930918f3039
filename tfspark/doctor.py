"""Checks whether a session can score: `python -m tfspark.doctor [MODEL]`. Driver.

Runs the checks of a job's preflight on the driver and on each executor, and prints one table with
advice. With a model, each executor opens it. Nothing is scored and nothing is written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfspark.scoring import arguments, flags
from tfspark.scoring.flags import Flag
from tfspark.scoring.job_parser import JobParser

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MASTER = Flag("--master", "URL", "master of a classic session (default: that of spark-submit)")
REMOTE = Flag("--remote", "URL", "a Spark Connect server, such as sc://host, in place of a master")


def new_parser() -> JobParser:
    """Return the parser of the command line."""
    parser = JobParser(
        prog="python -m tfspark.doctor",
        description="Check whether the driver and each executor of a session can score.",
        epilog="Exit codes: 0 all checks passed, 2 usage, 65 a check failed, 75 a process of Spark "
        "was lost or too slow.",
    )
    parser.add_argument("model", metavar="MODEL", nargs="?", help=flags.MODEL.meaning)
    flags.add(parser.add_mutually_exclusive_group(), MASTER, REMOTE)
    model = (flags.VERSION, flags.SIGNATURE, flags.TAGS, flags.MODEL_SHA256, flags.ALLOW_OPS)
    flags.add(parser, *model, flags.ENGINE, flags.DISTRIBUTE, flags.TIMEOUT)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Check a session; return the exit code."""
    args = new_parser().parse_args(argv)

    def job() -> str:
        spark = _session(args)
        try:
            return run(spark, args)
        finally:
            arguments.stop(spark)

    return arguments.run_job(job)


def run(spark: SparkSession, args: argparse.Namespace) -> str:
    """Check a session and return the table.

    Raises:
        TfsparkError: When a check failed. The table is printed first.
    """
    from tfspark.scoring.diagnosis import diagnose

    found = diagnose(spark, args.model, arguments.model_options(args))
    problem = found.problem()
    if problem is not None:
        sys.stdout.write(f"{found.table()}\n")
        raise problem
    return found.table()


def _session(args: argparse.Namespace) -> SparkSession:
    from tfspark.spark.cluster.session import connect_session, session

    if args.remote:
        return connect_session(args.remote)
    return session("tfspark doctor", master=args.master)


if __name__ == "__main__":
    sys.exit(main())
