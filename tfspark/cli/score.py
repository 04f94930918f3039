"""`tfspark score`: runs the batch job without spark-submit, and prints a summary. Driver."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tfspark.cli import batch_score, on_spark
from tfspark.cli.local_checks import check_local_files
from tfspark.cli.settings import ConfiguredParser

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from tfspark.scoring.report import Report


def new_parser() -> ConfiguredParser:
    """Return the parser of the command."""
    parser = ConfiguredParser(
        prog="tfspark score",
        usage="tfspark score --model DIR --input PATH --output PATH [flags]",
        description=batch_score.DESCRIPTION,
        epilog=batch_score.EPILOG,
    )
    batch_score.add_flags(parser)
    on_spark.add_flags(parser)
    parser.add_config_flags()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Score a dataset; return the exit code."""
    started = perf_counter()
    args = new_parser().parse_args(argv)

    def job(spark: SparkSession) -> str:
        planned, report = batch_score.plan(spark, args)
        if args.dry_run:
            return batch_score.describe(planned, report)
        done, place = batch_score.execute(spark, args, planned, report)
        return summary(done, place, args, perf_counter() - started, is_new=done is report)

    def check() -> None:
        settings = on_spark.settings_of(args)
        batch_score.check_early(args)
        if on_spark.is_local(settings):
            check_local_files(args, settings)

    return on_spark.run_on_spark(
        "tfspark score",
        args,
        job,
        before=check,
        hive=bool(args.input_table or args.output_table),
    )


def summary(
    report: Report, place: str, args: argparse.Namespace, seconds: float, *, is_new: bool
) -> str:
    """Return a summary of a run in five lines; the last line has the path of the report.

    Args:
        report: The report of the run that scored the rows.
        place: The path of the report.
        args: The values of the flags.
        seconds: Wall time of the command, including the start of Spark.
        is_new: Whether this command scored the rows.
    """
    scoring = report.seconds.get("score", 0.0)
    rate = (report.scored_rows or 0) / max(scoring, 1e-3)
    kept = f", {report.kept_rows:,} of them by an earlier run" if report.kept_rows else ""
    by = "" if is_new else f", by run {report.run}; nothing is scored now"
    aside = f", in {report.bad_rows_output}" if report.bad_rows else ""
    rounded = f"; rounded: {', '.join(report.rounded)}" if report.rounded else ""
    lines = {
        "rows": f"{report.rows_out:,} scored{kept}{by}, {report.null_rows or 0:,} with null",
        "rejected": f"{report.bad_rows:,}{aside}",
        "time": f"{scoring:.1f} s, {rate:,.0f} rows/s ({seconds:.1f} s with the start of Spark)",
        "engine": f"{_engine(report.engine) or args.engine}, {report.path} path{rounded}",
        "output": f"{report.output}, report {place}",
    }
    return "\n".join(f"{name:9} {text}" for name, text in lines.items())


def _engine(used: Mapping[str, Any]) -> str:
    """Return the engine that scored, or the engine of each model of several."""
    if "engine" in used:
        return str(used["engine"])
    return ", ".join(f"{key}: {one['engine']}" for key, one in used.items())
