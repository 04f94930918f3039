"""Opens TensorFlow's C API, which is inside the installed wheel, with ctypes.

Returns a `ctypes.CDLL` whose functions have their argument types declared. Executor only. Every
TensorFlow wheel contains the C API in `libtensorflow_cc`. Opening it takes a fraction of the time
and memory of `import tensorflow`, which this module never does.

Invariants: the wheel is found by its import spec, which runs none of its code. The library is
opened in the loader's local scope (the default), because in the global scope its symbols clash with
NumPy's. A missing library or function is a `CannotServeError` that names it. Handles are plain
integers; the caller that gets a handle releases it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

from tfspark.engine.protocol import CannotServeError, first_lines
from tfspark.errors import explain

# TensorFlow's major version is part of the name.
_FILES = {"linux": "libtensorflow_cc.so.2", "darwin": "libtensorflow_cc.2.dylib"}

OK = 0  # the canonical code of success


class Output(ctypes.Structure):
    """`TF_Output`: one result of one operation."""

    _fields_ = (("operation", c_void_p), ("index", c_int))


# `void (*)(void* data, size_t length, void* argument)`, called when a tensor's memory is released.
Deallocator = ctypes.CFUNCTYPE(None, c_void_p, c_size_t, c_void_p)

# The EIGEN_MAX_ALIGN_BYTES that every wheel is built with.
_ALIGNMENT = 64

_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "TF_NewStatus": (c_void_p, ()),
    "TF_DeleteStatus": (None, (c_void_p,)),
    "TF_GetCode": (c_int, (c_void_p,)),
    "TF_Message": (c_char_p, (c_void_p,)),
    "TF_NewTensor": (
        c_void_p,
        (c_int, POINTER(c_int64), c_int, c_void_p, c_size_t, Deallocator, c_void_p),
    ),
    "TF_AllocateTensor": (c_void_p, (c_int, POINTER(c_int64), c_int, c_size_t)),
    "TF_DeleteTensor": (None, (c_void_p,)),
    "TF_TensorType": (c_int, (c_void_p,)),
    "TF_NumDims": (c_int, (c_void_p,)),
    "TF_Dim": (c_int64, (c_void_p, c_int)),
    "TF_TensorData": (c_void_p, (c_void_p,)),
    "TF_NewSessionOptions": (c_void_p, ()),
    "TF_DeleteSessionOptions": (None, (c_void_p,)),
    "TF_SetConfig": (None, (c_void_p, c_char_p, c_size_t, c_void_p)),
    "TF_NewGraph": (c_void_p, ()),
    "TF_DeleteGraph": (None, (c_void_p,)),
    "TF_GraphOperationByName": (c_void_p, (c_void_p, c_char_p)),
    "TF_OperationNumOutputs": (c_int, (c_void_p,)),
    "TF_OperationOutputType": (c_int, (Output,)),
    "TF_LoadSessionFromSavedModel": (
        c_void_p,
        (
            *(c_void_p, c_void_p, c_char_p),  # session options, run options, export dir
            *(POINTER(c_char_p), c_int),  # tags and their number
            *(c_void_p, c_void_p, c_void_p),  # graph, place for the meta graph, status
        ),
    ),
    "TF_SessionListDevices": (c_void_p, (c_void_p, c_void_p)),
    "TF_DeviceListCount": (c_int, (c_void_p,)),
    "TF_DeviceListType": (c_char_p, (c_void_p, c_int, c_void_p)),
    "TF_DeleteDeviceList": (None, (c_void_p,)),
    "TF_CloseSession": (None, (c_void_p, c_void_p)),
    "TF_DeleteSession": (None, (c_void_p, c_void_p)),
    "TF_SessionRun": (
        None,
        (
            *(c_void_p, c_void_p),  # session, run options
            *(POINTER(Output), POINTER(c_void_p), c_int),  # inputs, their values, their number
            *(
                POINTER(Output),
                POINTER(c_void_p),
                c_int,
            ),  # outputs, places for values, their number
            *(c_void_p, c_int, c_void_p, c_void_p),  # targets, their number, metadata, status
        ),
    ),
}


def open_library() -> Any:
    """Open the C API of the installed TensorFlow.

    Returns:
        A `ctypes.CDLL` with declared functions; calls release the GIL. Opening it again is cheap.

    Raises:
        CannotServeError: When there is no TensorFlow, or its library lacks a function.
    """
    path = _library_path()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read once, when the library is opened
    library = _open(path)
    missing = [name for name in _FUNCTIONS if not hasattr(library, name)]
    if missing:
        raise CannotServeError(
            explain(
                "TensorFlow's library lacks functions of the C API.",
                expected="all functions that tfspark calls",
                found=f"no {', '.join(missing)} in {path}",
                hint="install TensorFlow 2.16 or later where the tasks run.",
            )
        )
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def alignment(library: Any) -> int:
    """Return the alignment that TensorFlow requires; TensorFlow 2.16 has no function for it."""
    ask = getattr(library, "TF_TensorDefaultAlignment", None)
    return _ALIGNMENT if ask is None else int(ask())


def _open(path: Path) -> Any:
    """Open a library and resolve each of its symbols at first use.

    `ctypes` would resolve all of them at once, which takes a third of the time to open.
    """
    loader = ctypes.CDLL(None)
    loader.dlopen.restype, loader.dlopen.argtypes = c_void_p, (c_char_p, c_int)
    loader.dlerror.restype = c_char_p
    handle = loader.dlopen(os.fsencode(path), os.RTLD_LAZY | os.RTLD_LOCAL)
    if handle is None:
        found = (loader.dlerror() or b"").decode(errors="replace")
        problem = "TensorFlow's library cannot be opened."
        hint = "install TensorFlow again where the tasks run; a file of it may be missing."
        raise CannotServeError(explain(problem, expected=str(path), found=found, hint=hint))
    return ctypes.CDLL(str(path), handle=handle)


def _library_path() -> Path:
    """Return the path of the library inside the installed wheel."""
    name = _FILES.get(sys.platform)
    if name is None:
        raise CannotServeError(f"TensorFlow's C API is not known on the platform {sys.platform}.")
    # Python finds the spec of a top-level package without importing it.
    spec = importlib.util.find_spec("tensorflow")
    folders = (
        [] if spec is None else [Path(place) for place in spec.submodule_search_locations or ()]
    )
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise CannotServeError(
        explain(
            "TensorFlow's C API is not installed where the tasks run.",
            expected=f"{name} in the package tensorflow of the workers' Python",
            found=", ".join(map(str, folders)) or "no package tensorflow",
            hint="install tensorflow or tensorflow-cpu there, or set PYSPARK_PYTHON.",
        )
    )


class Status:
    """A `TF_Status` that is released at the end of its block."""

    __slots__ = ("_library", "handle")

    def __init__(self, library: Any) -> None:
        self._library = library
        self.handle: int = library.TF_NewStatus()

    def __enter__(self) -> Status:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.TF_DeleteStatus(self.handle)

    @property
    def code(self) -> int:
        """The canonical error code of the last call with this status."""
        return int(self._library.TF_GetCode(self.handle))

    @property
    def message(self) -> str:
        """The message of that call, without TensorFlow's listing of the graph."""
        return first_lines(self._library.TF_Message(self.handle).decode(errors="replace"))
