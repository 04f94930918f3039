"""Checks that a SavedModel gives the answers of the live model, in Python and in a session.

The check loads an export dir, runs it on a sample (by default simple values) and compares the
results with the right answers. An `ExportError` lists every output that differs. TensorFlow
Serving, the C API and the JVM use sessions, which refuse some models that Python loads.

The export dir is only read. The state of a live model is restored after its run.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from models.endpoints import Endpoint, Tensors
from models.refusal import ExportError, refusing
from tfspark.errors import did_you_mean, explain, explain_all, listing

__all__ = ["check_export", "feeds_of", "live_answers", "ops_of", "session_answers"]

TAG_SET = ("serve",)
SAMPLE_SIZE = 3
"""Rows of a generated sample, and the size of its other unknown dimensions."""

PYTHON_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
"""Ops that call back into the Python process that made them, such as `tf.py_function`."""

Arrays = dict[str, np.ndarray[Any, Any]]


def check_export(
    export_dir: str | os.PathLike[str],
    reference: Mapping[str, Arrays],
    sample: Mapping[str, Arrays],
) -> None:
    """Load an export dir in Python and in a session, and compare both results with a reference.

    Args:
        export_dir: folder that holds `saved_model.pb`.
        reference: `{signature: {output: array}}`, the right answers.
        sample: `{signature: {input: array}}`, the inputs that give them. Signatures run in this
            order in both loaders, because a model may keep state from one to the next.

    Raises:
        ExportError: when a loader fails, or an output is absent or differs. Floats may differ by
            1e-4 (16-bit floats by 1e-2) of the largest value of the output; everything else must be
            equal.
    """
    loaders = {"tf.saved_model.load": _run_in_python, "a session": session_answers}
    for loader, run in loaders.items():
        with refusing(
            f"{loader} cannot run the SavedModel",
            hint="use TensorFlow ops only, and export Keras models here, not by tf.saved_model",
        ):
            found = run(os.fspath(export_dir), sample)
        mismatches = list(_mismatches(reference, found))
        if mismatches:
            hint = "an answer must not depend on random numbers or on Python variables"
            raise ExportError(
                explain_all(f"{loader} and the live model disagree", mismatches, hint=hint)
            )


def feeds_of(endpoints: Sequence[Endpoint], sample: Mapping[str, Any]) -> dict[str, Arrays]:
    """Return the values for the comparison, by signature and input; missing ones get simple values.

    Raises:
        ExportError: when the sample names no input, or does not fit one.
    """
    known = {spec.name for end in endpoints for spec in end.specs}
    for name in sample.keys() - known:
        problem = f"The sample names {name!r}, which is not an input.{did_you_mean(name, known)}"
        raise ExportError(explain(problem, expected=listing(sorted(known))))
    rng = np.random.default_rng(0)
    return {
        end.name: {spec.name: _value(spec, sample, rng) for spec in end.specs} for end in endpoints
    }


def _value(spec: tf.TensorSpec, sample: Mapping[str, Any], rng: np.random.Generator) -> Any:
    """Return the value of an input from the sample, or a simple one."""
    value = sample[spec.name] if spec.name in sample else _simple(spec, rng)
    with refusing(
        f"The sample does not fit input {spec.name!r}",
        expected=f"{spec.dtype.name} of shape {spec.shape}",
        hint="pass sample={input: array}, a batch of rows for each input",
    ):
        return tf.ensure_shape(tf.constant(value, spec.dtype), spec.shape).numpy()


def _simple(spec: tf.TensorSpec, rng: np.random.Generator) -> Any:
    """Return random numbers, or the same short text, in the shape of an input."""
    dims = [None] if spec.shape.rank is None else spec.shape.as_list()
    shape = [SAMPLE_SIZE if dim is None else dim for dim in dims]
    if spec.dtype == tf.string:
        return np.full(shape, b"a b", dtype=object)
    if spec.dtype.is_floating or spec.dtype.is_complex:
        return rng.standard_normal(shape).astype(spec.dtype.as_numpy_dtype)
    return rng.integers(0, 2, shape).astype(spec.dtype.as_numpy_dtype)


def live_answers(
    endpoints: Sequence[Endpoint], feeds: Mapping[str, Arrays], variables: Sequence[tf.Variable]
) -> dict[str, Arrays]:
    """Run the live model, and restore the state that the run changed."""
    state = [variable.numpy() for variable in variables]
    try:
        with refusing(
            "The live model fails on the sample",
            hint="pass sample={input: array} with values that the model takes",
        ):
            return {end.name: _run(end.call, feeds[end.name]) for end in endpoints}
    finally:
        for variable, value in zip(variables, state, strict=True):
            variable.assign(value)


def _run(call: Callable[[Tensors], Tensors], feed: Arrays) -> Arrays:
    answer = call({name: tf.constant(value) for name, value in feed.items()})
    return {name: np.asarray(value) for name, value in answer.items()}


def _run_in_python(export_dir: str, feeds: Mapping[str, Arrays]) -> dict[str, Arrays]:
    signatures = tf.saved_model.load(export_dir, tags=TAG_SET).signatures
    return {name: _run(_by_name(signatures[name]), feed) for name, feed in feeds.items()}


def _by_name(signature: Any) -> Callable[[Tensors], Tensors]:
    return lambda tensors: signature(**tensors)


def session_answers(export_dir: str, feeds: Mapping[str, Arrays]) -> dict[str, Arrays]:
    """Run an export dir as TensorFlow Serving, the C API and the JVM do.

    Args:
        export_dir: Folder that holds `saved_model.pb`.
        feeds: `{signature: {input: array}}`.

    Raises:
        NotImplementedError: When the graph calls back into Python.
    """
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        with _only_errors():
            meta = tf.compat.v1.saved_model.load(session, TAG_SET, export_dir)
        python_ops = PYTHON_OPS.intersection(ops_of(meta.graph_def))
        if python_ops:
            # They run in this process, but other processes do not have the Python function.
            raise NotImplementedError(f"the graph calls Python: {listing(sorted(python_ops))}")
        return {
            name: _run_signature(session, meta.signature_def[name], feed)
            for name, feed in feeds.items()
        }


@contextmanager
def _only_errors() -> Iterator[None]:
    """Hide TensorFlow's warning that its loader for sessions is deprecated; no other one exists."""
    logger = logging.getLogger("tensorflow")

    def is_error(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    logger.addFilter(is_error)
    try:
        yield
    finally:
        logger.removeFilter(is_error)


def _run_signature(session: Any, signature: Any, feed: Arrays) -> Arrays:
    fetches = {name: info.name for name, info in signature.outputs.items()}
    fed = {signature.inputs[name].name: value for name, value in feed.items()}
    return {name: np.asarray(value) for name, value in session.run(fetches, fed).items()}


def ops_of(graph: Any) -> Iterator[str]:
    """Return the type of every op of a graph and of its functions."""
    yield from (node.op for node in graph.node)
    for function in graph.library.function:
        yield from (node.op for node in function.node_def)


def _mismatches(expected: Mapping[str, Arrays], found: Mapping[str, Arrays]) -> Iterator[str]:
    for signature, outputs in expected.items():
        for name in sorted(outputs.keys() | found[signature].keys()):
            problem = _difference(outputs.get(name), found[signature].get(name))
            if problem:
                yield f"{signature}, output {name!r}: {problem}"


def _difference(expected: Any, found: Any) -> str:
    """Return how two arrays differ; empty when they are equal within the tolerance."""
    if expected is None or found is None:
        return "expected, not found" if found is None else "found, not expected"
    if (expected.dtype, expected.shape) != (found.dtype, found.shape):
        return f"expected {expected.dtype} {expected.shape}, found {found.dtype} {found.shape}"
    kind = tf.as_dtype(expected.dtype)
    if not (kind.is_floating or kind.is_complex):
        return "" if np.array_equal(expected, found) else "values differ"
    wide = np.complex128 if kind.is_complex else np.float64
    return _distance(expected.astype(wide), found.astype(wide), 1e-2 if kind.size == 2 else 1e-4)


def _distance(expected: Any, found: Any, tolerance: float) -> str:
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
    if np.allclose(found, expected, rtol=0.0, atol=tolerance * scale, equal_nan=True):
        return ""
    gaps = np.abs(found - expected)[np.isfinite(found) & np.isfinite(expected)]
    return f"values differ by up to {gaps.max(initial=0.0):.3g}, the largest being {scale:.3g}"
