"""The log of a command: warnings on the terminal, everything in a file. Driver.

The file receives all log records and the output of the JVM and of the Python workers. It is in a
temporary folder. If the command succeeds, the file is deleted; if it fails, its path is printed.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

from tfspark.foreign_text import lines, one_line
from tfspark.scoring.job_log import JobFormatter, JobLog, set_own_level

# Records of this logger are shown although they are not warnings.
_PROGRESS = "tfspark.spark.cluster.progress"

FORMATS = ("text", "json")


class RunLog(JobLog):
    """The log of one command; a context manager that leaves the logging as it was."""

    def __init__(self, log_format: str = "text", *, verbose: bool = False) -> None:
        """Prepare the log; write nothing.

        Args:
            log_format: `text`, or `json` for one JSON object per line.
            verbose: Whether everything goes to the terminal, and nothing to a file.
        """
        self._formatter = JsonFormatter() if log_format == "json" else JobFormatter()
        self._is_json = log_format == "json"
        self._verbose = verbose
        self._handlers: list[logging.Handler] = []
        self._level = logging.WARNING
        self._path: Path | None = None
        self.has_failed = False

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        root = logging.getLogger()
        for handler in self._handlers:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(self._level)
        if self._path is not None and not self.has_failed:
            shutil.rmtree(self._path.parent, ignore_errors=True)

    def start(self) -> None:
        """Show warnings and progress, or with `verbose` all records of tfspark."""
        self._level = logging.getLogger().level
        logging.getLogger().setLevel(logging.WARNING)
        handler = logging.StreamHandler()
        if not self._verbose:
            handler.addFilter(_is_for_users)
        self._add(handler)
        set_own_level()

    def open_file(self) -> Path | None:
        """Create the file and return its path; `None` if everything goes to the terminal."""
        if self._verbose:
            return None
        self._path = Path(tempfile.mkdtemp(prefix="tfspark-")) / "spark.log"
        self._add(logging.FileHandler(self._path, encoding="utf-8"))
        return self._path

    def fail(self, message: str) -> None:
        """Show the error that ends the command, and the path of the log file."""
        self.has_failed = True
        if self._is_json:
            sys.stderr.write(f"{_json('ERROR', 'tfspark', message, self._path)}\n")
            return
        super().fail(message)
        if self._path is not None:
            sys.stderr.write(f"The log of Spark is in {self._path}\n")

    def _add(self, handler: logging.Handler) -> None:
        handler.setFormatter(self._formatter)
        logging.getLogger().addHandler(handler)
        self._handlers.append(handler)


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object on one line, with secrets masked."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        message = record.getMessage()
        if record.exc_info:
            message += f"\n{self.formatException(record.exc_info)}"
        return _json(record.levelname, record.name, message)


def _json(level: str, logger: str, message: str, log: Path | None = None) -> str:
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    # Each text is made safe by itself, because a secret may seem to go on after the end of a text.
    record = {"time": now, "level": level, "logger": one_line(logger), "message": lines(message)}
    if log is not None:
        record["log"] = one_line(log)
    return json.dumps(record, ensure_ascii=False)


def _is_for_users(record: logging.LogRecord) -> bool:
    # Ctrl-C makes py4j log a traceback.
    is_warning = record.levelno >= logging.WARNING and "py4j" not in record.pathname
    return is_warning or record.name == _PROGRESS
