"""The program of the batch job: flags, early checks, and the run. Driver.

`jobs/batch_score.py` runs it in spark-submit; `tfspark score` runs it without spark-submit. Before
the flags are parsed, it imports neither pyspark nor TensorFlow nor Arrow.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tfspark.cli.local_model import check_model
from tfspark.cli.submitted import run_submitted
from tfspark.scoring import arguments, exit_codes, flags, no_effect
from tfspark.scoring.job_parser import JobParser
from tfspark.scoring.report_flags import BASELINE, NO_STATS, SAMPLE_ROWS
from tfspark.standard_streams import write_out

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from tfspark.scoring.job import BatchJob, Plan
    from tfspark.scoring.report import Report


DESCRIPTION = "Score every row of a dataset with a TensorFlow SavedModel."
EPILOG = f"{flags.REPEATED} {exit_codes.in_words()}"


def new_parser() -> JobParser:
    """Return the parser of `jobs/batch_score.py`."""
    parser = JobParser(prog="batch_score.py", description=DESCRIPTION, epilog=EPILOG)
    add_flags(parser)
    return parser


def add_flags(parser: JobParser) -> None:
    """Add the flags of the job."""
    model = parser.add_argument_group("model")
    flags.add(model.add_mutually_exclusive_group(required=True), flags.MODEL, flags.MODELS)
    flags.add(model, flags.DIFFERENCE, flags.VERSION, flags.SIGNATURE, flags.TAGS)
    flags.add(model, flags.MODEL_SHA256, flags.ALLOW_OPS, flags.OUTPUT_SHAPE, flags.ENGINE)
    flags.add(model, flags.DISTRIBUTE, flags.BATCH_SIZE, flags.TIMEOUT)
    columns = parser.add_argument_group("columns")
    flags.add(columns, flags.FEED, flags.CONSTANT, flags.FETCH, flags.KEEP, flags.NARROW)
    flags.add(columns, flags.STRINGS)
    flags.add(columns.add_mutually_exclusive_group(), flags.ON_NULL, flags.FILL_NULL)
    source = parser.add_argument_group("input")
    flags.add(source.add_mutually_exclusive_group(required=True), flags.INPUT, flags.INPUT_TABLE)
    flags.add(source, flags.INPUT_FORMAT, flags.OPTION, flags.ALLOW_MISSING)
    flags.add_output(parser, required=True)
    flags.add(parser.add_argument_group("bad rows"), flags.BAD_ROWS, flags.MAX_BAD_ROWS)
    report = parser.add_argument_group("report")
    flags.add(report, NO_STATS, SAMPLE_ROWS, BASELINE)
    run = parser.add_argument_group("run")
    flags.add(run, flags.PATH, flags.CHUNKS, flags.RUN_ID, flags.DRY_RUN)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; a usage error ends the process with code 2."""
    return new_parser().parse_args(argv)


def run(spark: SparkSession, args: argparse.Namespace) -> str:
    """Run the job and return the path of its report, or the plan as text for a dry run."""
    planned, report = plan(spark, args)
    if args.dry_run:
        return describe(planned, report)
    done, place = execute(spark, args, planned, report)
    scored = "scored" if done is report else f"already done by run {done.run}: scored"
    seconds = done.seconds["score"]
    bad = f", {done.bad_rows} bad" if args.bad_rows else ""
    kept = f", {done.kept_rows} scored by an earlier run" if done.kept_rows else ""
    counts = f"{done.null_rows} null{bad}{kept}"
    write_out(f"{scored} {done.rows_out} rows in {seconds:.1f} s ({counts})\n")
    return place


def plan(spark: SparkSession, args: argparse.Namespace) -> tuple[Plan, Report]:
    """Check every part of the job, and return its plan and its new report."""
    from tfspark.scoring import batch
    from tfspark.scoring.job_log import warn_of_secrets
    from tfspark.scoring.report_file import check_report

    paths = (args.input, args.output, args.bad_rows, args.report, args.baseline)
    warn_of_secrets(args.model, *args.models.values(), *paths)
    job = job_of(args)
    report = batch.new_report("batch_score")
    check_report(spark, args.report)
    return batch.plan(spark, job, report), report


def describe(planned: Plan, report: Report) -> str:
    """Return the plan as text."""
    from tfspark.scoring import batch

    return batch.describe(planned, report)


def execute(
    spark: SparkSession, args: argparse.Namespace, planned: Plan, report: Report
) -> tuple[Report, str]:
    """Run the planned job; return its report and the path of the report.

    If an earlier run has already done the job, the report is the one of that run.
    """
    from tfspark.scoring import batch
    from tfspark.scoring.report_file import write_report

    target = arguments.target_of(args)
    places: list[str] = []
    done = batch.execute(
        spark,
        planned,
        report,
        lambda one: places.append(write_report(spark, one, target, args.report)),
    )
    return done, next(iter(places), "the report was not written")


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the flags, open a session, run the job; return the exit code."""
    args = parse_args(argv)
    return run_submitted(
        "tfspark batch_score",
        lambda spark: run(spark, args),
        before=lambda: check_early(args),
        hive=bool(args.input_table or args.output_table),
    )


def check_early(args: argparse.Namespace) -> None:
    """Refuse contradicting flags and a broken local model before a JVM is started."""
    from tfspark.errors import UsageError, explain, listing

    no_effect.refuse_no_effect(args, no_effect.OF_BATCH_SCORE)
    both = [name for name in args.constant if name in args.feed]
    if both:
        raise UsageError(
            explain(
                f"The input {listing(both)} has both a column and a constant.",
                hint="leave out --feed or --constant.",
            )
        )
    if args.models and args.model_sha256:
        problem = "--model-sha256 is the digest of a single model."
        raise UsageError(explain(problem, hint="leave it out, or run a job for each model."))
    for path in models_of(args):
        check_model(path, arguments.model_options(args))


def models_of(args: argparse.Namespace) -> list[str]:
    """Return the paths of the model, or of several models."""
    return [args.model] if args.model else [*args.models.values()]


def job_of(args: argparse.Namespace) -> BatchJob:
    """Return the settings of the job that the flags describe."""
    from tfspark.constants import Constant
    from tfspark.scoring.bad_row_limit import NO_LIMIT
    from tfspark.scoring.dataset import Dataset
    from tfspark.scoring.job import BatchJob, ReportOptions

    options = replace(
        arguments.model_options(args),
        batch_size=args.batch_size,
        on_null=args.fill_null or args.on_null,
        output_shapes=args.output_shape,
        strings=args.strings,
        narrow=args.narrow,
    )
    constants = {name: Constant(text) for name, text in args.constant.items()}
    return BatchJob(
        model=args.model or "",
        models=args.models,
        difference=args.difference,
        source=Dataset(args.input or "", args.input_table or "", args.input_format, args.option),
        target=arguments.target_of(args),
        mode=args.mode,
        feed={**args.feed, **constants},
        fetch=args.fetch or None,
        keep=args.keep,
        allow_missing=args.allow_missing,
        path=args.path,
        bad_rows=args.bad_rows or "",
        max_bad_rows=args.max_bad_rows or NO_LIMIT,
        options=options,
        run_id=args.run_id,
        chunks=args.chunks,
        reported=ReportOptions(not args.no_stats, args.sample_rows, args.baseline),
    )
