"""What went wrong in a Spark job, in tfspark's own words. Driver.

In comes the exception that Spark raised, whose text holds the traceback of a worker; out goes the
typed error that the worker raised, or one for the few failures of Spark that users meet.
"""

from __future__ import annotations

import re

from pyspark.errors import AnalysisException

from tfspark import errors
from tfspark.errors import EngineError, TfsparkError, explain

_RAISED = re.compile(
    r"^tfspark\.errors\.(\w+): (.*?)(?=^\s+at |^\s*SQLSTATE|^\S*Traceback|\n\n|\Z)", re.M | re.S
)
_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")


def from_worker(error: BaseException) -> TfsparkError | None:
    """Return the error that a worker raised in a failed job, or `None` for any other failure."""
    text = str(error)
    if raised := _RAISED.search(text):
        error_type: type[TfsparkError] = getattr(errors, raised.group(1), TfsparkError)
        return error_type(raised.group(2).strip())
    if missing := _NO_MODULE.search(text):
        return EngineError(
            explain(
                f"The Python of the workers has no module {missing.group(1)!r}.",
                expected="tfspark, numpy, pyarrow, protobuf and tensorflow where the tasks run",
                hint="submit with spark-submit.sh, or point PYSPARK_PYTHON to a Python with them.",
            )
        )
    return None


def is_refusal(error: BaseException) -> bool:
    """Whether Spark refused a plan: a wrong name, a type that a format cannot hold."""
    return isinstance(error, AnalysisException)
