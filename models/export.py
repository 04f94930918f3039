"""One export for every model: a SavedModel that any loader can run, or none at all.

In: a Keras model (Sequential, functional, subclassed) or a `tf.Module`. Out: the export dir
`<base>[/<name>]/<version>`, with the names of the model's inputs and output layers.

A Keras model saved as it is tracks its variables under names that only Python resolves. Here a
bare `tf.Module` holds the variables and tables that the signatures use, and nothing else, which
loads everywhere. The SavedModel is written in a hidden folder beside the versions, loaded back by
`tf.saved_model.load` and by a session, compared with the live model, and only then renamed.

Invariants: a version appears whole or not at all; two exports at once get two numbers; the model
is left as it was. Not here: training, and remote file systems.
"""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfspark.errors import TfsparkError, did_you_mean, explain, explain_all, listing

__all__ = ["ExportError", "check_export", "export"]

SERVING_DEFAULT = "serving_default"
TAG_SET = ("serve",)
SAMPLE_SIZE = 3
"""Rows of a generated sample, and the size of its other unknown dimensions."""

PYTHON_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
"""Ops that call back into the Python process that made them (`tf.py_function` and its kin)."""

Arrays = dict[str, np.ndarray[Any, Any]]
Tensors = dict[str, tf.Tensor]


class ExportError(TfsparkError, ValueError):
    """A model that cannot be exported so that every loader runs it with equal results."""

    exit_code = 65


@dataclass(frozen=True)
class Endpoint:
    """One signature: flat named inputs, and the live call that maps them to flat named outputs."""

    name: str
    target: Any
    specs: tuple[tf.TensorSpec, ...]
    call: Callable[[Tensors], Tensors]

    def trace(self) -> Any:
        """Return the concrete function, whose inputs carry the names of the specs."""

        def serve(*tensors: tf.Tensor) -> Tensors:
            return self.call({spec.name: x for spec, x in zip(self.specs, tensors, strict=True)})

        function = tf.function(serve, input_signature=self.specs, autograph=False)
        return function.get_concrete_function()


def export(
    model: Any,
    base: str | os.PathLike[str],
    *,
    name: str | None = None,
    signatures: Mapping[str, Any] | None = None,
    inputs: Any = None,
    sample: Mapping[str, Any] | None = None,
) -> Path:
    """Write `model` as the next version under a base path, checked by two loaders.

    An input is called by its key in a dict, else by its `keras.Input` or argument. An output is
    called by its key in a dict, else by its Keras output layer, else `output_0`, `output_1`, …

    Args:
        model: a Keras model, or a `tf.Module` with methods under `tf.function`; it owns the tables
            that the signatures look up.
        base: folder that holds the versions, or the models when `name` is given; made if missing.
        name: folder of this model under `base`.
        signatures: `{signature name: Keras model or tf.function with an input signature}`. Left
            out: `serving_default` is the Keras model itself, or the `__call__` of the `tf.Module`.
        inputs: what a Keras model without symbolic inputs (a subclassed one) is called with: a
            named `tf.TensorSpec`, or a list or dict of them; dimension 0 is the batch.
        sample: `{input: array}` to compare on. Inputs left out get made-up values: 3 rows, unknown
            dimensions of 3, integers 0 and 1, strings `a b`.

    Returns:
        The export dir, `<base>/<version>` or `<base>/<name>/<version>`.

    Raises:
        ExportError: when inputs or outputs cannot be named, the model fails on the sample, or a
            loader fails or disagrees. Nothing is left behind.
        OSError: when the folder cannot be written.
    """
    versions = _local(base) / name if name else _local(base)
    endpoints = _endpoints(model, signatures, inputs)
    feeds = _feeds(endpoints, sample or {})
    with _aside(versions) as folder:
        variables = _save([model, *(end.target for end in endpoints)], endpoints, folder)
        reference = _live(endpoints, feeds, variables)
        check_export(folder, reference, feeds)
        return _publish(folder, versions)


