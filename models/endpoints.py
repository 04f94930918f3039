"""Converts a model to endpoints: functions with flat, named inputs and outputs.

Input: a Keras model (Sequential, functional, subclassed) or functions under `tf.function`, whose
arguments and results may be lists and dicts of tensors. Output: one `Endpoint` per signature, which
`export` traces and saves, and which `check` calls for its comparison.

Invariants: every input and output has a unique name, or the export is refused; the model is not
changed. Not part of this module: writing and checking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from models.refusal import ExportError, refusing
from tfspark.errors import explain, listing
from tfspark.options import SERVING_DEFAULT

__all__ = ["Endpoint", "Tensors", "endpoints_of"]


Tensors = dict[str, tf.Tensor]

_DECORATE = (
    "decorate the method with @tf.function(input_signature=[tf.TensorSpec(...)]) "
    "and pass signatures={'serving_default': module.method}"
)


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


def endpoints_of(model: Any, signatures: Mapping[str, Any] | None, inputs: Any) -> list[Endpoint]:
    """Return one endpoint per signature; see `export` for the arguments.

    Raises:
        ExportError: when a signature cannot be traced, or its inputs have no usable names.
    """
    is_module = callable(model) and not isinstance(model, keras.Model)
    targets = signatures or {SERVING_DEFAULT: model.__call__ if is_module else model}
    return [_endpoint(name, target, inputs) for name, target in targets.items()]


def _endpoint(name: str, target: Any, inputs: Any) -> Endpoint:
    if isinstance(target, keras.Model):
        return _keras_endpoint(name, target, inputs)
    if not hasattr(target, "get_concrete_function"):
        raise ExportError(
            explain(
                f"Signature {name!r} has nothing to call",
                expected="a Keras model, or a method under tf.function",
                found=type(target).__name__,
                hint=_DECORATE,
            )
        )
    with refusing(
        f"Signature {name!r} cannot be traced",
        expected="a Keras model, or a tf.function with an input signature",
        hint=_DECORATE,
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
    """Turn the tensors of a call's arguments into specs, and check that each has a usable name."""
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
    """Rebuild lists and dicts of tensors as specs; a dict's key names its value."""
    if isinstance(argument, Mapping):
        return {key: _spec(value, key) for key, value in argument.items()}
    if isinstance(argument, list | tuple):
        return type(argument)(_spec(value) for value in argument)
    if isinstance(argument, keras.KerasTensor):
        # Later batches may have another size than the first one that Keras saw.
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
    """Name the results of a call by their keys, their output layers, or by number."""
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
