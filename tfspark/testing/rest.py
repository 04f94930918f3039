"""Answers REST requests of TensorFlow Serving in this process.

Answers the body of a `:predict` request, so that a test can compare a scored table with the answer
of a server. Runs the engine in this process; no server, no Spark.

Source: https://www.tensorflow.org/tfx/serving/api_rest, both its row form (`instances` →
`predictions`) and its column form (`inputs` → `outputs`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfspark import dtypes
from tfspark.engine import EngineOptions, load_engine
from tfspark.errors import RowError, UsageError, explain, listing
from tfspark.options import EngineName
from tfspark.package import ModelPackage, load
from tfspark.signature import TensorSpec, format_shape
from tfspark.tensors import ByteStrings, Tensor

_FORMS = ("instances", "inputs")


def rest_predict(
    model: str | Path,
    body: str | Mapping[str, Any],
    *,
    engine: EngineName = "auto",
    allow_ops: Sequence[str] = (),
) -> dict[str, Any]:
    """Answer a REST request as TensorFlow Serving does.

    Args:
        model: An export dir, or a base path (its newest version).
        body: JSON text, or its parsed value: `signature_name` (by default `serving_default`), and
            either `instances`, with one value or object {input: value} per row, or `inputs`, a
            batch or an object {input: batch}. Bytes are written as `{"b64": "…"}`.
        engine: The engine that runs the model.
        allow_ops: Operations that the model may contain, as in `predict`.

    Returns:
        `{"predictions": […]}`, one value or object {output: value} per row, or `{"outputs": …}`.
        Text is decoded as UTF-8, and outputs called `…_bytes` as base64.

    Raises:
        UsageError: When the body is not such a request.
        RowError: When values do not fit the inputs.
        ForbiddenOperationError: When the model has operations that do more than compute and are not
            in `allow_ops`.
        TfsparkError: When the model cannot be loaded or refuses the batch.

    Example:
        >>> rest_predict("models/linear_model", {"instances": [[1.0, 2.0]]})  # doctest: +SKIP
        {'predictions': [[3.0]]}
    """
    request = json.loads(body) if isinstance(body, str) else body
    form = _form_of(request)
    package = load(model, signature=request.get("signature_name", "serving_default"))
    package.allowing(allow_ops).check_operations()
    fed = _by_input(package, form, request[form])
    tensors = {spec.name: _tensor(spec, fed[spec.name]) for spec in package.signature.inputs}
    options = EngineOptions(name=engine)
    live = load_engine(package.path, package.tags, package.signature, options)
    try:
        answered = live.run(tensors)
    finally:
        live.close()
    outputs = {name: _values(name, tensor) for name, tensor in answered.items()}
    if form == "inputs":
        return {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}
    if len(outputs) == 1:
        return {"predictions": next(iter(outputs.values()))}
    rows = zip(*outputs.values(), strict=True)
    return {"predictions": [dict(zip(outputs, row, strict=True)) for row in rows]}


def _form_of(request: Any) -> str:
    forms = [form for form in _FORMS if isinstance(request, Mapping) and form in request]
    if len(forms) != 1:
        found = listing(request) if isinstance(request, Mapping) else type(request).__name__
        expected = "an object with either 'instances' or 'inputs'"
        raise UsageError(explain("This is not a predict request.", expected=expected, found=found))
    return forms[0]


def _by_input(package: ModelPackage, form: str, given: Any) -> dict[str, Any]:
    """Return the batch of each input."""
    names = [spec.name for spec in package.signature.inputs]
    rows = given if form == "instances" else None
    if rows is not None and (not isinstance(rows, Sequence) or not rows):
        hint = 'give at least one row: {"instances": [[1.0, 2.0]]}.'
        raise UsageError(explain("There are no instances.", expected="a list of rows", hint=hint))
    named = rows[0] if rows is not None else given
    if not isinstance(named, Mapping) or set(named) == {"b64"}:
        if len(names) > 1:
            expected = f"an object with {listing(names)}"
            problem, hint = "The model has several inputs.", "name the value of each input."
            raise UsageError(explain(problem, expected=expected, hint=hint))
        return {names[0]: given}
    every = rows if rows is not None else [named]
    wrong = next((row for row in every if set(row) != set(names)), None)
    if wrong is not None:
        problem = "The names are not those of the inputs."
        raise UsageError(explain(problem, expected=listing(names), found=listing(wrong)))
    if rows is None:
        return {name: named[name] for name in names}
    return {name: [row[name] for row in rows] for name in names}


def _tensor(spec: TensorSpec, batch: Any) -> Tensor:
    dtype = dtypes.by_name(spec.dtype)
    values = _bytes(batch)
    try:
        if not _is_of_kind(values, np.dtype(dtype.numpy)):
            raise ValueError(f"{np.array(values).dtype} is no {spec.dtype}")
        array = np.array(values, dtype=dtype.numpy)
    except (ValueError, TypeError, OverflowError) as error:
        problem = f"Input {spec.name!r} cannot be read."
        expected = f"{spec.dtype} of shape {format_shape(spec.shape or ())}"
        raise RowError(explain(problem, expected=expected, found=str(error))) from error
    return ByteStrings.from_objects(array) if dtype.is_string else array


def _is_of_kind(values: Any, wanted: np.dtype[Any]) -> bool:
    """Whether values need at most a conversion to another precision or size."""
    if wanted.kind != "u":
        return np.can_cast(np.array(values).dtype, wanted, "same_kind")
    # Python's integers are signed, and NumPy turns a mixture of small and large ones into floats.
    return all(type(value) is int for value in np.array(values, dtype=object).flat)


def _bytes(value: Any) -> Any:
    """Turn texts and {"b64": …} at any depth into bytes, and leave the rest."""
    if isinstance(value, Mapping):
        return base64.b64decode(value["b64"], validate=True)
    if isinstance(value, str):
        return value.encode()
    return [_bytes(one) for one in value] if isinstance(value, Sequence) else value


def _values(name: str, tensor: Tensor) -> Any:
    if not isinstance(tensor, ByteStrings):
        return tensor.tolist()
    return _texts(name, tensor.to_objects().tolist())


def _texts(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        as_bytes = name.endswith("_bytes")
        return {"b64": base64.b64encode(value).decode()} if as_bytes else value.decode()
    return [_texts(name, one) for one in value]
