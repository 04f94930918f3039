"""Writes the variables of a SavedModel as constants of its graph.

Input: an export dir. Output: another export dir, whose signatures have the same names, inputs,
outputs, tables and assets. When TensorFlow loads a model, it optimises constants. For example, it
merges a batch normalisation with its convolution. This makes some models faster, and can change the
last bits of their answers.

Each signature gets its own copy of its weights. Tables stay tables. A signature that writes to a
variable is refused, because a constant cannot change. Invariants: the source is only read; live
models are not changed, because only a loaded copy is converted.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from models.check import Arrays, check_export, session_answers
from models.refusal import ExportError, refusing
from models.saving import save
from tfspark.errors import explain, explain_all

__all__ = ["LIMIT", "check_foldable", "fold", "fold_checked"]

_log = logging.getLogger(__name__)

LIMIT = 2**31 - 1
"""The largest protobuf message in bytes; `saved_model.pb` is one message."""

_UNFOLDED = "export without fold=True (--fold)"

_READING = {"ReadVariableOp", "ResourceGather", "ResourceGatherNd"}
_CALLING = {"PartitionedCall", "StatefulPartitionedCall"}


def check_foldable(functions: Mapping[str, Any]) -> None:
    """Check that the variables of some signatures can become constants, before anything is written.

    Args:
        functions: `{signature: concrete function}`.

    Raises:
        ExportError: Lists every variable that a signature changes or reads in a way that
            TensorFlow cannot convert; or says that the constants exceed protobuf's limit.
    """
    problems = [
        f"signature {name!r}, variable {variable.name.removesuffix(':0')!r}: {problem}"
        for name, function in functions.items()
        for uses in [_Uses(function.graph.as_graph_def())]
        for variable, placeholder in _variables(function)
        for problem in sorted(set(uses.problems(placeholder)))
    ]
    if problems:
        raise ExportError(
            explain_all("Variables cannot become constants", problems, hint=_UNFOLDED)
        )
    size = sum(map(_size, functions.values()))
    if size > LIMIT:
        raise ExportError(
            explain(
                "The model is too large to be folded.",
                expected=f"constants and graphs of at most {LIMIT:,} bytes, protobuf's limit",
                found=f"{size:,} bytes in {len(functions)} signatures, each with its own constants",
                hint=_UNFOLDED,
            )
        )


def fold(source: Path, target: Path) -> None:
    """Write a copy of a SavedModel with constants instead of variables.

    Args:
        source: Export dir that `tf.saved_model.load` loads.
        target: The new export dir; it does not exist.

    Raises:
        ExportError: See `check_foldable`; or when TensorFlow cannot convert or save a signature.
    """
    loaded = tf.saved_model.load(str(source))
    signatures = dict(loaded.signatures)
    check_foldable(signatures)
    save([loaded], {name: _folded(name, one) for name, one in signatures.items()}, target)


def fold_checked(
    source: Path, target: Path, reference: Mapping[str, Arrays], sample: Mapping[str, Arrays]
) -> Path:
    """Fold a SavedModel, check the result with both loaders, and log how its answers differ.

    Args:
        source: See `fold`.
        target: See `fold`.
        reference: `{signature: {output: array}}`, the answers of the live model.
        sample: `{signature: {input: array}}`, the inputs that give them.

    Returns:
        `target`.

    Raises:
        ExportError: From `fold` or `check_export`.
    """
    fold(source, target)
    check_export(target, reference, sample)
    plain, folded = (session_answers(str(folder), sample) for folder in (source, target))
    pairs = [(plain[name][key], folded[name][key]) for name in plain for key in plain[name]]
    if all(map(_bit_equal, pairs)):
        _log.info("The folded model and the unfolded one give bit-equal answers on the sample.")
    else:
        _log.warning(
            "The answers of the folded model differ from those of the unfolded one by up to %.1e "
            "of the largest value of an output, on the sample.",
            max(map(_distance, pairs)),
        )
    return target


def _folded(name: str, function: Any) -> Any:
    """Return a loaded signature with constants; it still captures its tables."""
    handles = {id(variable.handle) for variable, _ in _variables(function)}
    # TensorFlow converts everything that a function captures, except resources.
    kept = [
        captured
        for captured in function.captured_inputs
        if captured.dtype == tf.resource and id(captured) not in handles
    ]
    with refusing(f"TensorFlow cannot fold signature {name!r}", hint=_UNFOLDED):
        # Loops stay loops; TensorFlow lowers them when it runs the model.
        constant = convert_variables_to_constants_v2(function, lower_control_flow=False)

    def serve(*inputs: tf.Tensor) -> Any:
        outputs = constant(*inputs, *kept)
        for output, known in zip(outputs, function.outputs, strict=True):
            output.set_shape(known.shape)
        return tf.nest.pack_sequence_as(function.structured_outputs, outputs)

    specs = tf.nest.flatten(function.structured_input_signature)
    return tf.function(serve, input_signature=specs, autograph=False).get_concrete_function()


def _variables(function: Any) -> Iterator[tuple[Any, str]]:
    """Yield each variable that a function captures, with the name of its placeholder."""
    variables = {id(variable.handle): variable for variable in function.graph.variables}
    for captured, placeholder in function.graph.captures:
        if id(captured) in variables:
            yield variables[id(captured)], placeholder.op.name


class _Uses:
    """Finds the operations that use the variables of a graph, also through function calls."""

    def __init__(self, graph: Any) -> None:
        self._functions = {function.signature.name: function for function in graph.library.function}
        self._users = {name: _users(one.node_def) for name, one in self._functions.items()}
        self._users[""] = _users(graph.node)

    def problems(self, handle: str, scope: str = "", *, is_inlined: bool = True) -> Iterator[str]:
        """Yield the uses of a handle that TensorFlow cannot convert.

        Args:
            handle: Name of the node or argument that provides the handle.
            scope: Name of the function that has this node; empty for the graph itself.
            is_inlined: Whether the conversion moves the nodes of the scope into the graph.
        """
        for node, place in self._users[scope].get(handle, ()):
            called = list(_called(node))
            for name in called:
                arguments = self._functions[name].signature.input_arg
                # The first input of a branching node selects the branch, and is not passed to it.
                inner = arguments[place - len(_inputs(node)) + len(arguments)].name
                inlined = is_inlined and node.op in _CALLING
                yield from self.problems(inner, name, is_inlined=inlined)
            if node.op == "Identity":
                yield from self.problems(node.name, scope, is_inlined=is_inlined)
            elif not called and (problem := _problem(node, is_inlined)):
                yield problem


def _users(nodes: Any) -> dict[str, list[tuple[Any, int]]]:
    """Return, for each name, the nodes that take it as an input, and the position of the input."""
    users: dict[str, list[tuple[Any, int]]] = {}
    for node in nodes:
        for place, name in enumerate(_inputs(node)):
            users.setdefault(name.partition(":")[0], []).append((node, place))
    return users


def _inputs(node: Any) -> list[str]:
    return [name for name in node.input if not name.startswith("^")]


def _problem(node: Any, is_inlined: bool) -> str:
    """Return why TensorFlow cannot convert a node that takes a variable; empty if it can."""
    if node.op not in _READING:
        return f"{node.op} needs a variable"
    if node.op == "ResourceGather" and not is_inlined:
        return "ResourceGather inside a loop or a branch"
    return "ResourceGather with batch_dims" if node.attr["batch_dims"].i else ""


def _called(node: Any) -> Iterator[str]:
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        yield from (function.name for function in value.list.func)


def _size(function: Any) -> int:
    """Return the approximate bytes of a folded function."""
    values = (variable.read_value() for variable, _ in _variables(function))
    weights = sum(value.shape.num_elements() * value.dtype.size for value in values)
    return int(weights) + int(function.graph.as_graph_def().ByteSize())


def _bit_equal(pair: tuple[Any, Any]) -> bool:
    plain, folded = pair
    if plain.dtype == object:
        return bool(np.array_equal(plain, folded))
    return bool(plain.tobytes() == folded.tobytes())


def _distance(pair: tuple[Any, Any]) -> float:
    """Return the largest difference of two arrays, relative to the largest value."""
    plain, folded = pair
    if not np.issubdtype(plain.dtype, np.inexact):
        return 0.0  # `check_export` has found these equal
    gaps = np.abs(plain - folded)[np.isfinite(plain) & np.isfinite(folded)]
    largest = np.abs(plain[np.isfinite(plain)]).max(initial=0.0)
    return float(gaps.max(initial=0.0) / (largest or 1.0))
