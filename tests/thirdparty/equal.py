"""Compares a table of predictions bit by bit with TensorFlow's answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np


def differences(
    found: Sequence[Mapping[str, Any] | None], answers: Sequence[Any], relative: float = 0.0
) -> list[str]:
    """Return descriptions of the values that differ.

    Args:
        found: Rows of predictions by column.
        answers: TensorFlow's answers; `None` for a row of nulls.
        relative: Allowed relative difference of floats, for other kernels.
    """
    if len(found) != len(answers):
        return [f"{len(found)} rows instead of {len(answers)}"]
    pairs = enumerate(zip(found, answers, strict=True))
    return [line for row, (one, answer) in pairs for line in _row(row, one or {}, answer, relative)]


def _row(
    row: int, found: Mapping[str, Any], answer: Mapping[str, Any] | None, relative: float
) -> Iterator[str]:
    if answer is None:
        if any(value is not None for value in found.values()):
            yield f"row {row}: {dict(found)} instead of nulls"
        return
    if found.keys() != answer.keys():
        yield f"row {row}: {sorted(found)} instead of {sorted(answer)}"
        return
    for name, value in found.items():
        if not _is_same(value, answer[name], relative):
            yield f"row {row}, {name}: {value!r} instead of {answer[name]!r}"


def _is_same(value: Any, answer: Any, relative: float) -> bool:
    if value is None:
        return False
    if isinstance(answer, str | bytes) or np.asarray(answer).dtype == object:
        return bool(_bytes(value) == _bytes(np.asarray(answer, object).tolist()))
    expected = np.asarray(answer)
    given = np.asarray(value, dtype=expected.dtype)
    if expected.shape == (1,) and not given.shape:
        given = given.reshape(1)  # a row of one number is a plain column
    if relative and expected.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            denormal = float(np.finfo(expected.dtype).smallest_normal)
            return given.shape == expected.shape and np.allclose(
                given, expected, rtol=relative, atol=denormal, equal_nan=True
            )
    return given.shape == expected.shape and _bits(given) == _bits(expected)


def _bits(array: Any) -> bytes:
    """Return the bits of an array, with one bit pattern for all NaN values."""
    return bytes(np.where(array != array, np.zeros((), array.dtype), array).tobytes()) + bytes(
        (array != array).tobytes()
    )


def _bytes(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_bytes(one) for one in value]
    return value.encode() if isinstance(value, str) else bytes(value)
