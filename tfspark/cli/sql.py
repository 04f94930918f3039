"""`tfspark sql`: runs the SQL job without spark-submit. Driver."""

from __future__ import annotations

from collections.abc import Sequence

from tfspark.cli import on_spark, sql_score
from tfspark.cli.local_checks import is_plain, reads_this_machine
from tfspark.cli.local_model import check_model
from tfspark.cli.settings import ConfiguredParser


def new_parser() -> ConfiguredParser:
    """Return the parser of the command."""
    parser = ConfiguredParser(
        prog="tfspark sql",
        usage='tfspark sql --register NAME=MODEL --query "SELECT …" [flags]',
        description=sql_score.DESCRIPTION,
        epilog=sql_score.EPILOG,
    )
    sql_score.add_flags(parser)
    on_spark.add_flags(parser)
    parser.add_config_flags()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a query with models; return the exit code."""
    parser = new_parser()
    args = sql_score.checked(parser, parser.parse_args(argv))

    def check() -> None:
        sql_score.check_early(args)
        settings = on_spark.settings_of(args)
        if on_spark.is_local(settings) and reads_this_machine(settings):
            for name, path in args.register.items():
                check_model(path, sql_score.options_of(args, name), is_here=is_plain(path))

    return on_spark.run_on_spark(
        "tfspark sql",
        args,
        lambda spark: sql_score.run(spark, args),
        before=check,
        hive=True,
    )
