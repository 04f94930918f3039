"""TensorFlow's answers for a case: from a session, fed by graph names, without tfspark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tests.thirdparty.case import Case
from tests.thirdparty.writing import ANYWHERE, v1

Row: TypeAlias = "dict[str, Any] | None"


def answers(case: Case, base: Path) -> list[Row]:
    """Return for each row its outputs by column, or `None` where an input is null."""
    tags = list(case.options.get("tags", ("serve",)))
    key = case.options.get("signature", "serving_default")
    with tf.Graph().as_default(), v1.Session(config=ANYWHERE) as session:
        signature = v1.saved_model.load(session, tags, str(base / "1")).signature_def[key]
        fetch = case.fetch or {name: name for name in signature.outputs}
        tensors = {column: signature.outputs[name].name for name, column in fetch.items()}

        def run(fed: dict[str, Any]) -> dict[str, Any]:
            return dict(session.run(tensors, {signature.inputs[k].name: v for k, v in fed.items()}))

        return list(_scored(case, _fed(case, signature), signature, run))


def _fed(case: Case, signature: Any) -> list[Row]:
    return [_row(case, signature, row) for row in case.table.to_pylist()]


def _row(case: Case, signature: Any, row: dict[str, Any]) -> Row:
    """Return the values that one row feeds, without a batch dimension."""
    fed = {}
    for name, info in signature.inputs.items():
        given = case.feed.get(name, name)
        value = row[given] if isinstance(given, str) else given
        if _has_null(value):
            return None
        dtype = tf.dtypes.as_dtype(info.dtype).as_numpy_dtype
        is_raw = isinstance(value, bytes) and dtype is not object
        array = np.frombuffer(value, dtype) if is_raw else np.array(value, dtype)
        fed[name] = array.reshape(_row_shape(info) or array.shape)
    return fed


def _row_shape(info: Any) -> list[int] | None:
    """Return the shape of a row if it is known."""
    shape = [size.size for size in info.tensor_shape.dim][1:]
    return shape if shape and -1 not in shape else None


def _has_null(value: Any) -> bool:
    return value is None or (isinstance(value, list) and any(map(_has_null, value)))


def _scored(
    case: Case, fed: list[Row], signature: Any, run: Callable[..., dict[str, Any]]
) -> Iterator[Row]:
    there = [row for row in fed if row is not None]
    size = {"each": 1, "bare": 1, "all": len(there)}.get(str(case.rows)) or int(case.rows)
    results: list[Row] = []
    for start in range(0, len(there), size):
        chunk = there[start : start + size]
        padded = chunk + chunk[-1:] * (size - len(chunk))
        if case.rows == "bare":
            results.append(run(chunk[0]))
            continue
        found = run(_batch(padded, signature))
        results += [{name: found[name][at] for name in found} for at in range(len(chunk))]
    scored = iter(results)
    for row in fed:
        yield None if row is None else next(scored)


def _batch(chunk: list[Any], signature: Any) -> dict[str, Any]:
    """Stack rows; a scalar is fed unchanged."""
    return {
        name: chunk[0][name] if _is_scalar(info) else np.stack([row[name] for row in chunk])
        for name, info in signature.inputs.items()
    }


def _is_scalar(info: Any) -> bool:
    shape = info.tensor_shape
    return info.HasField("tensor_shape") and not shape.dim and not shape.unknown_rank
