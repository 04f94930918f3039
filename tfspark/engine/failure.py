"""Classifies failures of TensorFlow: a missing operation, damaged files, memory, or the batch.

Chooses the error to raise from TensorFlow's message and canonical error code, for both of
TensorFlow's engines. Executor only.

Invariant: a failure counts as an error of the batch only if a value of a row can cause it, so that
no row is blamed for a model that cannot run here.
"""

from __future__ import annotations

import re

from tfspark.engine.protocol import CannotServeError, OutOfMemoryError
from tfspark.errors import EngineError, InvalidModelError, explain

_RESOURCE_EXHAUSTED = 8

# The canonical codes (absl/status/status.h) that a row can cause: UNKNOWN (from a Python function
# of the model), INVALID_ARGUMENT, NOT_FOUND (a file that a row names), ALREADY_EXISTS,
# PERMISSION_DENIED, OUT_OF_RANGE and DATA_LOSS (bytes that cannot be decoded). A row cannot cause
# FAILED_PRECONDITION (missing variables or tables), UNIMPLEMENTED or INTERNAL.
_ROW_CODES = {2, 3, 5, 6, 7, 11, 15}

# Messages with the code INVALID_ARGUMENT or NOT_FOUND, from a load or a run. The last line is the
# message about a Python function.
_NO_OPERATION = re.compile(
    r"No OpKernel was registered to support Op '([^']*)'"
    r"|No registered '([^']*)' OpKernel"
    r"|Could not find device for node: .*? = ([^\[]*)\["
    r"|Op type not registered '([^']*)'"
    r"|Could not find callback with key=pyfunc|callback pyfunc_\d+ is not found"
)

# Messages of the reader of checkpoints; an sstable is the index of a checkpoint.
_DAMAGED_VARIABLES = re.compile(
    r"sstable|checksum|Read less bytes than requested|Parsed past limit|TensorBundle"
    r"|variables\.index|table file",
    re.IGNORECASE,
)


def failure(code: int, message: str) -> EngineError:
    """Return the error of a failed run.

    Args:
        code: TensorFlow's canonical error code.
        message: TensorFlow's message, without its listing of the graph.

    Returns:
        A `CannotServeError` when no row can be the reason, an `OutOfMemoryError` when the batch is
        too large, otherwise an `EngineError` about the batch.
    """
    missing = _missing_operation(message)
    if missing is not None:
        return missing
    if code == _RESOURCE_EXHAUSTED:
        return OutOfMemoryError(message)
    return EngineError(message) if code in _ROW_CODES else CannotServeError(message)


def load_failure(export_dir: str, message: str) -> EngineError | InvalidModelError | None:
    """Return the error of a load that fails with every engine; `None` for any other message."""
    if _DAMAGED_VARIABLES.search(message):
        return InvalidModelError(
            explain(
                f"The variables of the model at {export_dir} are damaged.",
                expected="variables/variables.index and variables/variables.data-… as exported",
                found=message,
                hint="copy both again from where the model was exported, or export it again.",
            )
        )
    return _missing_operation(message)


def _missing_operation(message: str) -> CannotServeError | None:
    found = _NO_OPERATION.search(message)
    if found is None:
        return None
    operation = next(filter(None, found.groups()), "py_function")
    return CannotServeError(
        explain(
            f"TensorFlow cannot run the operation {operation!r} of the model here.",
            expected="an operation of TensorFlow itself, for a device of this machine",
            found=message,
            hint="export the model without it: Python functions (tf.py_function) stay in the "
            "process that exported them, and this TensorFlow has no operations of other packages "
            "or of other devices.",
        )
    )
