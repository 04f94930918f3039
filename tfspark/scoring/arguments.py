"""The command line that the jobs share: flags, `name=value` arguments, exit codes. Driver.

In come strings, out go typed values, or a usage error before pyspark or TensorFlow is imported:
this module imports neither, so `--help` answers at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from tfspark.errors import InputNotFoundError, TfsparkError, explain

_log = logging.getLogger(__name__)

FORMATS = ("parquet", "csv", "json", "orc", "avro")
INPUT_FORMATS = (*FORMATS, "binaryFile")
MODES = ("error", "overwrite", "append")


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


def columns(text: str) -> list[str]:
    """Parse `A,B,C`."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"expected COLUMN[,COLUMN…], found {text!r}")
    return names


def feed_pair(text: str) -> tuple[str, str | list[str]]:
    """Parse `INPUT=COLUMN[,COLUMN…]`."""
    name, value = pair(text)
    names = columns(value)
    return name, names[0] if len(names) == 1 else names


class ByName(argparse.Action):
    """Collects repeated `NAME=VALUE` flags in a dict; a name given twice would be lost once."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add one pair."""
        name, value = values
        found = dict(getattr(namespace, self.dest))
        if name in found:
            parser.error(f"argument {option_string}: {name!r} is given twice")
        setattr(namespace, self.dest, {**found, name: value})


def positive(text: str) -> int:
    """Parse a whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")
    return int(text)


def add_output_flags(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the flags that say where rows go."""
    target = parser.add_mutually_exclusive_group(required=required)
    target.add_argument("--output", metavar="PATH", help="folder to write, as a path or URI")
    target.add_argument("--output-table", metavar="TABLE", help="table to write, such as db.scores")
    parser.add_argument("--output-format", choices=FORMATS, default="parquet")
    parser.add_argument(
        "--output-option",
        type=pair_or_empty,
        action=ByName,
        default={},
        metavar="K=V",
        help="option of Spark's writer; repeatable",
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="error",
        help="what to do when the output exists (default: %(default)s)",
    )
    parser.add_argument(
        "--report",
        metavar="PATH",
        help="where the JSON report goes (default: _tfspark_report_<run>.json in the output "
        "folder, or in the working directory for a table)",
    )


def run_job(job: Callable[[], str]) -> int:
    """Run a job and turn its end into an exit code.

    Args:
        job: Returns the path of its report, which becomes the last line on stdout.

    Returns:
        0, or the exit code of the error, whose message goes to stderr: 2 usage, 65 model or data,
        66 no input, 73 output exists, 130 interrupted, 70 anything else. The traceback of the last
        is a record of level DEBUG.
    """
    level = os.environ.get("TFSPARK_LOG_LEVEL", "INFO")
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("tfspark").setLevel(level)
    try:
        report = job()
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        return 130
    except Exception as error:
        message, code = _message_and_code(error)
        sys.stderr.write(f"error: {message}\n")
        return code
    sys.stdout.write(f"{report}\n")
    return 0


def _message_and_code(error: Exception) -> tuple[str, int]:
    if isinstance(error, TfsparkError):
        return str(error), error.exit_code
    from tfspark.spark.failures import cause, is_missing, is_refusal

    if is_refusal(error):
        code = InputNotFoundError.exit_code if is_missing(error) else 65
        return str(error).partition(";\n")[0], code  # a plan follows, which is Spark's own affair
    _log.debug("the job failed", exc_info=error)
    return explain(
        "The job failed.",
        found=cause(error),
        hint="the log above may say more; TFSPARK_LOG_LEVEL=DEBUG shows where it happened.",
    ), TfsparkError.exit_code
