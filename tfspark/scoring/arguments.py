"""The command line that the jobs share: flags, `name=value` arguments, exit codes. Driver.

This module imports neither pyspark nor TensorFlow nor Arrow, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from tfspark.errors import InputNotFoundError, TfsparkError, UsageError, explain
from tfspark.foreign_text import lines, quoted_lines
from tfspark.options import DEFAULTS, NULL_WORDS
from tfspark.scoring.bad_row_limit import Limit
from tfspark.scoring.job_log import start_log
from tfspark.scoring.job_parser import ByName, in_words, one_of

if TYPE_CHECKING:
    from tfspark.scoring.dataset import Dataset

_log = logging.getLogger(__name__)

# A parser, or a group of one; argparse has no public name for both.
Flags: TypeAlias = "argparse.ArgumentParser | argparse._ArgumentGroup"

FORMATS = ("parquet", "csv", "json", "orc", "avro")
INPUT_FORMATS = (*FORMATS, "binaryFile")
MODES = ("error", "overwrite", "append")

# What a run adds to the name of a table, or of a folder, while it writes.
_STAGED = re.compile(r"(__tfspark_\d{8}_\d{6}_\w{8}(_old)?)|(\.tfspark-\d{8}-\d{6}-\w{8}(-\w+)?)")


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
    """Parse `NAME=VALUE` for Spark; the value may be empty, and is never printed."""
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise argparse.ArgumentTypeError("expected NAME=VALUE or NAME=; the name or = is missing")
    return name, value


def names(text: str) -> list[str]:
    """Parse `A,B,C`."""
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"expected NAME[,NAME…], found {text!r}")
    return found


def feed_pair(text: str) -> tuple[str, str | list[str]]:
    """Parse `INPUT=COLUMN[,COLUMN…]`."""
    name, value = pair(text)
    columns = names(value)
    return name, columns[0] if len(columns) == 1 else columns


def row_shape(text: str) -> tuple[str, tuple[int | None, ...]]:
    """Parse `OUTPUT=2,None`, the shape of one row; nothing after the sign is a single number."""
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


def add_tags_flag(parser: Flags) -> None:
    """Add the flag that chooses the graph of a model."""
    parser.add_argument(
        "--tags",
        type=names,
        default=DEFAULTS.tags,
        metavar="TAG[,TAG…]",
        help=f"tag set of the graph (default: {','.join(DEFAULTS.tags)})",
    )


def add_allow_ops_flag(parser: Flags) -> None:
    """Add the flag that allows operations that touch more than tensors."""
    parser.add_argument(
        "--allow-ops",
        type=names,
        default=DEFAULTS.allow_ops,
        metavar="OP[,OP…]",
        help="operations that the model may contain although they touch files, the network, other "
        "processes or Python, such as ReadFile (default: none)",
    )


def add_output_shape_flag(parser: Flags, output: str) -> None:
    """Add the flag for outputs of unknown rank; `output` is how the flag names one."""
    parser.add_argument(
        "--output-shape",
        type=row_shape,
        action=ByName,
        default={},
        metavar=f"{output}=[SIZE,…]",
        help="shape of one row of an output whose rank the model does not tell: y= is one "
        "number, y=3,None an array of 3 arrays of any length; repeatable",
    )


def add_narrow_flag(parser: Flags) -> None:
    """Add the flag that allows numbers with fractions for inputs of integers."""
    parser.add_argument(
        "--narrow",
        action="store_true",
        help="allow to feed double, float or decimal to an input of integers; a value with a "
        "fraction is then an error of its row",
    )


def add_null_flags(parser: Flags, name: str) -> None:
    """Add the flags that say what becomes of a null; `name` is how a flag names an input."""
    parser.add_argument(
        "--on-null",
        type=one_of(*NULL_WORDS),
        default=DEFAULTS.on_null,
        metavar="WHAT",
        help="whether a row with null in an input gives null or ends the job with an error: "
        f"{in_words(NULL_WORDS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--fill-null",
        type=pair_or_empty,
        action=ByName,
        default={},
        metavar=f"{name}=VALUE",
        help="what feeds an input in place of null, such as Age=nan or Cabin=; repeatable",
    )


def add_output_flags(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the flags that say where rows go."""
    target = parser.add_mutually_exclusive_group(required=required)
    target.add_argument("--output", metavar="PATH", help="folder to write, as a path or URI")
    target.add_argument("--output-table", metavar="TABLE", help="table to write, such as db.scores")
    parser.add_argument(
        "--output-format",
        type=one_of(*FORMATS),
        default="parquet",
        metavar="FORMAT",
        help=f"{', '.join(FORMATS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--output-option",
        type=option,
        action=ByName,
        default={},
        metavar="K=V",
        help="option of Spark's writer; repeatable",
    )
    parser.add_argument(
        "--partition-by",
        type=names,
        default=[],
        metavar="COLUMN[,COLUMN…]",
        help="columns by whose values Spark puts the rows into folders",
    )
    parser.add_argument(
        "--mode",
        type=one_of(*MODES),
        default="error",
        metavar="MODE",
        help="what to do when the output exists: error, overwrite or append "
        "(default: %(default)s); an overwritten table keeps all but its rows",
    )
    parser.add_argument(
        "--report",
        metavar="PATH",
        help="where the JSON report goes (default: _tfspark_report_<run>.json in the output "
        "folder, or in the working directory for a table)",
    )


def add_bad_row_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that set bad rows aside."""
    bad = parser.add_argument_group("bad rows")
    bad.add_argument(
        "--bad-rows",
        metavar="PATH",
        help="folder for rows that cannot be scored, as Parquet: the columns of the input, _reason "
        "and _input_file (default: the first bad row ends the job)",
    )
    bad.add_argument(
        "--max-bad-rows",
        type=limit,
        metavar="N|N%",
        help="the job fails and publishes nothing when more rows are bad (default: 100%%)",
    )


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


def run_job(job: Callable[[], str]) -> int:
    """Run a job and turn its end into an exit code.

    Args:
        job: Returns the path of its report, which is printed last on stdout, with secrets masked.

    Returns:
        0, or the exit code of the error, whose message goes to stderr: 2 usage, 65 model or data,
        66 no input, 73 output exists, 130 interrupted, 70 anything else. The traceback of the last
        is a record of level DEBUG.
    """
    try:
        start_log()
        report = job()
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        return 130
    except Exception as error:
        message, code = _message_and_code(error)
        sys.stderr.write(f"error: {_STAGED.sub('', message)}\n")
        return code
    sys.stdout.write(f"{lines(report)}\n")
    return 0


def _message_and_code(error: Exception) -> tuple[str, int]:
    if isinstance(error, TfsparkError):
        return str(error), error.exit_code
    from tfspark.spark.cluster.failures import cause, is_missing, is_refusal

    if is_refusal(error):
        code = InputNotFoundError.exit_code if is_missing(error) else 65
        # After ";\n" Spark prints a plan, which does not help the user.
        return quoted_lines(str(error).partition(";\n")[0]), code
    _log.debug("the job failed", exc_info=error)
    return explain(
        "The job failed.",
        found=cause(error),
        hint="the log above may say more; TFSPARK_LOG_LEVEL=DEBUG shows where it happened.",
    ), TfsparkError.exit_code
