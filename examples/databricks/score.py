"""Score a table on Databricks: on dedicated, standard (shared) and serverless compute.

Spark is already running and must not be stopped, so this program calls `tfspark.predict` instead
of the batch job. On standard and serverless compute, the session is a Spark Connect session.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pyspark.sql import SparkSession

import tfspark


def new_parser() -> argparse.ArgumentParser:
    """Return the parser of the parameters of the task."""
    parser = argparse.ArgumentParser(description="Score a table with a SavedModel.")
    parser.add_argument("--model", required=True, help="folder of the model, such as a volume")
    parser.add_argument("--input-table", required=True)
    parser.add_argument("--output-table", required=True)
    parser.add_argument("--mode", default="overwrite", choices=("append", "overwrite"))
    parser.add_argument("--engine", default="auto", choices=("auto", "native", "openvino"))
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Score the input table, and write the output table in one transaction of Delta."""
    args = new_parser().parse_args(argv)
    spark = SparkSession.builder.getOrCreate()
    scored = tfspark.predict(spark.read.table(args.input_table), args.model, engine=args.engine)
    scored.write.mode(args.mode).saveAsTable(args.output_table)


if __name__ == "__main__":
    main()
