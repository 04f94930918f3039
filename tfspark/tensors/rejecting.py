"""Encodes the rows of a batch that can be fed, and leaves the others out. Executor.

A check finds all rows that it refuses at once. These rows are left out, and the others are encoded
again. So a batch is encoded once more for each check that refuses rows. A batch without bad rows is
encoded once, without a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.feeding import InputBinding
from tfspark.tensors.encode import encode
from tfspark.tensors.values import Flags, Group, RowProblem, to_arrow
from tfspark.terms import PYTHON, Terms


def encode_good(
    inputs: Sequence[InputBinding],
    chunks: Mapping[str, Sequence[dtypes.ArrowArray]],
    reject: Callable[[RowProblem], None],
    terms: Terms = PYTHON,
) -> list[Group]:
    """Turn the fed columns of one batch into tensors, without the rows that cannot be fed.

    Args:
        inputs: The bound inputs.
        chunks: Column name → its arrays, in row order; all columns have chunks of equal lengths.
        reject: Takes the rows that a check refuses. When it raises, no row is left out.
        terms: How the caller spells options.

    Returns:
        See `encode`; a row that was rejected is in no group.
    """
    try:
        return encode(inputs, chunks, terms)
    except RowProblem as problem:
        reject(problem)
        is_good = np.ones(sum(map(len, next(iter(chunks.values())))), dtype=np.bool_)
        is_good[problem.rows] = False
    while is_good.any():
        try:
            return _encode_some(inputs, chunks, is_good, terms)
        except RowProblem as problem:
            reject(problem)
            is_good[problem.rows] = False
    return []


def _encode_some(
    inputs: Sequence[InputBinding],
    chunks: Mapping[str, Sequence[dtypes.ArrowArray]],
    is_good: Flags,
    terms: Terms,
) -> list[Group]:
    """Encode the rows that are flagged."""
    rows, mask = np.flatnonzero(is_good), to_arrow(is_good)
    some = {name: pa.chunked_array(arrays).filter(mask).chunks for name, arrays in chunks.items()}
    try:
        groups = encode(inputs, some, terms)
    except RowProblem as problem:
        raise problem.among(rows) from None
    return [Group(rows[group.rows], group.inputs) for group in groups]
