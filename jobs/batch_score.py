"""Score a dataset with a SavedModel: `./spark-submit.sh jobs/batch_score.py --model DIR …`.

Writes the scored rows and a JSON report, whose path is the last line on stdout. Exit codes: 0 done,
2 usage, 65 model or data, 66 no input, 73 output exists, 70 anything else. `--help` answers without
Spark.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfspark.options import DEFAULTS, STRING_TYPES, WAYS, WORKER_ENGINES, ScoreOptions
from tfspark.scoring import arguments
from tfspark.scoring.job_parser import ByName, JobParser, in_words, one_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from tfspark.scoring.job import BatchJob


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; a usage error ends the process with code 2."""
    parser = JobParser(
        prog="batch_score.py",
        description="Score every row of a dataset with a TensorFlow SavedModel.",
        epilog="Exit codes: 0 done, 2 usage, 65 model or data, 66 no input, 73 output exists.",
    )
    _add_model_flags(parser)
    _add_column_flags(parser)
    _add_null_flags(parser)
    _add_input_flags(parser)
    arguments.add_output_flags(parser, required=True)
    arguments.add_bad_row_flags(parser)
    parser.add_argument(
        "--path",
        type=one_of("auto", "spark", "direct"),
        default="auto",
        metavar="PATH",
        help="spark: through Spark's readers and writers; direct: tasks read and write the files "
        "themselves; auto: direct where the result is the same (default: %(default)s)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, print the plan, stop"
    )
    return parser.parse_args(argv)


def _add_model_flags(parser: argparse.ArgumentParser) -> None:
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model", required=True, metavar="DIR", help="export dir or base path, or URI"
    )
    model.add_argument(
        "--version",
        type=arguments.positive,
        metavar="NUMBER",
        help="version folder (default: newest)",
    )
    model.add_argument("--signature", metavar="NAME", help="default: serving_default")
    arguments.add_tags_flag(model)
    model.add_argument(
        "--model-sha256",
        metavar="DIGEST",
        help="digest that the model must have; a model with another digest is refused",
    )
    arguments.add_allow_ops_flag(model)
    arguments.add_output_shape_flag(model, "OUTPUT")
    model.add_argument(
        "--engine",
        type=one_of(*WORKER_ENGINES),
        default=DEFAULTS.engine,
        metavar="ENGINE",
        help=f"{in_words(WORKER_ENGINES)} (default: %(default)s)",
    )
    model.add_argument(
        "--distribute",
        type=one_of(*WAYS),
        default=DEFAULTS.distribute,
        metavar="HOW",
        help=f"how the model reaches the workers: {in_words(WAYS)} (default: %(default)s)",
    )
    model.add_argument(
        "--batch-size", type=arguments.positive, metavar="ROWS", help="rows per call"
    )


def _add_column_flags(parser: argparse.ArgumentParser) -> None:
    binding = parser.add_argument_group("columns")
    binding.add_argument(
        "--feed",
        type=arguments.feed_pair,
        action=ByName,
        default={},
        metavar="INPUT=COLUMN[,COLUMN…]",
        help="which column, or scalar columns to stack, feed an input; repeatable",
    )
    binding.add_argument(
        "--constant",
        type=arguments.pair_or_empty,
        action=ByName,
        default={},
        metavar="INPUT=VALUE",
        help="a value that feeds an input in every row, such as k=3; repeatable",
    )
    binding.add_argument(
        "--fetch",
        type=arguments.pair,
        action=ByName,
        default={},
        metavar="OUTPUT=COLUMN",
        help="which outputs become which columns (default: all, under their names); repeatable",
    )
    binding.add_argument(
        "--keep",
        type=arguments.names,
        metavar="COLUMN[,COLUMN…]",
        help="input columns to write beside the predictions (default: all)",
    )
    arguments.add_narrow_flag(binding)
    binding.add_argument(
        "--strings",
        type=one_of(*STRING_TYPES),
        default=DEFAULTS.strings,
        metavar="TYPE",
        help=f"Spark type of outputs of strings: {in_words(STRING_TYPES)} (default: %(default)s)",
    )


def _add_null_flags(parser: argparse.ArgumentParser) -> None:
    nulls = parser.add_argument_group("nulls").add_mutually_exclusive_group()
    arguments.add_null_flags(nulls, "INPUT")


