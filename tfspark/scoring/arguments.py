"""Parses the values of flags. Driver.

All commands and jobs use it. It imports neither pyspark nor TensorFlow nor Arrow, so that `--help`
is fast.
"""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, TypeAlias

from tfspark.errors import UsageError
from tfspark.options import ScoreOptions
from tfspark.scoring.bad_row_limit import Limit

if TYPE_CHECKING:
    from tfspark.scoring.dataset import Dataset

# A parser, or a group of one; argparse has no public name for both.
Flags: TypeAlias = "argparse.ArgumentParser | argparse._ArgumentGroup"

# A comma that an even number of backticks follows, so it is not inside of them.
_COMMA = re.compile(r",(?=[^`]*(?:`[^`]*`[^`]*)*$)")


def pair(text: str) -> tuple[str, str]:
    """Parse `NAME=VALUE`."""
    name, separator, value = text.partition("=")
    if not (name and separator and value):
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, found {text!r}")
    return name, value


def pair_or_empty(text: str) -> tuple[str, str]:
    """Parse `NAME=VALUE`, where the value may be empty."""
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE or NAME=, found {text!r}")
    return name, value


def option(text: str) -> tuple[str, str]:
    """Parse `NAME=VALUE` for Spark. The value may be empty. Errors never print it."""
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise argparse.ArgumentTypeError("expected NAME=VALUE or NAME=; the name or = is missing")
    return name, value


def names(text: str) -> list[str]:
    """Parse `A,B,C`. A comma inside backticks is part of a name."""
    found = [name.strip() for name in _COMMA.split(text)]
    if not all(found):
        raise argparse.ArgumentTypeError(f"expected NAME[,NAME…], found {text!r}")
    return found


def feed_pair(text: str) -> tuple[str, str | list[str]]:
    """Parse `INPUT=COLUMN[,COLUMN…]`."""
    name, value = pair(text)
    columns = names(value)
    return name, columns[0] if len(columns) == 1 else columns


def row_shape(text: str) -> tuple[str, tuple[int | None, ...]]:
    """Parse `OUTPUT=2,None`, the shape of one row. `OUTPUT=` is the shape of a single number."""
    name, value = pair_or_empty(text)
    sizes = [size.strip() for size in value.split(",")] if value.strip("() ") else []
    if not all(size == "None" or size.isdigit() for size in sizes):
        raise argparse.ArgumentTypeError(
            f"expected OUTPUT=SIZE[,SIZE…] with None for a size that varies, found {text!r}"
        )
    return name, tuple(None if size == "None" else int(size) for size in sizes)


def positive(text: str) -> int:
    """Parse a whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")
    return int(text)


def whole(text: str) -> int:
    """Parse a whole number of at least 0."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number, 0 or more, found {text!r}")
    return int(text)


def seconds(text: str) -> float | None:
    """Parse seconds; 0 means no limit."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds, 0 or more, found {text!r}")
    return found or None


def limit(text: str) -> Limit:
    """Parse `N` or `N%`."""
    try:
        return Limit.of(text)
    except UsageError:
        raise argparse.ArgumentTypeError(f"expected a number or N%, found {text!r}") from None


def target_of(args: argparse.Namespace) -> Dataset:
    """Return the target that the output flags name."""
    from tfspark.scoring.dataset import Dataset

    return Dataset(
        args.output or "",
        args.output_table or "",
        args.output_format,
        args.output_option,
        args.partition_by,
    )


def model_options(args: argparse.Namespace) -> ScoreOptions:
    """Return the options that the flags of one model name."""
    return ScoreOptions(
        version=args.version,
        signature=args.signature,
        tags=tuple(args.tags),
        sha256=args.model_sha256,
        allow_ops=args.allow_ops,
        engine=args.engine,
        distribute=args.distribute,
        timeout=args.timeout,
    )
