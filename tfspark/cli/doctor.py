"""`tfspark doctor`: checks whether a session can score. Driver.

It runs the checks of a job's preflight on the driver and on each executor, and prints one table
with advice. If a model is given, each executor opens it; a model on this machine is checked before
Spark starts. It scores and writes nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfspark.cli import on_spark
from tfspark.cli.command_parser import CommandParser
from tfspark.cli.local_checks import is_plain, reads_this_machine
from tfspark.cli.local_model import check_model
from tfspark.scoring import arguments, flags
from tfspark.scoring.flags import Flag
from tfspark.standard_streams import write_out

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REMOTE = Flag("--remote", "URL", "a Spark Connect server, such as sc://host, instead of a master")


def new_parser() -> CommandParser:
    """Return the parser of the command line."""
    parser = CommandParser(
        prog="tfspark doctor",
        usage="tfspark doctor [MODEL] [flags]",
        description="Check whether the driver and each executor of a session can score.",
        epilog="Exit codes: 0 all checks passed, 2 usage, 65 a check failed, 75 a process of Spark "
        "was lost or too slow.",
    )
    parser.add_argument("model", metavar="MODEL", nargs="?", help=flags.MODEL.meaning)
    model = (flags.VERSION, flags.SIGNATURE, flags.TAGS, flags.MODEL_SHA256, flags.ALLOW_OPS)
    group = parser.add_argument_group("model")
    flags.add(group, *model, flags.ENGINE, flags.DISTRIBUTE, flags.TIMEOUT)
    on_spark.add_flags(parser, REMOTE)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Check a session; return the exit code."""
    args = new_parser().parse_args(argv)

    def check() -> None:
        if args.model is not None:
            settings = on_spark.settings_of(args)
            is_here = not args.remote and on_spark.is_local(settings) and is_plain(args.model)
            is_here = is_here and reads_this_machine(settings)
            check_model(args.model, arguments.model_options(args), is_here=is_here)

    return on_spark.run_on_spark(
        "tfspark doctor", args, lambda spark: run(spark, args), before=check
    )


def run(spark: SparkSession, args: argparse.Namespace) -> str:
    """Check a session and return the table.

    Raises:
        TfsparkError: When a check failed. The table is printed first.
    """
    from tfspark.scoring.diagnosis import diagnose

    found = diagnose(spark, args.model, arguments.model_options(args))
    problem = found.problem()
    if problem is not None:
        write_out(f"{found.table()}\n")
        raise problem
    return found.table()
