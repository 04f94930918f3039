"""The engine that runs a model through TensorFlow's C API, without `import tensorflow`.

Opens an export dir as an `Engine` around a `TF_Session`, which feeds and fetches the graph tensors
of the signature. Executor only; nothing exists before the first load, so every session is created
after the fork.

Invariants: an engine has one session, which several threads may call; its operations run in the
caller's thread by default; denormals are zero during a run, as in TensorFlow's Python; every status
is checked; every handle is released once, and the session with the engine or at the end of the
process. The environment variables `TF_NUM_INTRAOP_THREADS` and `TF_NUM_INTEROP_THREADS` override
the options. All sessions of a process share the threads inside operations, and the first session
sets their number.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from ctypes import c_char_p, c_void_p
from dataclasses import dataclass
from typing import Any

from tfspark.dtypes import REFERENCE, TABLE, DType, by_name, name_of
from tfspark.engine import gpu
from tfspark.engine.ctensor import Result, feed
from tfspark.engine.denormals import DenormalsAreZero
from tfspark.engine.failure import failure, load_failure
from tfspark.engine.libtensorflow import OK, Output, Status, open_library
from tfspark.engine.protocol import CannotServeError, EngineOptions
from tfspark.errors import EngineError, TfsparkError, explain
from tfspark.session_config_pb2 import ConfigProto, GPUOptions
from tfspark.signature import Signature, TensorSpec
from tfspark.tensors import Tensor

_KNOWN_TYPES = {row.name for row in TABLE}


class NativeEngine:
    """A session, with the graph tensors of one signature."""

    def __init__(self, library: Any, session: int, graph: int, signature: Signature) -> None:
        self._release = weakref.finalize(self, _release, library, session, graph)
        self._library = library
        self._session = session
        self._inputs = _GraphTensors.find(library, graph, signature.inputs)
        self._inputs.check_types(library)
        fed = {spec.tensor: spec.name for spec in signature.inputs}
        known = [spec for spec in signature.outputs if spec.dtype in _KNOWN_TYPES]
        # A session cannot fetch a tensor that is fed.
        self._passed = {spec.name: fed[spec.tensor] for spec in known if spec.tensor in fed}
        self._outputs = _GraphTensors.find(
            library, graph, [spec for spec in known if spec.tensor not in fed]
        )

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run one batch; see `Engine.run`."""
        if not self._release.alive:
            raise EngineError("The model was closed.")
        fed, results = self._inputs.handles(), self._outputs.handles()
        try:
            for index, (name, dtype) in enumerate(self._inputs.items):
                fed[index] = feed(self._library, inputs[name], dtype)
            if results:  # a session refuses a run without fetches
                self._run(fed, results)
        finally:
            for handle in filter(None, fed):
                self._library.TF_DeleteTensor(handle)
        owned = [Result(self._library, handle) for handle in results]
        named = zip(self._outputs.items, owned, strict=True)
        found = {name: result.tensor() for (name, _), result in named}
        outputs = {name: tensor for name, tensor in found.items() if tensor is not None}
        return outputs | {name: inputs[source] for name, source in self._passed.items()}

    def close(self) -> None:
        """Close and delete the session; safe to call twice."""
        self._release()

    def _run(self, fed: Any, results: Any) -> None:
        inputs = (self._inputs.tensors, fed, len(fed))
        outputs = (self._outputs.tensors, results, len(results))
        with Status(self._library) as status:
            with DenormalsAreZero():
                self._library.TF_SessionRun(
                    self._session, None, *inputs, *outputs, None, 0, None, status.handle
                )
            code = status.code
            if code != OK:
                raise failure(code, status.message)


