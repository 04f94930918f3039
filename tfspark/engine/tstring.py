"""Byte strings between Arrow's memory and TensorFlow's records, without Python objects.

Turns an Arrow binary array into the 24-byte `TF_TString` records of a string tensor, and such
records into an Arrow array. Executor only; uses the layout of TensorFlow's `ctstring_internal.h` on
a little-endian machine, and calls no library of TensorFlow.

Invariants: a record that is made here points to bytes that end with a NUL, as TensorFlow's own
records do. The bytes belong to an Arrow array, which must outlive the tensor, but not the copies
that TensorFlow makes of its elements. An array that is made here owns its memory. All work is done
by NumPy and Arrow on whole arrays.

    type    low 2 bits  size                  bytes at
    small   0           bits 2–7 of byte 0    record + 1, at most 22
    large   1           bits 2–63 of word 0   pointer in word 2
    offset  2           bits 2–31 of word 0   record + upper half of word 0
    view    3           bits 2–63 of word 0   pointer in word 1
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Words: TypeAlias = npt.NDArray[np.uint64]

RECORD_BYTES = 24
_SMALL, _LARGE, _OFFSET = range(3)


def terminated(values: pa.Array[Any]) -> pa.Array[Any]:
    """Return the elements with a NUL after each, as `c_str()` needs it.

    TensorFlow keeps a NUL after small and large elements, and some kernels rely on it: without it,
    `tf.strings.lower(…, encoding="utf-8")` reads on into the next element of Arrow's buffer.

    Args:
        values: binary or large_binary without nulls, sliced or not.
    """
    wide = pa.large_binary()
    join: Any = pc.binary_join_element_wise
    joined: pa.Array[Any] = join(values.cast(wide), pa.scalar(b"\0", wide), pa.scalar(b"", wide))
    return joined


def borrowed_records(values: pa.Array[Any]) -> Words:
    """Return records that point to the elements of a terminated array, without their NULs.

    The records are of the type large, not view: when TensorFlow copies an element, it copies the
    bytes of a large one, but only the pointer of a view. A table or variable of the model would
    keep this pointer after Arrow's memory is freed. TensorFlow frees neither type, because it does
    not own the memory of the tensor.

    Args:
        values: The result of `terminated`; must outlive the tensor.

    Returns:
        (elements, 3) words: size and type, capacity, pointer.
    """
    count = len(values)
    records = np.zeros((count, 3), dtype=np.uint64)
    if not count:  # an empty array may have no offsets at all
        return records
    buffers: list[Any] = values.buffers()
    _, offsets, data = buffers
    bounds = np.frombuffer(offsets, dtype=np.int64)[values.offset :][: count + 1]
    ends: npt.NDArray[np.uint64] = bounds.astype(np.uint64)
    records[:, 1] = ends[1:] - ends[:-1] - np.uint64(1)
    records[:, 0] = (records[:, 1] << np.uint64(2)) | np.uint64(_LARGE)
    records[:, 2] = ends[:-1] + np.uint64(data.address)
    return records


def read_records(records: Words) -> pa.Array[Any]:
    """Copy the elements that records describe.

    Args:
        records: (elements, 3) words at their original address, because two of the four types point
            to bytes relative to the record. All pointers must be valid.

    Returns:
        A large_binary array that owns its memory.
    """
    if not len(records):
        return pa.nulls(0, pa.large_binary())  # pa.array would import pandas
    starts, sizes = _locate(records)
    return _gather(starts, sizes)


def _locate(records: Words) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the address and size of each element."""
    head = records[:, 0]
    kind = (head & np.uint64(3)).astype(np.int64)
    own = np.arange(len(records), dtype=np.int64) * RECORD_BYTES + address_of(records)
    small, offset = kind == _SMALL, kind == _OFFSET
    sizes = (head >> np.uint64(2)).astype(np.int64)
    sizes = np.where(small, sizes & 0x3F, np.where(offset, sizes & 0x3FFFFFFF, sizes))
    starts = np.where(kind == _LARGE, records[:, 2], records[:, 1]).astype(np.int64)
    starts = np.where(
        small, own + 1, np.where(offset, own + (head >> np.uint64(32)).astype(np.int64), starts)
    )
    # An empty element may point anywhere; it must not extend the range of addresses.
    return np.where(sizes == 0, own, starts), sizes


def _gather(starts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> pa.Array[Any]:
    """Copy elements from any addresses of this process into one new array.

    Arrow takes the elements from an array whose data buffer spans all of them. Its odd elements are
    the wanted ones. Its even elements are the gaps between them. The gaps are never read; their
    addresses may be invalid.
    """
    ends, total = starts + sizes, int(sizes.sum())
    base = max(int(starts.min()) - total, 1)  # leaves space for the first offset
    span = int(ends.max()) - base
    offsets = np.empty(2 * len(starts) + 1, dtype=np.int64)
    offsets[1::2] = starts - base
    offsets[2::2] = ends - base
    # Arrow reserves the mean size, (last - first offset) / length, for each element that it takes.
    offsets[0] = max(int(offsets[-1]) - 2 * total, 0)
    everything = pa.Array.from_buffers(
        pa.large_binary(),
        2 * len(starts),
        [None, pa.py_buffer(offsets.data), pa.foreign_buffer(base, span)],
    )
    return everything.take(np.arange(1, 2 * len(starts), 2))


def address_of(array: npt.NDArray[Any]) -> int:
    """Return the address of an array's first element."""
    return int(array.__array_interface__["data"][0])
