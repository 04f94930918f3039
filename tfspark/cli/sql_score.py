"""The program of the SQL job: flags and the run. Driver.

`jobs/sql_score.py` runs it in spark-submit; `tfspark sql` runs it without spark-submit. The session
has Hive support. It uses the metastore that `hive-site.xml` names, otherwise an embedded metastore
in the working directory.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfspark.cli.local_model import check_model
from tfspark.cli.submitted import run_submitted
from tfspark.errors import did_you_mean
from tfspark.options import ScoreOptions
from tfspark.scoring import arguments, exit_codes, flags, no_effect
from tfspark.scoring.job_parser import JobParser
from tfspark.standard_streams import write_out

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SHOWN_ROWS = 20


DESCRIPTION = "Register TensorFlow SavedModels as SQL functions and run a query."
EPILOG = f"{flags.REPEATED} {exit_codes.in_words()}"


def new_parser() -> JobParser:
    """Return the parser of `jobs/sql_score.py`."""
    parser = JobParser(prog="sql_score.py", description=DESCRIPTION, epilog=EPILOG)
    add_flags(parser)
    return parser


def add_flags(parser: JobParser) -> None:
    """Add the flags of the job."""
    digest = flags.MODEL_SHA256.with_value("NAME=DIGEST", arguments.pair)
    shape = flags.OUTPUT_SHAPE.with_value("NAME.OUTPUT=[SIZE,…]")
    fill = flags.FILL_NULL.with_value("NAME.INPUT=VALUE")
    model = parser.add_argument_group("model")
    flags.add(model, flags.REGISTER, flags.TAGS, digest, flags.ALLOW_OPS, shape)
    flags.add(model, flags.NARROW, flags.ON_NULL, fill, flags.TIMEOUT)
    query = parser.add_argument_group("query")
    flags.add(query.add_mutually_exclusive_group(required=True), flags.QUERY, flags.FILE)
    flags.add_output(parser, required=False)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; a usage error ends the process with code 2."""
    parser = new_parser()
    return checked(parser, parser.parse_args(argv))


def checked(parser: JobParser, args: argparse.Namespace) -> argparse.Namespace:
    """Check the flags that name registered models, and group their values by model."""
    for name in args.model_sha256.keys() - args.register.keys():
        near = did_you_mean(name, args.register)
        parser.error(f"argument --model-sha256: no model {name!r} is registered.{near}")
    for flag in ("fill_null", "output_shape"):
        try:
            setattr(args, flag, _by_model(getattr(args, flag), args.register))
        except argparse.ArgumentTypeError as error:
            parser.error(f"argument --{flag.replace('_', '-')}: {error}")
    return args


def _by_model(given: Mapping[str, Any], models: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return model → input or output → value, from flags of the form `NAME.INPUT`."""
    from tfspark.errors import listing

    found: dict[str, dict[str, Any]] = {name: {} for name in models}
    for key, value in given.items():
        model, _, name = key.partition(".")
        if not name or model not in models:
            raise argparse.ArgumentTypeError(
                f"expected NAME.{name or key}, with the NAME of a registered model "
                f"({listing(models)}), found {key!r}.{did_you_mean(model, models)}"
            )
        found[model][name] = value
    return found


def run(spark: SparkSession, args: argparse.Namespace) -> str:
    """Run the statements and return the path of the report."""
    from tfspark.foreign_text import escaped
    from tfspark.scoring.job_log import warn_of_secrets
    from tfspark.scoring.query import QueryJob, run_query
    from tfspark.scoring.report_file import check_report, write_report
    from tfspark.spark.cluster.failures import own_errors

    warn_of_secrets(*args.register.values(), args.output, args.report)
    target = arguments.target_of(args) if args.output or args.output_table else None
    job = QueryJob(
        models=args.register,
        text=args.query or _text_of(Path(args.file)),
        target=target,
        mode=args.mode,
        options={name: options_of(args, name) for name in args.register},
    )
    check_report(spark, args.report)
    places: list[str] = []
    report, result = run_query(
        spark, job, lambda one: places.append(write_report(spark, one, target, args.report))
    )
    if target is None:
        shown = io.StringIO()
        with report.phase("show"), own_errors(), contextlib.redirect_stdout(shown):
            result.show(SHOWN_ROWS, truncate=False)
        write_out(escaped(shown.getvalue(), keep="\n"))
        return write_report(spark, report, target, args.report)
    return next(iter(places), "the report was not written")


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the flags, open a session, run the job; return the exit code."""
    args = parse_args(argv)
    return run_submitted(
        "tfspark sql_score",
        lambda spark: run(spark, args),
        before=lambda: check_early(args),
        hive=True,
    )


def check_early(args: argparse.Namespace) -> None:
    """Refuse flags without an effect, a missing file and a broken model before a JVM is started."""
    no_effect.refuse_no_effect(args, no_effect.OF_SQL_SCORE)
    if args.file is not None:
        _text_of(Path(args.file))
    for name, path in args.register.items():
        check_model(path, options_of(args, name))


def options_of(args: argparse.Namespace, name: str) -> ScoreOptions:
    """Return the options of one registered model."""
    return ScoreOptions(
        tags=tuple(args.tags),
        on_null=args.fill_null[name] or args.on_null,
        output_shapes=args.output_shape[name],
        sha256=args.model_sha256.get(name),
        allow_ops=args.allow_ops,
        narrow=args.narrow,
        timeout=args.timeout,
    )


def _text_of(file: Path) -> str:
    """Return the statements of a file."""
    from tfspark.errors import InputNotFoundError, InvalidInputError, did_you_mean, explain

    try:
        return file.read_text("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        folder = file.resolve().parent
        near = did_you_mean(file.name, [one.name for one in folder.glob("*")])
        raise InputNotFoundError(
            explain(
                f"There is no SQL file at {file}.",
                found=error.strerror or "",
                hint=f"check --file; the job searched in {folder}.{near}",
            )
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            explain(f"The SQL file {file} is not UTF-8 text.", found=str(error))
        ) from error
