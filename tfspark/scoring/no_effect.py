"""Refuses flags that have no effect together with the other flags of a command line. Driver.

Each given flag must change the job; otherwise the user expects an effect that does not happen. The
rules are those of `jobs/README.md`. This module imports neither pyspark nor TensorFlow nor Arrow.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tfspark.errors import UsageError, explain
from tfspark.scoring import flags, report_flags
from tfspark.scoring.flags import Flag


@dataclass(frozen=True)
class NoEffect:
    """Flags that have no effect on some command lines.

    Attributes:
        flags: The flags.
        where: When they have no effect, as the end of a sentence; it may contain values of flags.
        holds: Whether they have no effect on a given command line.
        hint: The hint of the error.
    """

    flags: Sequence[Flag]
    where: str
    holds: Callable[[Namespace], object]
    hint: str


def refuse_no_effect(args: Namespace, rules: Sequence[NoEffect]) -> None:
    """Refuse a flag that was given but has no effect.

    Raises:
        UsageError: Names the flag and the other flags, with a hint.
    """
    for rule in rules:
        for flag in rule.flags:
            if flag.name in args.given and rule.holds(args):
                where = rule.where.format(**vars(args))
                raise UsageError(explain(f"{flag.name} has no effect {where}.", hint=rule.hint))


def _lacks_no_column(args: Namespace) -> bool:
    """Whether --allow-missing has no effect; it has one for Parquet, ORC, and direct CSV."""
    is_filled = args.input_format == "csv" and args.path == "direct"
    return args.input_format not in ("parquet", "orc") and not is_filled


def _fills_all(args: Namespace) -> bool:
    return bool(args.register) and all(args.fill_null[name] for name in args.register)


OF_BATCH_SCORE = (
    NoEffect(
        (flags.INPUT_FORMAT, flags.OPTION, flags.ALLOW_MISSING),
        "with --input-table",
        lambda args: args.input_table,
        "leave it out, or read files with --input; with --input-format delta or iceberg, --input "
        "also reads the folder of such a table.",
    ),
    NoEffect(
        (flags.ALLOW_MISSING,),
        "with --input-format {input_format}",
        _lacks_no_column,
        "leave it out; only Parquet and ORC files, and CSV files with --path direct, may lack a "
        "column.",
    ),
    NoEffect(
        (flags.MAX_BAD_ROWS,),
        "without --bad-rows",
        lambda args: not args.bad_rows,
        "add --bad-rows PATH.",
    ),
    NoEffect(
        (report_flags.SAMPLE_ROWS, report_flags.BASELINE),
        "with --no-stats",
        lambda args: args.no_stats,
        "leave out one of them.",
    ),
    NoEffect(
        (flags.DIFFERENCE,),
        "without two models",
        lambda args: len(args.models) != 2,
        "give both with --models KEY=DIR, or leave it out.",
    ),
)
OF_SQL_SCORE = (
    NoEffect(
        (flags.OUTPUT_FORMAT, flags.OUTPUT_OPTION, flags.PARTITION_BY, flags.MODE),
        "without an output",
        lambda args: not (args.output or args.output_table),
        "add --output PATH or --output-table TABLE.",
    ),
    NoEffect(
        (flags.ON_NULL,),
        "if --fill-null names all models",
        _fills_all,
        "leave out one of them.",
    ),
)
