"""Runs a compiled model of OpenVINO; refuses values that OpenVINO computes differently. Executor.

Invariants: contiguous memory is fed without a copy and is not written; results are copies. One
thread runs the model at a time; others wait. Denormals are zero during a run, as in TensorFlow;
then the mode of the calling thread is restored. NaN and infinity are errors of their row, because
OpenVINO's operations drop NaN: its Relu gives 0.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfspark.engine.denormals import DenormalsAreZero
from tfspark.engine.openvino.compiled import CompiledModel, compiled
from tfspark.engine.openvino.messages import reason_of
from tfspark.engine.openvino.operations import HINT, INPUT_TYPES
from tfspark.engine.protocol import CannotServeError, EngineOptions, OutOfMemoryError
from tfspark.errors import EngineError, explain
from tfspark.signature import Signature
from tfspark.tensors import Array, ByteStrings, Tensor

_INT32 = np.iinfo(np.int32)
_MEMORY = ("bad_alloc", "out of memory", "failed to allocate", "Cannot allocate")


class OpenVinoEngine:
    """A compiled model and a request, with the inputs and outputs of one signature."""

    def __init__(self, model: CompiledModel, signature: Signature) -> None:
        self._request: Any = model.compiled.create_infer_request()
        self._fed = [spec for spec in signature.inputs if spec.name in model.inputs]
        self._guards = range(len(model.tensors), len(model.compiled.outputs))
        sources = {spec.tensor: spec.name for spec in signature.inputs}
        self._passed = {
            spec.name: sources[spec.tensor] for spec in signature.outputs if spec.tensor in sources
        }
        self._outputs = {
            spec.name: model.tensors.index(spec.tensor)
            for spec in signature.outputs
            if spec.tensor not in sources
        }
        self._lock = threading.Lock()

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run one batch; see `Engine.run`."""
        fed = [_feed(spec.name, inputs[spec.name], spec.dtype) for spec in self._fed]
        with self._lock:
            if self._request is None:
                raise EngineError("The model was closed.")
            outputs = self._run(fed)
        return outputs | {name: inputs[source] for name, source in self._passed.items()}

    def close(self) -> None:
        """Release the model; safe to call twice."""
        with self._lock:
            self._request = None

    def _run(self, fed: Sequence[Array]) -> dict[str, Tensor]:
        import openvino as ov

        request = self._request
        # A request does not own the memory of its tensors; `fed` lives as long as the call.
        tensors = [ov.Tensor(array, shared_memory=True) for array in fed]
        try:
            for index, tensor in enumerate(tensors):
                request.set_input_tensor(index, tensor)
            with DenormalsAreZero():
                request.infer(share_outputs=True)
        except MemoryError as error:
            raise OutOfMemoryError("OpenVINO is out of memory.") from error
        except RuntimeError as error:
            raise _failure(error) from error
        for index in self._guards:
            if request.get_output_tensor(index).data.any():
                raise EngineError("an index that the model looks up is out of range")
        return {
            name: request.get_output_tensor(index).data.copy()
            for name, index in self._outputs.items()
        }


def load(
    export_dir: str, tags: tuple[str, ...], signature: Signature, options: EngineOptions
) -> OpenVinoEngine:
    """Load a SavedModel, or its compiled model from the node's folder.

    Raises:
        CannotServeError: When OpenVINO is not installed, cannot run the model, or may answer
            differently from TensorFlow; or when the task has a GPU.
        InvalidModelError: When the graph file is broken.
    """
    _check_installed()
    if options.gpu:
        problem = "OpenVINO runs models on CPUs, but the task was given a GPU."
        raise CannotServeError(explain(problem, hint=HINT))
    with DenormalsAreZero():  # OpenVINO changes the mode of the thread that compiles
        return OpenVinoEngine(compiled(export_dir, tags, signature, options), signature)


def _check_installed() -> None:
    try:
        import openvino  # noqa: F401
    except ImportError as error:
        raise CannotServeError(
            explain(
                "OpenVINO is not installed where the tasks run.",
                expected="openvino in the Python of the workers",
                found=str(error),
                hint='install the package openvino there, or leave out engine="openvino" '
                "(--engine openvino).",
            )
        ) from error


def _feed(name: str, tensor: Tensor, dtype: str) -> Array:
    """Return the memory to feed, without a copy if it is contiguous.

    Raises:
        EngineError: When the tensor has another type, or values that OpenVINO computes differently.
    """
    if 0 in tensor.shape:  # pooling would return the results of the last run, resizing would crash
        raise EngineError(f"input {name!r} is empty, and OpenVINO cannot run empty inputs")
    found = "string" if isinstance(tensor, ByteStrings) else str(tensor.dtype)
    if isinstance(tensor, ByteStrings) or found != dtype or dtype not in INPUT_TYPES:
        problem = "A tensor does not have its input's type."
        raise EngineError(explain(problem, expected=dtype, found=found))
    if values := _other_values(tensor):
        raise EngineError(
            f"input {name!r} has {values}, which OpenVINO computes differently from TensorFlow; "
            "other engines can score this row"
        )
    if not (tensor.flags.c_contiguous and tensor.flags.aligned):
        return np.array(tensor, order="C")
    return tensor if tensor.flags.writeable else np.asarray(_Writeable(tensor))


class _Writeable:
    """Shows read-only memory as writeable, because OpenVINO accepts only writeable arrays."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.__array_interface__ = {
            "version": 3,
            "data": (array.__array_interface__["data"][0], False),
            "shape": array.shape,
            "typestr": array.dtype.str,
        }


def _other_values(array: Array) -> str:
    """Name the values that OpenVINO computes differently from TensorFlow; empty without any."""
    if array.dtype.kind == "f":
        # A sum is one fast pass. It is finite only if every value is finite.
        with np.errstate(all="ignore"):
            is_fine = math.isfinite(array.sum()) or bool(np.isfinite(array).all())
        return "" if is_fine else "NaN or infinity"
    if array.dtype == np.int64 and array.size:
        is_fine = array.min() >= _INT32.min and array.max() <= _INT32.max
        return "" if is_fine else "an integer of more than 32 bits"
    return ""


def _failure(error: RuntimeError) -> EngineError:
    message = reason_of(error)
    if any(word in str(error) for word in _MEMORY):
        return OutOfMemoryError(message)
    return EngineError(message)