def _add_input_flags(parser: argparse.ArgumentParser) -> None:
    source = parser.add_argument_group("input")
    one = source.add_mutually_exclusive_group(required=True)
    one.add_argument("--input", metavar="PATH", help="path, glob or URI to read")
    one.add_argument(
        "--input-table", metavar="TABLE", help="table or view to read, Hive's included"
    )
    source.add_argument(
        "--input-format",
        type=one_of(*arguments.INPUT_FORMATS),
        default="parquet",
        metavar="FORMAT",
        help=f"{', '.join(arguments.INPUT_FORMATS)} (default: %(default)s); csv has a header line "
        "and types found in the data, and a broken record of csv or json ends the job, unless "
        "--option says otherwise; binaryFile has path, modificationTime, length, content",
    )
    source.add_argument(
        "--option",
        type=arguments.option,
        action=ByName,
        default={},
        metavar="K=V",
        help="option of Spark's reader, such as mode=PERMISSIVE; repeatable",
    )
    source.add_argument(
        "--allow-missing",
        action="store_true",
        help="a column that a Parquet or ORC file lacks is null in its rows (default: refused)",
    )


def run(spark: SparkSession, args: argparse.Namespace) -> str:
    """Run the job and return the path of its report, or the plan in words for a dry run."""
    from tfspark.scoring import batch
    from tfspark.scoring.job_log import warn_of_secrets
    from tfspark.scoring.report import check_report, write_report

    warn_of_secrets(args.model, args.input, args.output, args.report)
    job = _job(args)
    report = batch.new_report("batch_score")
    check_report(spark, args.report)
    planned = batch.plan(spark, job, report)
    if args.dry_run:
        return batch.describe(planned, report)
    batch.execute(spark, planned, report)
    seconds = report.seconds["score"]
    bad = f", {report.bad_rows} bad" if args.bad_rows else ""
    print(f"scored {report.rows_out} rows in {seconds:.1f} s ({report.null_rows} null{bad})")
    return write_report(spark, report, job.target, args.report)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, open the session, run; return the exit code."""
    args = parse_args(argv)

    def job() -> str:
        from tfspark.spark.cluster.session import session

        _check_early(args)
        hive = bool(args.input_table or args.output_table)
        spark = session("tfspark batch_score", hive=hive)
        try:
            return run(spark, args)
        finally:
            spark.stop()

    return arguments.run_job(job)


def _check_early(args: argparse.Namespace) -> None:
    """Refuse contradicting flags and a broken local model before a JVM is started for them."""
    from pathlib import Path

    from tfspark.errors import UsageError, explain, listing
    from tfspark.package import load

    if args.max_bad_rows and not args.bad_rows:
        problem = "--max-bad-rows has no effect without a place for bad rows."
        raise UsageError(explain(problem, hint="add --bad-rows PATH."))
    both = [name for name in args.constant if name in args.feed]
    if both:
        raise UsageError(
            explain(
                f"The input {listing(both)} has both a column and a constant.",
                hint="leave out --feed or --constant.",
            )
        )
    if Path(args.model).exists():
        signature, tags = args.signature or "serving_default", tuple(args.tags)
        package = load(args.model, args.version, signature, tags, args.model_sha256)
        package.allowing(args.allow_ops).check_operations()


def _job(args: argparse.Namespace) -> BatchJob:
    from tfspark.constants import Constant
    from tfspark.scoring.bad_row_limit import NO_LIMIT
    from tfspark.scoring.dataset import Dataset
    from tfspark.scoring.job import BatchJob

    options = ScoreOptions(
        version=args.version,
        signature=args.signature,
        tags=tuple(args.tags),
        batch_size=args.batch_size,
        engine=args.engine,
        distribute=args.distribute,
        on_null=args.fill_null or args.on_null,
        output_shapes=args.output_shape,
        sha256=args.model_sha256,
        allow_ops=args.allow_ops,
        strings=args.strings,
        narrow=args.narrow,
    )
    constants = {name: Constant(text) for name, text in args.constant.items()}
    return BatchJob(
        model=args.model,
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
    )


if __name__ == "__main__":
    sys.exit(main())
