"""`tfspark recover`: publishes or removes the files that killed jobs left. Driver."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfspark.cli.command_parser import CommandParser
from tfspark.cli.on_spark import add_flags, run_on_spark
from tfspark.errors import InputNotFoundError, did_you_mean, explain

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def new_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = CommandParser(
        prog="tfspark recover",
        usage="tfspark recover OUTPUT [flags]",
        description="Publish the rows that a killed job had decided to publish, and remove all "
        "other files of dead jobs. A live job is not touched.",
        epilog="Exit codes: 0 done, 2 usage, 66 there is no such output, 74 an I/O error, 75 a "
        "live job writes to the output.",
    )
    parser.add_argument("output", metavar="OUTPUT", help="path or URI of the folder, or a table")
    add_flags(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Recover an output; return the exit code."""
    args = new_parser().parse_args(argv)

    def recovered(spark: SparkSession) -> str:
        from tfspark.scoring import recover
        from tfspark.scoring.output.recover import is_there

        if not is_there(spark, args.output):
            raise InputNotFoundError(_nothing_at(args.output))
        runs = recover(spark, args.output)
        if not runs:
            return f"{args.output}: there were no rows to publish; no files of killed jobs remain"
        return f"{args.output}: the rows of {', '.join(runs)} are now published"

    return run_on_spark("tfspark recover", args, recovered, hive="/" not in args.output)


def _nothing_at(output: str) -> str:
    folder = Path(output).absolute().parent
    near = did_you_mean(Path(output).name, [one.name for one in folder.glob("*")])
    return explain(
        f"There is no output {output}.",
        expected="a folder or a table of files to which a job has written",
        found=f"nothing.{near}",
        hint="check the path or the name of the table.",
    )
