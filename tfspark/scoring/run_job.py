"""Runs a job or command, and turns its end into an exit code. Driver.

It imports neither pyspark nor TensorFlow nor Arrow until an error has to be explained.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tfspark.errors import InputNotFoundError, TfsparkError, explain
from tfspark.foreign_text import lines, quoted_lines
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

_log = logging.getLogger(__name__)

# The part of a table or folder name that a run adds while it writes. Messages leave it out.
_OF_RUN = re.compile(
    r"__tfspark_\d{8}_\d{6}_\w{8}|\.tfspark/work-\d{8}-\d{6}-\w{8}(/\w+)?",
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