@dataclass(frozen=True)
class _GraphTensors:
    """The graph tensors of the inputs or outputs of a signature, for calls of the C API.

    Attributes:
        items: Name and type of each input or output.
        tensors: Array of `TF_Output`, one for each graph tensor; runs do not change it.
        handles: Creates an empty array with a place for each `TF_Tensor` handle.
    """

    items: tuple[tuple[str, DType], ...]
    tensors: Any
    handles: Any

    @classmethod
    def find(cls, library: Any, graph: int, specs: Sequence[TensorSpec]) -> _GraphTensors:
        """Look up the graph tensors of inputs or outputs."""
        tensors = (Output * len(specs))(*(_graph_tensor(library, graph, spec) for spec in specs))
        items = tuple((spec.name, by_name(spec.dtype)) for spec in specs)
        return cls(items, tensors, c_void_p * len(specs))

    def check_types(self, library: Any) -> None:
        """Refuse inputs whose type in the graph is not the one in the signature.

        Otherwise each run would fail with a message that seems to be about a row.
        """
        for (name, dtype), tensor in zip(self.items, self.tensors, strict=True):
            found = library.TF_OperationOutputType(tensor) % REFERENCE
            if found != dtype.number:
                raise EngineError(
                    explain(
                        f"Input {name!r} of the signature has another type in the graph.",
                        expected=dtype.name,
                        found=name_of(found),
                        hint="export the model again.",
                    )
                )


def load(
    export_dir: str, tags: tuple[str, ...], signature: Signature, options: EngineOptions
) -> NativeEngine:
    """Load a SavedModel into a session, initialise its tables and restore its variables.

    Raises:
        CannotServeError: When the C API is missing, or cannot load the model.
        InvalidModelError: When the variables are damaged.
        EngineError: When the graph lacks a tensor of the signature, or an input has another type
            there; when TensorFlow sees no GPU.
    """
    library = open_library()
    graph = library.TF_NewGraph()
    settings = library.TF_NewSessionOptions()
    try:
        with Status(library) as status:
            config = config_proto(options)
            library.TF_SetConfig(settings, config, len(config), status.handle)
            names = (c_char_p * len(tags))(*(tag.encode() for tag in tags))
            session = library.TF_LoadSessionFromSavedModel(
                settings,
                None,
                os.fsencode(export_dir),
                names,
                len(tags),
                graph,
                None,
                status.handle,
            )
            if status.code != OK:
                raise load_failure(export_dir, status.message) or CannotServeError(
                    explain(
                        f"TensorFlow's C API cannot load the model at {export_dir}.",
                        found=status.message,
                    )
                )
    except TfsparkError:
        library.TF_DeleteGraph(graph)
        raise
    finally:
        library.TF_DeleteSessionOptions(settings)
    engine = NativeEngine(library, session, graph, signature)
    if options.gpu:
        gpu.check(_device_types(library, session))
    return engine


def config_proto(options: EngineOptions) -> bytes:
    """Write a `ConfigProto` (config.proto): threads, soft placement and memory growth.

    A thread number in the environment counts only where the message leaves it at 0. Inter-op
    threads of -1 run everything in the caller's thread, which saves a change of threads per call.
    """
    intra = 0 if "TF_NUM_INTRAOP_THREADS" in os.environ else options.intra_op_threads
    inter = 0 if "TF_NUM_INTEROP_THREADS" in os.environ else options.inter_op_threads
    return ConfigProto(
        intra_op_parallelism_threads=intra,
        inter_op_parallelism_threads=-1 if inter == 1 else inter,
        gpu_options=GPUOptions(allow_growth=True),
        allow_soft_placement=True,  # the model may name the device it was trained on
    ).SerializeToString()


def _device_types(library: Any, session: int) -> list[str]:
    """Return the types of the devices that a session runs on."""
    with Status(library) as status:
        devices = library.TF_SessionListDevices(session, status.handle)
        try:
            count = library.TF_DeviceListCount(devices)
            types = [library.TF_DeviceListType(devices, i, status.handle) for i in range(count)]
        finally:
            library.TF_DeleteDeviceList(devices)
    return [kind.decode() for kind in types]


def _graph_tensor(library: Any, graph: int, spec: TensorSpec) -> Output:
    name, _, index = spec.tensor.partition(":")
    operation = library.TF_GraphOperationByName(graph, name.encode())
    if not operation or int(index or 0) >= library.TF_OperationNumOutputs(operation):
        raise EngineError(
            explain(
                "The graph of the model lacks a tensor of its signature.",
                expected=f"{spec} at {spec.tensor}",
            )
        )
    return Output(operation, int(index or 0))


def _release(library: Any, session: int, graph: int) -> None:
    with Status(library) as status:
        library.TF_CloseSession(session, status.handle)
        library.TF_DeleteSession(session, status.handle)
    library.TF_DeleteGraph(graph)
