"""Converts between NumPy or Arrow tensors and the C API's `TF_Tensor`, without a copy if possible.

`feed` converts a `Tensor` to a handle, which the caller deletes. `Result` converts the handle of a
result to a `Tensor`, and owns the handle. Executor only, any thread.

Invariants: memory that is contiguous and aligned for TensorFlow is fed without a copy, other memory
is copied once; fed memory is never written, and it stays alive until TensorFlow releases it, also
when a result shares it; a numeric result is a read-only view of TensorFlow's memory, which is
released with the last array that uses it; strings and bfloat16 are copied.
"""

from __future__ import annotations

import ctypes
from ctypes import c_int64, c_void_p
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from tfspark import aligned, bfloat16
from tfspark.dtypes import DType, by_name, name_of, reason_unsupported
from tfspark.engine.libtensorflow import Deallocator, alignment
from tfspark.engine.protocol import MachineError
from tfspark.engine.tstring import (
    RECORD_BYTES,
    address_of,
    borrowed_records,
    read_records,
    terminated,
)
from tfspark.errors import explain
from tfspark.tensors import ByteStrings, Tensor

_python = ctypes.PyDLL(None)  # the interpreter itself; calls keep the GIL
_python.Py_IncRef.argtypes = _python.Py_DecRef.argtypes = (c_void_p,)
_python.Py_IncRef.restype = _python.Py_DecRef.restype = None


# Drops the reference that `_new_tensor` took. TensorFlow calls it from any of its threads, even at
# the end of the process, when this module may be gone. So the callback itself is never freed.
_drop_owner = Deallocator(lambda _data, _length, owner, drop=_python.Py_DecRef: drop(owner))
_python.Py_IncRef(id(_drop_owner))


def feed(library: Any, tensor: Tensor, dtype: DType) -> int:
    """Return a new `TF_Tensor` with the elements of a tensor.

    Args:
        library: The C API.
        tensor: The tensor to feed; it is not changed.
        dtype: The input's type in the signature.

    Raises:
        MachineError: When the tensor is not of that type.
    """
    if isinstance(tensor, ByteStrings):
        if not dtype.is_string:
            raise _refusal("string", dtype)
        values = terminated(tensor.values)
        records = borrowed_records(values)
        owner = (records, values)
        return _new_tensor(library, dtype, tensor.shape, owner, address_of(records), records.nbytes)
    if tensor.dtype != dtype.numpy:
        raise _refusal(str(tensor.dtype), dtype)
    if dtype.is_bfloat16:
        tensor = bfloat16.to_bits(tensor)
    address, wanted = address_of(tensor), alignment(library)
    if address % wanted or not tensor.flags.c_contiguous:
        # TensorFlow copies unaligned memory itself, but a strided array would be copied twice.
        tensor = aligned.copy(tensor, alignment=wanted)
        address = address_of(tensor)
    return _new_tensor(library, dtype, tensor.shape, tensor, address, tensor.nbytes)


class Result:
    """One `TF_Tensor` that a run returned; released with the last array that uses its memory.

    NumPy reads `__array_interface__` and makes this object the base of the array.
    """

    __slots__ = ("__array_interface__", "_delete", "_handle", "_library")

    def __init__(self, library: Any, handle: int) -> None:
        self._library = library
        self._delete = library.TF_DeleteTensor
        self._handle = handle

    def tensor(self) -> Tensor | None:
        """Return the elements: strings and bfloat16 as a copy, others as a read-only view.

        Their type is that of the graph, which a signature may contradict.

        Returns:
            The elements; `None` if their type is not supported.
        """
        library, handle = self._library, self._handle
        name = name_of(library.TF_TensorType(handle))
        if reason_unsupported(name):
            return None
        dtype = by_name(name)
        shape = tuple([library.TF_Dim(handle, axis) for axis in range(library.TF_NumDims(handle))])
        if dtype.is_string:
            records = self._view((prod(shape), RECORD_BYTES // 8), np.dtype(np.uint64))
            return ByteStrings(read_records(records), shape)
        if dtype.is_bfloat16:
            return bfloat16.from_bits(self._view(shape, np.dtype(np.uint16)))
        return self._view(shape, np.dtype(dtype.numpy))

    def _view(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        if 0 in shape:  # without elements TensorFlow may give no address
            return np.empty(shape, dtype)
        self.__array_interface__ = {
            "version": 3,
            "data": (self._library.TF_TensorData(self._handle), True),
            "shape": shape,
            "typestr": dtype.str,
        }
        return np.asarray(self)

    def __del__(self) -> None:
        self._delete(self._handle)


def _new_tensor(
    library: Any, dtype: DType, shape: tuple[int, ...], owner: object, address: int, size: int
) -> int:
    """Wrap memory in a `TF_Tensor` that keeps the owner alive until `_drop_owner` is called."""
    dims = (c_int64 * len(shape))(*shape)
    _python.Py_IncRef(id(owner))
    handle = library.TF_NewTensor(
        dtype.number, dims, len(shape), address, size, _drop_owner, id(owner)
    )
    if handle is None:
        raise MachineError(f"TensorFlow cannot make a tensor of {dtype.name} {shape}.")
    return int(handle)


def _refusal(found: str, dtype: DType) -> MachineError:
    problem = "A tensor does not have its input's type."
    return MachineError(explain(problem, expected=dtype.name, found=found))
