"""Score a dataset with a SavedModel: `./spark-submit.sh jobs/batch_score.py --model DIR …`.

In come flags, out go the scored rows and a JSON report, whose path is the last line on stdout.
Exit codes: 0 done, 2 usage, 65 model or data, 66 no input, 73 output exists, 70 anything else.
`--help` answers without Spark.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfspark.scoring import arguments

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from tfspark.scoring.job import BatchJob
    from tfspark.spark.options import ScoreOptions


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; a usage error ends the process with code 2."""
    parser = argparse.ArgumentParser(
        prog="batch_score.py",
        description="Score every row of a dataset with a TensorFlow SavedModel.",
        epilog="Exit codes: 0 done, 2 usage, 65 model or data, 66 no input, 73 output exists.",
    )
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model", required=True, metavar="DIR", help="export dir or base path, or URI"
    )
    model.add_argument(
        "--version", type=arguments.positive, help="version folder (default: newest)"
    )
    model.add_argument("--signature", metavar="NAME", help="default: serving_default")
    model.add_argument(
        "--engine", choices=("auto", "native", "tensorflow"), default="auto", help="default: auto"
    )
    model.add_argument(
        "--distribute",
        choices=("auto", "broadcast", "archive", "path"),
        default="auto",
        help="how the model reaches the workers (default: auto)",
    )
    model.add_argument(
        "--batch-size", type=arguments.positive, metavar="ROWS", help="rows per call"
    )

    binding = parser.add_argument_group("columns")
    binding.add_argument(
        "--feed",
        type=arguments.feed_pair,
        action=arguments.ByName,
        default={},
        metavar="INPUT=COLUMN[,COLUMN…]",
        help="which column, or scalar columns to stack, feed an input; repeatable",
    )
    binding.add_argument(
        "--fetch",
        type=arguments.pair,
        action=arguments.ByName,
        default={},
        metavar="OUTPUT=COLUMN",
        help="which outputs become which columns (default: all, under their names); repeatable",
    )
    binding.add_argument(
        "--keep",
        type=arguments.columns,
        metavar="COLUMN[,COLUMN…]",
        help="input columns to write beside the predictions (default: all)",
    )
    binding.add_argument(
        "--narrow",
        action="store_true",
        help="allow conversions that may lose precision, such as double to float",
    )
    binding.add_argument("--strings", choices=("string", "binary"), default="string")
    nulls = binding.add_mutually_exclusive_group()
    nulls.add_argument(
        "--on-null",
        choices=("null", "error"),
        default="null",
        help="whether a row with null in an input gives null or ends the job "
        "(default: %(default)s)",
    )
    nulls.add_argument(
        "--fill-null",
        type=arguments.pair_or_empty,
        action=arguments.ByName,
        default={},
        metavar="INPUT=VALUE",
        help="what feeds an input in place of null, such as Age=nan or Cabin=; repeatable",
    )

    source = parser.add_argument_group("input")
    one = source.add_mutually_exclusive_group(required=True)
    one.add_argument("--input", metavar="PATH", help="path, glob or URI to read")
    one.add_argument(
        "--input-table", metavar="TABLE", help="table or view to read, Hive's included"
    )
    source.add_argument(
        "--input-format",
        choices=arguments.INPUT_FORMATS,
        default="parquet",
        help="default: %(default)s; csv has a header line and types found in the data, "
        "unless --option says otherwise; binaryFile has path, modificationTime, length, content",
    )
    source.add_argument(
        "--option",
        type=arguments.pair_or_empty,
        action=arguments.ByName,
        default={},
        metavar="K=V",
        help="option of Spark's reader; repeatable",
    )
    arguments.add_output_flags(parser, required=True)
    parser.add_argument(
        "--path",
        choices=("auto", "spark", "direct"),
        default="auto",
        help="spark: through Spark's readers and writers; direct: tasks read and write the files "
        "themselves; auto: direct where the result is the same (default: %(default)s)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, print the plan, stop"
    )
    return parser.parse_args(argv)


def run(spark: SparkSession, args: argparse.Namespace) -> str:
    """Run the job and return the path of its report, or the plan in words for a dry run."""
    from tfspark.scoring import batch
    from tfspark.scoring.report import check_report, write_report

    job = _job(args)
    report = batch.new_report("batch_score")
    check_report(spark, args.report)
    planned = batch.plan(spark, job, report)
    if args.dry_run:
        return batch.describe(planned, report)
    batch.execute(spark, planned, report)
    seconds = report.seconds["score"]
    print(f"scored {report.rows_out} rows in {seconds:.1f} s ({report.null_rows} null)")
    return write_report(spark, report, job.target, args.report)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, open the session, run; return the exit code."""
    args = parse_args(argv)

    def job() -> str:
        from tfspark.spark.session import session

        _check_model_early(args)
        hive = bool(args.input_table or args.output_table)
        spark = session("tfspark batch_score", hive=hive)
        try:
            return run(spark, args)
        finally:
            spark.stop()

    return arguments.run_job(job)


def _check_model_early(args: argparse.Namespace) -> None:
    """Refuse a broken local model before a JVM is started for it."""
    from pathlib import Path

    from tfspark.package import load

    if Path(args.model).exists():
        load(args.model, args.version, args.signature or "serving_default")


def _job(args: argparse.Namespace) -> BatchJob:
    from tfspark.scoring.dataset import Dataset
    from tfspark.scoring.job import BatchJob

    options: ScoreOptions = {
        "version": args.version,
        "signature": args.signature,
        "batch_size": args.batch_size,
        "engine": args.engine,
        "distribute": args.distribute,
        "on_null": args.fill_null or args.on_null,
    }
    return BatchJob(
        model=args.model,
        source=Dataset(args.input or "", args.input_table or "", args.input_format, args.option),
        target=Dataset(
            args.output or "", args.output_table or "", args.output_format, args.output_option
        ),
        mode=args.mode,
        feed=args.feed,
        fetch=args.fetch or None,
        keep=args.keep,
        narrow=args.narrow,
        strings=args.strings,
        path=args.path,
        options=options,
    )


if __name__ == "__main__":
    sys.exit(main())
