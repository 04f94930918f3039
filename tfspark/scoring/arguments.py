"""Parses flag values, and turns the end of a job into an exit code. Driver.

All job programs use it. It imports neither pyspark nor TensorFlow nor Arrow, so that `--help` is
fast.
"""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

from tfspark.errors import InputNotFoundError, TfsparkError, UsageError, explain
from tfspark.foreign_text import lines, quoted_lines
from tfspark.options import ScoreOptions
from tfspark.scoring.bad_row_limit import Limit
from tfspark.scoring.exit_codes import (
    BUG,
    INPUT_OUTPUT,
    INTERRUPTED,
    REFUSED,
    TERMINATED,
    TRY_AGAIN,
)
from tfspark.scoring.job_log import JobLog
from tfspark.scoring.signals import TerminatedError, terminated_as_interrupted
from tfspark.standard_streams import prepare_streams, write_out

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from tfspark.scoring.dataset import Dataset

_log = logging.getLogger(__name__)

# A parser, or a group of one; argparse has no public name for both.
Flags: TypeAlias = "argparse.ArgumentParser | argparse._ArgumentGroup"

# A comma that an even number of backticks follows, so it is not inside of them.
_COMMA = re.compile(r",(?=[^`]*(?:`[^`]*`[^`]*)*$)")

# The part of a table or folder name that a run adds while it writes. Messages leave it out.
_OF_RUN = re.compile(
    r"__tfspark_\d{8}_\d{6}_\w{8}|\.tfspark/work-\d{8}-\d{6}-\w{8}(/\w+)?",
)


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


def run_job(job: Callable[[], str], log: JobLog | None = None) -> int:
    """Run a job and return its exit code.

    Args:
        job: Runs the job and returns the path of its report. The path is the last line on stdout,
            with secrets masked. A job that prints everything itself returns an empty text.
        log: Shows log records and the message of an error; by default on stderr.

    Returns:
        0, or the exit code of the error (see `exit_codes`). The traceback of an error that is not
        a `TfsparkError` is logged at level DEBUG.
    """
    prepare_streams()
    log = log or JobLog()
    try:
        log.start()
        with terminated_as_interrupted():
            report = job()
    except KeyboardInterrupt as error:
        signal = "terminated" if isinstance(error, TerminatedError) else "interrupted"
        hint = "run the same command again; a batch job then continues where it stopped."
        log.fail(f"{signal}\nHint: {hint}")
        return TERMINATED if isinstance(error, TerminatedError) else INTERRUPTED
    except Exception as error:
        message, code = _message_and_code(error)
        log.fail(_OF_RUN.sub("", message))
        return code
    if report:
        write_out(f"{lines(report)}\n")
    return 0


def stop(spark: SparkSession) -> None:
    """Stop a session. An error or a signal does not change the result of the job.

    A job that has reported is another job when it is run again, so a signal must not ask for that.
    """
    try:
        spark.stop()
    except Exception as error:
        _log.warning("the session could not be stopped: %s", error)
    except KeyboardInterrupt:
        _log.warning("a signal came while the session was stopped")


def _message_and_code(error: Exception) -> tuple[str, int]:
    if isinstance(error, TfsparkError):
        return str(error), error.exit_code
    if find_spec("pyspark") is None:  # a command that needs no Spark
        _log.debug("the command failed", exc_info=error)
        return _explained(error, str(error), is_io=isinstance(error, OSError))
    from tfspark.spark.cluster.failures import is_missing, is_refusal

    if is_refusal(error):
        code = InputNotFoundError.exit_code if is_missing(error) else REFUSED
        # After ";\n" Spark prints a plan, which does not help the user.
        return quoted_lines(str(error).partition(";\n")[0]), code
    return _unexpected(error)


def _unexpected(error: Exception) -> tuple[str, int]:
    """Return message and exit code: of a lost process, of failed I/O, or of a bug."""
    from tfspark.spark.cluster.failures import cause, is_disconnected, is_of_io
    from tfspark.spark.cluster.lost_workers import lost

    _log.debug("the job failed", exc_info=error)
    if own := lost(error, "the job"):
        return str(own), own.exit_code
    if is_disconnected(error):
        problem, code = "The JVM of Spark's driver ended during the job.", TRY_AGAIN
        hint = "find the reason in Spark's log (often memory), and run the command again."
        return explain(problem, found=cause(error), hint=hint), code
    return _explained(error, cause(error), is_io=is_of_io(error))


def _explained(error: Exception, found: str, *, is_io: bool) -> tuple[str, int]:
    """Return message and exit code: of failed I/O, or of a bug."""
    if is_io:
        problem, code = "The job could not read or write.", INPUT_OUTPUT
        hint = "check the network, and the space and permissions of the input and the output."
    else:
        problem, code = "The job failed.", BUG
        hint = "Spark's log may say more; TFSPARK_LOG_LEVEL=DEBUG shows where it happened."
    return explain(problem, found=found or type(error).__name__, hint=hint), code
