"""Classifies failures of TensorFlow: a missing operation, damaged files, memory, or the batch.

Chooses the error to raise from TensorFlow's message and canonical error code, for both of
TensorFlow's engines. Executor only.

Invariant: a failure counts as an error of the batch only if a value of a row can cause it, so that
no row is blamed for a model that cannot run here.
"""

from __future__ import annotations

import re

from tfspark.engine.protocol import CannotServeError, MachineError, OutOfMemoryError
from tfspark.errors import EngineError, InvalidModelError, explain

_RESOURCE_EXHAUSTED = 8

# The canonical codes (absl/status/status.h) that a row can cause: UNKNOWN (from a Python function
# of the model), INVALID_ARGUMENT, NOT_FOUND (a file that a row names), ALREADY_EXISTS,
# PERMISSION_DENIED, OUT_OF_RANGE and DATA_LOSS (bytes that cannot be decoded). A row cannot cause
# FAILED_PRECONDITION (missing variables or tables), INTERNAL or, with one exception, UNIMPLEMENTED.
_ROW_CODES = {2, 3, 5, 6, 7, 11, 15}

# UNIMPLEMENTED: a loop over a row without elements has no results, and their shape is not known.
_OF_ROW = re.compile(r"TensorArray has size zero, but element shape")

# INVALID_ARGUMENT: the calls of a run do not fit the graph, whatever the rows are.
_NOT_FED = re.compile(r"You must feed a value for placeholder tensor '([^']*)'")
_OF_CALL = re.compile(r"is both fed and fetched")

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

# A variable that the graph reads and that no operation of the loader has restored.
_NO_VARIABLE = re.compile(
    r"(?:Could not find|Error while reading resource) variable (\S+?)(?=\.? )"
)


def failure(code: int, message: str) -> EngineError:
    """Return the error of a failed run.

    Args:
        code: TensorFlow's canonical error code.
        message: TensorFlow's message, without its listing of the graph.

    Returns:
        A `CannotServeError` when no row can be the reason, a `MachineError` when every engine would
        fail, an `OutOfMemoryError` when the batch is too large, otherwise an `EngineError` about
        the batch.
    """
    known = _missing_operation(message) or _missing_variable(message) or _unfit_call(message)
    if known is not None:
        return known
    if _OF_ROW.search(message):
        return EngineError(message)
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


def _missing_variable(message: str) -> CannotServeError | None:
    found = _NO_VARIABLE.search(message)
    if found is None:
        return None
    return CannotServeError(
        explain(
            f"The model does not restore its variable {found[1]!r}.",
            found=message,
            hint='if you chose engine="native" (--engine native), leave it out: the Python loader '
            "of TensorFlow can restore variables that no operation of the model restores.",
        )
    )


def _unfit_call(message: str) -> MachineError | None:
    if _OF_CALL.search(message):
        return MachineError(message)
    not_fed = _NOT_FED.search(message)
    if not_fed is None:
        return None
    return MachineError(
        explain(
            f"The model needs a value for {not_fed[1]!r}, which is not an input of its signature.",
            expected="a signature with all placeholders that its outputs need",
            found=message,
            hint="export the model again with that placeholder as an input, or with "
            "tf.compat.v1.placeholder_with_default in its place.",
        )
    )


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
