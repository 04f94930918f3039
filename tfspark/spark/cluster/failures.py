"""Converts failures of Spark jobs to errors of tfspark. Driver.

The text of Spark's exception contains the traceback of the worker and the stack of the JVM. The
functions return the typed error that the worker raised, a typed error for a common failure, or the
line with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from py4j.protocol import Py4JNetworkError
from pyspark.errors import AnalysisException, IllegalArgumentException, PySparkException

from tfspark import errors
from tfspark.errors import EngineError, InvalidInputError, TfsparkError, explain

# An error with its message, up to the frames of the JVM or to the next error of a chain.
_RAISED = re.compile(
    r"^tfspark\.(?:\w+\.)*(\w+Error): (.*?)"
    r"(?=^\s+at |^\s*SQLSTATE|^\S*Traceback|\n\n(?:The above|During handling|JVM|Driver) |\Z)",
    re.M | re.S,
)
_NOT_THERE = {"PATH_NOT_FOUND", "TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND"}
_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
# The line after the frames of a Python traceback.
_PYTHON = re.compile(r"Traceback \(most recent call last\):\n(?:[ \t].*\n)+(\S.*)")
# A file that Spark could not read, and the message of the last cause, without its class.
_READING = re.compile(r"(?:while reading file|ould not read footer for file:?) (\S.*?)\.(?=\s)")
# A type of Parquet that Spark lacks, such as INT64 (TIMESTAMP(NANOS,false)).
_PARQUET_TYPE = re.compile(
    r"(?:Illegal Parquet type: |Parquet type not yet supported: |Unrecognized Parquet type: |"
    r"UNSUPPORTED_TIME_TYPE\] The data type )(.+?)(?: is not supported)?\.(?=\s|$)"
)
# The name of two columns of the input; Spark ignores the case of names.
_SAME_NAME = re.compile(r"COLUMN_ALREADY_EXISTS\].*? column `((?:[^`]|``)+)` already exists")
_REASON = re.compile(r"^Caused by: [\w.$]+: (.*?)(?=\n\s+at |\n\t| SQLSTATE|\Z)", re.M | re.S)
# Java could not start the program of the workers.
_NO_PYTHON = re.compile(r'Cannot run program "([^"]+)"[^:\n]*: (.+)')
# A part of a broadcast that no process has any more, or whose bytes have another checksum.
_LOST_BROADCAST = re.compile(
    r"(?:Failed to get|corrupt remote block) broadcast_\d+_piece\d+ of broadcast_\d+"
)
_CAUSED_BY = re.compile(r"^Caused by: (.*)", re.M)
# An exception of Python, Java or Hadoop about a file, a disk or a connection.
_OF_IO = re.compile(
    r"(?:OSError|PermissionError|FileNotFoundError|BrokenPipeError|Connection\w*Error|TimeoutError)\b"
    r"|(?:java\.io|java\.net|java\.nio|org\.apache\.hadoop)\.(?:\w+\.)*\w+Exception\b"
)
_CALLING = re.compile(r"^An error occurred while calling .*\n: (.*)")


def from_worker(error: BaseException) -> TfsparkError | None:
    """Return the error from a worker or about an input file; `None` for any other failure."""
    text = str(error)
    if raised := _RAISED.findall(text):
        name, message = raised[-1]  # the others are its causes
        error_type: type[TfsparkError] = getattr(errors, name, EngineError)
        return error_type(message.strip())
    if lost := _LOST_BROADCAST.search(text):
        return EngineError(
            explain(
                "A part of a broadcast, such as a model, did not reach a worker.",
                found=lost.group(0),
                hint="run it again, and check the disks of the driver and of the executors.",
            )
        )
    return _of_python(text) or refused_column(error) or unreadable_file(error)


def _of_python(text: str) -> EngineError | None:
    """Return the error of a Python that the workers cannot use; `None` for another failure."""
    if missing := _NO_MODULE.search(text):
        return EngineError(
            explain(
                f"The Python of the workers has no module {missing.group(1)!r}.",
                expected="tfspark, numpy, pyarrow, protobuf and the package of the engine, where "
                "the tasks run",
                hint="submit with spark-submit.sh, set PYSPARK_PYTHON to a Python with them, or "
                "send an environment (make env-archive).",
            )
        )
    if python := _NO_PYTHON.search(text):
        return EngineError(
            explain(
                f"The workers cannot start the Python {python.group(1)}.",
                found=python.group(2),
                hint="set PYSPARK_PYTHON or --conf spark.pyspark.python=… to a Python that exists "
                "on every node, or send an environment (make env-archive).",
            )
        )
    return None


def refused_column(error: BaseException) -> InvalidInputError | None:
    """Return the error of a column that Spark cannot read; `None` for another failure."""
    text = str(error)
    if kind := _PARQUET_TYPE.search(text):
        return InvalidInputError(
            explain(
                "The input has a column of a Parquet type that this Spark lacks.",
                expected="types that Spark writes, such as TIMESTAMP(MICROS,true)",
                found=kind.group(1),
                hint="write the files with another type; for nanoseconds, set "
                "spark.sql.legacy.parquet.nanosAsLong=true, which reads them as bigint.",
            )
        )
    if name := _SAME_NAME.search(text):
        return InvalidInputError(
            explain(
                "Two columns have the same name, because Spark ignores the case of names: "
                f"{name.group(1)!r}.",
                hint="rename one of them, or set spark.sql.caseSensitive=true.",
            )
        )
    return None


def unreadable_file(error: BaseException) -> InvalidInputError | None:
    """Return the error of an input file that Spark could not read; `None` for another failure."""
    text = str(error)
    file = _READING.search(text)
    if file is None:
        return None
    reasons = _REASON.findall(text)
    return InvalidInputError(
        explain(
            f"The input file {file.group(1)} cannot be read.",
            found=" ".join(reasons[-1].split()) if reasons else cause(error),
            hint="check that the file is complete, has the input format and has the same columns.",
        )
    )


@contextmanager
def own_errors() -> Iterator[None]:
    """Raise the error of a worker with its original type."""
    try:
        yield
    except Exception as error:
        own = from_worker(error)
        if own is None:
            raise
        raise own from error


def cause(error: BaseException) -> str:
    """Return the line with the reason from the stacks and tracebacks."""
    text = str(error)
    for pattern in (_PYTHON, _CAUSED_BY, _CALLING):
        if found := pattern.findall(text):
            return str(found[-1]).strip()
    return text.strip().partition("\n")[0] or type(error).__name__


def is_disconnected(error: BaseException) -> bool:
    """Whether the driver's JVM has ended, for example because it ran out of memory."""
    chain: BaseException | None = error
    seen: set[int] = set()
    while chain is not None and id(chain) not in seen:  # an error may be its own cause
        if isinstance(chain, (Py4JNetworkError, ConnectionError)):
            return True
        seen.add(id(chain))
        chain = chain.__cause__
    return False


def is_of_io(error: BaseException) -> bool:
    """Whether reading or writing failed, on the driver or in a task."""
    return isinstance(error, OSError) or bool(_OF_IO.match(cause(error)))


def is_broken_record(error: BaseException) -> bool:
    """Whether the failure is a broken record of a CSV or JSON file."""
    return "MALFORMED_RECORD_IN_PARSING" in str(error)


def condition(error: PySparkException) -> str | None:
    """Return Spark's error condition, such as `PATH_NOT_FOUND`; Spark 3.5 has an older method."""
    ask = getattr(error, "getCondition", None) or error.getErrorClass
    return cast("str | None", ask())


def is_missing(error: BaseException) -> bool:
    """Whether Spark did not find a path, table or schema."""
    return isinstance(error, AnalysisException) and condition(error) in _NOT_THERE


def is_refusal(error: BaseException) -> bool:
    """Whether Spark refused a plan or an option, for example an unknown column."""
    return isinstance(error, (AnalysisException, IllegalArgumentException))
