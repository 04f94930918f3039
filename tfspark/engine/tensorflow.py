"""The engine that runs a model through TensorFlow's Python API, in the same process.

Opens an export dir with `tf.saved_model.load` as an `Engine` that calls the signature by name.
TensorFlow is imported when the first model is opened, on the executor, after the fork.

Invariants: threads are set once per process, before TensorFlow starts its runtime, because it
refuses later changes; the environment variables `TF_NUM_INTRAOP_THREADS` and
`TF_NUM_INTEROP_THREADS` override the options; GPU memory grows on demand; `tf.constant` copies
every input once.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfspark.dtypes import reason_unsupported
from tfspark.engine import gpu
from tfspark.engine.failure import failure, load_failure
from tfspark.engine.protocol import CannotServeError, EngineOptions, first_lines
from tfspark.errors import EngineError, explain
from tfspark.signature import Signature
from tfspark.tensors import ByteStrings, Tensor

_log = logging.getLogger(__name__)

# The last line before TensorFlow's message when the graph has no traces of the code that made it.
_NO_TRACES = "<stack traces unavailable>"


# The trace of the code that made a node, which precedes the message and can be long.
_TRACE = re.compile(r"^Detected at node .*:\n(?:[ \t].*\n|\n)*", re.MULTILINE)


class TensorFlowEngine:
    """A loaded SavedModel and one of its signatures."""

    def __init__(self, model: Any, signature: Signature) -> None:
        self._model: Any = model  # owns the variables that the function reads
        self._function: Any = model.signatures[signature.name]
        self._signature = signature

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run one batch; see `Engine.run`."""
        import tensorflow as tf

        fed = {
            spec.name: _fed(tf, inputs[spec.name], spec.dtype) for spec in self._signature.inputs
        }
        try:
            results = self._function(**fed)
        except tf.errors.OpError as error:
            raise failure(error.error_code, _first_lines(error)) from error
        except (ValueError, TypeError) as error:
            raise EngineError(_first_lines(error)) from error
        known = [spec for spec in self._signature.outputs if not reason_unsupported(spec.dtype)]
        return {spec.name: _fetched(tf, results[spec.name]) for spec in known}

    def close(self) -> None:
        """Drop the model; TensorFlow frees it with its last reference."""
        self._model = self._function = None


def load(
    export_dir: str, tags: tuple[str, ...], signature: Signature, options: EngineOptions
) -> TensorFlowEngine:
    """Load a SavedModel.

    Raises:
        CannotServeError: When TensorFlow is missing, or cannot load the model.
        MachineError: When TensorFlow does not see the GPU.
        InvalidModelError: When the variables are damaged.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow as tf
    except ImportError as error:
        raise CannotServeError(
            explain(
                "TensorFlow is not installed where the tasks run.",
                expected="tensorflow or tensorflow-cpu in the Python of the workers",
                found=str(error),
                hint="install it there, or set PYSPARK_PYTHON to a Python that has it.",
            )
        ) from error
    _configure(tf, options)
    if options.gpu:
        gpu.check([device.device_type for device in tf.config.list_logical_devices()])
    try:
        model = tf.saved_model.load(str(Path(export_dir)), tags=list(tags))
        return TensorFlowEngine(model, signature)
    except Exception as error:  # the loader raises many types of errors for a broken model
        message = _first_lines(error)
        raise load_failure(export_dir, message) or CannotServeError(
            explain(
                f"TensorFlow {tf.__version__} cannot load the model at {export_dir}.",
                found=message,
                hint="check that it loads with tf.saved_model.load where it was made.",
            )
        ) from error


def _configure(tf: Any, options: EngineOptions) -> None:
    try:
        if "TF_NUM_INTRAOP_THREADS" not in os.environ:
            tf.config.threading.set_intra_op_parallelism_threads(options.intra_op_threads)
        if "TF_NUM_INTEROP_THREADS" not in os.environ:
            tf.config.threading.set_inter_op_parallelism_threads(options.inter_op_threads)
        for device in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(device, True)
    except RuntimeError as error:  # TensorFlow's runtime has already started in this process
        _log.info("TensorFlow keeps the settings it started with: %s", error)


def _fed(tf: Any, tensor: Tensor, dtype: str) -> Any:
    """Return an input as TensorFlow's tensor; bfloat16 inputs arrive as float32."""
    if isinstance(tensor, ByteStrings):
        return tf.constant(tensor.to_objects(), dtype=dtype)
    return tf.cast(tensor, dtype) if dtype == "bfloat16" else tf.constant(tensor, dtype=dtype)


def _fetched(tf: Any, result: Any) -> Tensor:
    """Return a result as a tensor; TensorFlow returns a scalar string as `bytes`."""
    value = (tf.cast(result, "float32") if result.dtype == "bfloat16" else result).numpy()
    array = np.asarray(value, dtype=object) if isinstance(value, bytes) else value
    return ByteStrings.from_objects(array) if array.dtype == object else array


def _first_lines(error: BaseException) -> str:
    """Return the message without TensorFlow's listing of the whole graph and empty stack traces."""
    message = _TRACE.sub("", str(error)).partition(_NO_TRACES)
    return first_lines(message[2] or message[0]) or type(error).__name__
