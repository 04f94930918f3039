"""Compares a model with the answers that were recorded when it was exported.

Takes a model whose export dir contains warm-up requests with answers, as `models.export` writes
them. Returns the number of requests that were answered as recorded, or raises an error. Runs the
engine in this process; no Spark.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfspark.engine import EngineOptions, load_engine
from tfspark.errors import InvalidModelError, explain_all
from tfspark.options import EngineName
from tfspark.package import ModelPackage, load
from tfspark.tensors import ByteStrings, Tensor
from tfspark.warmup import requests

# Shares of the largest value of an output, because other kernels round differently.
_TOLERANCE = {"float16": 1e-2, "float32": 1e-4, "float64": 1e-6, "bfloat16": 1e-2}


def check_recorded(
    model: str | Path | ModelPackage, *, engine: EngineName = "auto", allow_ops: Sequence[str] = ()
) -> int:
    """Run the warm-up requests of a model and compare with the recorded answers.

    Args:
        model: An export dir, a base path (its newest version), or a loaded `ModelPackage` with the
            signature to check.
        engine: The engine to check.
        allow_ops: Operations that the model may contain, as in `predict`.

    Returns:
        How many requests had recorded answers; 0 means that there was nothing to check.

    Raises:
        InvalidModelError: When an output differs: floats by more than 1e-4 of its largest value
            (doubles 1e-6, float16 and bfloat16 1e-2), other types by any difference.
        ForbiddenOperationError: When the model has operations that do more than compute and are not
            in `allow_ops`.
        TfsparkError: When the model cannot be loaded or refuses a request.
    """
    package = model if isinstance(model, ModelPackage) else load(model)
    package.allowing(allow_ops).check_operations()
    live = load_engine(package.path, package.tags, package.signature, EngineOptions(name=engine))
    dtypes = {spec.name: spec.dtype for spec in package.signature.outputs}
    checked = 0
    problems: list[str] = []
    try:
        for number, request in enumerate(requests(Path(package.path), package.signature)):
            found = live.run(request.inputs)
            checked += bool(request.outputs)
            problems += [
                f"request {number}, output {name!r} differs"
                for name, recorded in request.outputs.items()
                if name not in found or not _agree(recorded, found[name], dtypes[name])
            ]
    finally:
        live.close()
    if problems:
        raise InvalidModelError(
            explain_all(f"Model {package.name} does not answer as it did when exported", problems)
        )
    return checked


def _agree(recorded: Tensor, found: Tensor, dtype: str) -> bool:
    if isinstance(recorded, ByteStrings) or isinstance(found, ByteStrings):
        texts = [one.to_objects() for one in (recorded, found) if isinstance(one, ByteStrings)]
        return len(texts) == 2 and np.array_equal(texts[0], texts[1])
    if (recorded.dtype, recorded.shape) != (found.dtype, found.shape):
        return False
    if dtype not in _TOLERANCE:
        return np.array_equal(recorded, found)
    wide, other = recorded.astype(np.float64), found.astype(np.float64)
    scale = np.abs(wide[np.isfinite(wide)]).max(initial=0.0)
    tolerance = _TOLERANCE[dtype] * scale
    return bool(np.allclose(other, wide, rtol=0.0, atol=tolerance, equal_nan=True))
