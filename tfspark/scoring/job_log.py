"""The log of a job: one line per record, secrets masked, control characters escaped. Driver.

Only `run_job` sets the format, so a program that uses the library keeps its own logging.
"""

from __future__ import annotations

import logging
import os
import sys

from tfspark.errors import UsageError, explain
from tfspark.foreign_text import one_line, quoted_lines, redacted

_log = logging.getLogger(__name__)


class JobFormatter(logging.Formatter):
    """Formats a record as one safe line, followed by an indented traceback if it has one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text; do not change it, because other handlers share it."""
        text = one_line(super().format(_without_traceback(record)))
        if record.exc_info:
            text += f"\n    {quoted_lines(self.formatException(record.exc_info))}"
        return text


class JobLog:
    """Writes the records of a job, and the error that ends it, to stderr."""

    def start(self) -> None:
        """Show warnings of all libraries and tfspark's own records.

        Raises:
            UsageError: When `TFSPARK_LOG_LEVEL` is not a level.
        """
        handler = logging.StreamHandler()
        handler.setFormatter(JobFormatter())
        logging.basicConfig(level=logging.WARNING, handlers=[handler])
        set_own_level()

    def fail(self, message: str) -> None:
        """Show the error that ends the job."""
        sys.stderr.write(f"error: {message}\n")


def set_own_level() -> None:
    """Set the level of tfspark's own records.

    Raises:
        UsageError: When `TFSPARK_LOG_LEVEL` is not a level.
    """
    level = os.environ.get("TFSPARK_LOG_LEVEL", "INFO")
    try:
        logging.getLogger("tfspark").setLevel(level.upper())
    except ValueError as error:
        raise UsageError(
            explain(
                "TFSPARK_LOG_LEVEL is not a log level.",
                expected="DEBUG, INFO, WARNING or ERROR",
                found=repr(level),
            )
        ) from error


def warn_of_secrets(*uris: str | None) -> None:
    """Warn that Spark shows a secret in a URI, because its plans contain paths."""
    for uri in uris:
        if uri and redacted(uri) != uri:
            _log.warning(
                "%s holds a secret, which Spark shows in its UI and writes to its event log; "
                "use a credential provider of the file system instead",
                redacted(uri),
            )


def _without_traceback(record: logging.LogRecord) -> logging.LogRecord:
    plain = logging.makeLogRecord(record.__dict__)
    plain.exc_info = plain.exc_text = plain.stack_info = None
    return plain