def check_export(
    export_dir: str | os.PathLike[str],
    reference: Mapping[str, Arrays],
    sample: Mapping[str, Arrays],
) -> None:
    """Load an export dir twice, in Python and in a session, and compare both with a reference.

    Args:
        export_dir: folder that holds `saved_model.pb`.
        reference: `{signature: {output: array}}`, the right answers.
        sample: `{signature: {input: array}}`, the inputs that give them. Signatures run in this
            order in both loaders, since a model may carry state from one to the next.

    Raises:
        ExportError: when a loader fails, or an output is absent or differs. Floats may differ by
            1e-4 (16-bit floats by 1e-2) of the largest value of the output; all else is equal.
    """
    loaders = {"tf.saved_model.load": _run_in_python, "a session": _run_in_session}
    for loader, run in loaders.items():
        with _refusing(
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


# From a model to its endpoints.


def _endpoints(model: Any, signatures: Mapping[str, Any] | None, inputs: Any) -> list[Endpoint]:
    is_module = callable(model) and not isinstance(model, keras.Model)
    targets = signatures or {SERVING_DEFAULT: model.__call__ if is_module else model}
    return [_endpoint(name, target, inputs) for name, target in targets.items()]


def _endpoint(name: str, target: Any, inputs: Any) -> Endpoint:
    if isinstance(target, keras.Model):
        return _keras_endpoint(name, target, inputs)
    with _refusing(
        f"Signature {name!r} cannot be traced",
        expected="a Keras model, or a tf.function with an input signature",
        hint="decorate the method with @tf.function(input_signature=[tf.TensorSpec(...)]) "
        "and pass signatures={'serving_default': module.method}",
    ):
        concrete = target.get_concrete_function()
    return _function_endpoint(name, target, *concrete.structured_input_signature)


def _keras_endpoint(name: str, model: Any, inputs: Any) -> Endpoint:
    structure = _named(name, [_symbolic_inputs(model) if inputs is None else inputs])
    layers = [_layer_name(x) for x in _symbolic_outputs(model)]

    def call(tensors: Tensors) -> Tensors:
        [argument] = _pack(structure, tensors)
        return _outputs(name, model(argument, training=False), layers)

    return Endpoint(name, model, _leaves(structure), call)


def _function_endpoint(
    name: str, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Endpoint:
    structure = _named(name, [*args, *kwargs.values()])

    def call(tensors: Tensors) -> Tensors:
        packed = _pack(structure, tensors)
        keywords = dict(zip(kwargs, packed[len(args) :], strict=True))
        return _outputs(name, function(*packed[: len(args)], **keywords), [])

    return Endpoint(name, function, _leaves(structure), call)


def _symbolic_inputs(model: Any) -> Any:
    """Return the inputs of a Sequential or functional model, in the structure its call takes."""
    with suppress(AttributeError, ValueError):
        return model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    raise ExportError(
        explain(
            f"The inputs of {model.name!r} ({type(model).__name__}) are not known",
            expected="a Sequential or functional model that starts with keras.Input",
            hint="pass inputs=tf.TensorSpec((None, ...), dtype, name='...')",
        )
    )


def _symbolic_outputs(model: Any) -> Sequence[Any]:
    with suppress(AttributeError, ValueError):
        return model.outputs or ()
    return ()


def _layer_name(tensor: Any) -> str:
    return str(tensor._keras_history.operation.name)


def _named(signature: str, arguments: Sequence[Any]) -> list[Any]:
    """Turn the tensors of a call's arguments into specs, and insist on a usable name for each."""
    structure = [_spec(argument) for argument in arguments]
    names = [str(spec.name) for spec in _leaves(structure)]
    bad = [name for name in names if not name.isidentifier() or names.count(name) > 1]
    if bad:
        raise ExportError(
            explain(
                f"Signature {signature!r} has inputs without a usable name",
                expected="letters, digits and underscores, each name once",
                found=listing(sorted(set(bad))),
                hint="name them by keras.Input(..., name=...) or tf.TensorSpec(..., name=...)",
            )
        )
    return structure


def _spec(argument: Any, key: str | None = None) -> Any:
    """Rebuild lists and dicts of tensors as specs; a dict's key names what it holds."""
    if isinstance(argument, Mapping):
        return {key: _spec(value, key) for key, value in argument.items()}
    if isinstance(argument, list | tuple):
        return type(argument)(_spec(value) for value in argument)
    if isinstance(argument, keras.KerasTensor):
        # The batch that Keras saw first is no promise about later ones.
        shape = (None, *argument.shape[1:])
        return tf.TensorSpec(shape, argument.dtype, key or _layer_name(argument))
    if isinstance(argument, tf.TensorSpec):
        return tf.TensorSpec(argument.shape, argument.dtype, key or argument.name)
    return argument


def _leaves(structure: Any) -> tuple[tf.TensorSpec, ...]:
    return tuple(x for x in keras.tree.flatten(structure) if isinstance(x, tf.TensorSpec))


def _pack(structure: Any, tensors: Tensors) -> Any:
    return keras.tree.map_structure(
        lambda leaf: tensors[leaf.name] if isinstance(leaf, tf.TensorSpec) else leaf, structure
    )


def _outputs(signature: str, result: Any, layers: Sequence[str]) -> Tensors:
    """Name what a call returned: by its keys, by its output layers, or by number."""
    if isinstance(result, Mapping):
        pairs = list(result.items())
    else:
        values = result if isinstance(result, list | tuple) else [result]
        names = layers or [f"output_{i}" for i in range(len(values))]
        pairs = list(zip(names, values, strict=False))
    named = dict(pairs)
    plain = all(isinstance(value, tf.Tensor) for value in named.values())
    if not named or len(named) < len(pairs) or not plain:
        raise ExportError(
            explain(
                f"Signature {signature!r} has outputs that cannot be named or served",
                expected="a dense tensor, tensors of different layers, or a flat dict of them",
                found=listing(str(name) for name, _ in pairs),
                hint="return a dict {name: tensor}",
            )
        )
    return named


# Samples and answers.


def _feeds(endpoints: Sequence[Endpoint], sample: Mapping[str, Any]) -> dict[str, Arrays]:
    known = {spec.name for end in endpoints for spec in end.specs}
    for name in sample.keys() - known:
        problem = f"The sample names {name!r}, which is no input.{did_you_mean(name, known)}"
        raise ExportError(explain(problem, expected=listing(sorted(known))))
    rng = np.random.default_rng(0)
    return {
        end.name: {spec.name: _value(spec, sample, rng) for spec in end.specs} for end in endpoints
    }


def _value(spec: tf.TensorSpec, sample: Mapping[str, Any], rng: np.random.Generator) -> Any:
    """Take an input's value from the sample, else make one up."""
    value = sample[spec.name] if spec.name in sample else _made_up(spec, rng)
    with _refusing(
        f"The sample does not fit input {spec.name!r}",
        expected=f"{spec.dtype.name} of shape {spec.shape}",
        hint="pass sample={input: array}, a batch of rows for each input",
    ):
        return tf.ensure_shape(tf.constant(value, spec.dtype), spec.shape).numpy()


def _made_up(spec: tf.TensorSpec, rng: np.random.Generator) -> Any:
    dims = [None] if spec.shape.rank is None else spec.shape.as_list()
    shape = [SAMPLE_SIZE if dim is None else dim for dim in dims]
    if spec.dtype == tf.string:
        return np.full(shape, b"a b", dtype=object)
    if spec.dtype.is_floating or spec.dtype.is_complex:
        return rng.standard_normal(shape).astype(spec.dtype.as_numpy_dtype)
    return rng.integers(0, 2, shape).astype(spec.dtype.as_numpy_dtype)


def _live(
    endpoints: Sequence[Endpoint], feeds: Mapping[str, Arrays], variables: Sequence[tf.Variable]
) -> dict[str, Arrays]:
    """Ask the live model, and put back whatever state it changed by answering."""
    state = [variable.numpy() for variable in variables]
    try:
        with _refusing(
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


def _run_in_session(export_dir: str, feeds: Mapping[str, Arrays]) -> dict[str, Arrays]:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, TAG_SET, export_dir)
        python_ops = PYTHON_OPS.intersection(_ops(meta.graph_def))
        if python_ops:
            # In this process they would run; in any other there is nobody to call back.
            raise NotImplementedError(f"the graph calls Python: {listing(sorted(python_ops))}")
        return {
            name: _run_signature(session, meta.signature_def[name], feed)
            for name, feed in feeds.items()
        }


def _run_signature(session: Any, signature: Any, feed: Arrays) -> Arrays:
    fetches = {name: info.name for name, info in signature.outputs.items()}
    fed = {signature.inputs[name].name: value for name, value in feed.items()}
    return {name: np.asarray(value) for name, value in session.run(fetches, fed).items()}


def _ops(graph: Any) -> Iterator[str]:
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
    """Say how two arrays differ, or nothing when they are equal within the tolerance."""
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


# Writing.


def _save(owners: Sequence[Any], endpoints: Sequence[Endpoint], folder: Path) -> list[tf.Variable]:
    """Write the signatures and exactly the state they use; return their variables."""
    functions = {end.name: end.trace() for end in endpoints}
    used = {id(v): v for function in functions.values() for v in function.graph.variables}
    holder = tf.Module()
    holder.state = list(used.values())
    holder.resources = list(_resources(owners))
    with _refusing(
        "TensorFlow cannot save the model",
        hint="keep every variable and table that a signature uses as an attribute of the model",
    ):
        tf.saved_model.save(holder, str(folder), signatures=functions)
    return list(used.values())


def _resources(owners: Sequence[Any]) -> Iterator[Any]:
    """Find the tables (vocabularies, and with them their asset files) owned at any depth.

    TensorFlow's own walk stops at Keras layers, whose sublayers Keras tracks by itself.
    """
    seen: set[int] = set()
    waiting = list(owners)
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, tf.saved_model.experimental.TrackableResource):
            yield item
        waiting.extend(tf.train.TrackableView.children(item).values())
        waiting.extend(item._layers if isinstance(item, keras.Layer) else ())


def _local(base: str | os.PathLike[str]) -> Path:
    if "://" in os.fspath(base):
        raise ExportError(
            explain(
                "A model is exported to a local folder",
                expected="a path",
                found=os.fspath(base),
                hint="export locally, then copy the version folder there",
            )
        )
    return Path(base)


@contextmanager
def _aside(versions: Path) -> Iterator[Path]:
    """Give a hidden folder on the same file system; whatever is still there goes at the end."""
    made = [folder for folder in (versions, *versions.parents) if not folder.exists()]
    versions.mkdir(parents=True, exist_ok=True)
    hidden = versions / f".export-{uuid.uuid4().hex}"
    try:
        yield hidden
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        for folder in made:
            with suppress(OSError):  # not empty: a version was published
                folder.rmdir()


def _publish(folder: Path, versions: Path) -> Path:
    """Rename to the next number; another export may take that number first, so try again."""
    try:
        return folder.rename(versions / str(_next_version(versions)))
    except OSError as exc:
        if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    return _publish(folder, versions)


def _next_version(versions: Path) -> int:
    names = (entry.name for entry in versions.iterdir())
    return 1 + max((int(name) for name in names if name.isascii() and name.isdigit()), default=0)


@contextmanager
def _refusing(problem: str, *, hint: str, expected: str = "") -> Iterator[None]:
    """Turn whatever TensorFlow or the model raises into one typed refusal."""
    try:
        yield
    except ExportError:
        raise
    except Exception as exc:
        found = f"{type(exc).__name__}: {str(exc).strip()}"
        raise ExportError(explain(problem, expected=expected, found=found, hint=hint)) from exc
