"""Writers of SavedModels in the forms of TensorFlow 1, and changes of the written files.

A model is built in a graph and saved by the builder of TensorFlow 1. If no current TensorFlow
writes the wanted form, the protocol buffer is changed afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

v1 = tf.compat.v1
ANYWHERE = v1.ConfigProto(allow_soft_placement=True)
Ends: TypeAlias = tuple[Mapping[str, Any], Mapping[str, Any]]
Change: TypeAlias = Callable[[Any], None]


def save_graph(
    path: Path,
    build: Callable[[], Ends | Mapping[str, Ends]],
    *changes: Change,
    tags: tuple[str, ...] = ("serve",),
    **builder: Any,
) -> None:
    """Write a SavedModel of a graph.

    Args:
        path: Export dir.
        build: Makes the graph and returns its inputs and outputs, or those of several signatures.
        changes: Change the graph's protocol buffer after it is written.
        tags: Tag set.
        builder: Arguments of `add_meta_graph_and_variables`: functions called in the graph.
    """
    with tf.Graph().as_default(), v1.Session(config=ANYWHERE) as session:
        built = build()
        signatures = built if isinstance(built, Mapping) else {"serving_default": built}
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        writer = v1.saved_model.Builder(str(path))
        writer.add_meta_graph_and_variables(
            session,
            list(tags),
            {name: _signature(*ends) for name, ends in signatures.items()},
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            **{name: make() for name, make in builder.items()},
        )
        writer.save()
    change(path, *changes)


def _signature(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
    info = v1.saved_model.build_tensor_info
    return v1.saved_model.build_signature_def(
        {name: info(tensor) for name, tensor in inputs.items()},
        {name: info(tensor) for name, tensor in outputs.items()},
        v1.saved_model.signature_constants.PREDICT_METHOD_NAME,
    )


def save_module(path: Path, function: Callable[..., Any], *specs: Any) -> None:
    """Write a SavedModel of a function, as TensorFlow 2 does."""
    module = tf.Module()
    module.serve = tf.function(function, input_signature=specs, autograph=False)
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})


def change(path: Path, *changes: Change) -> None:
    """Change every graph of a SavedModel."""
    file = path / "saved_model.pb"
    model = SavedModel.FromString(file.read_bytes())
    for graph in model.meta_graphs:
        for one in changes:
            one(graph)
    file.write_bytes(model.SerializeToString())


def as_text(path: Path) -> None:
    """Replace `saved_model.pb` by `saved_model.pbtxt`."""
    file = path / "saved_model.pb"
    model = SavedModel.FromString(file.read_bytes())
    file.with_suffix(".pbtxt").write_text(text_format.MessageToString(model))
    file.unlink()


def without_shapes(graph: Any) -> None:
    """Leave `tensor_shape` out of every input and output, as TensorFlow Serving's own models do."""
    for info in _infos(graph):
        info.ClearField("tensor_shape")


def of_unknown_rank(*names: str) -> Change:
    """Mark the shape of some outputs as unknown."""

    def forget(graph: Any) -> None:
        for signature in graph.signature_def.values():
            for name in names:
                signature.outputs[name].tensor_shape.Clear()
                signature.outputs[name].tensor_shape.unknown_rank = True

    return forget


def free_rows(graph: Any) -> None:
    """Leave the number of rows open in every input and output."""
    for info in _infos(graph):
        info.tensor_shape.dim[0].size = -1


def without_output_shapes(graph: Any) -> None:
    """Remove the shapes that TensorFlow writes into every node."""
    functions = [one.node_def for one in graph.graph_def.library.function]
    for nodes in (graph.graph_def.node, *functions):
        for node in nodes:
            node.attr.pop("_output_shapes", None)


def other_op(name: str, op: str, **attributes: str | int) -> Change:
    """Change the operation of a node."""

    def exchange(graph: Any) -> None:
        (node,) = (node for node in graph.graph_def.node if node.name == name)
        node.op = op
        for key, value in attributes.items():
            if isinstance(value, str):
                node.attr[key].s = value.encode()
            else:
                node.attr[key].i = value

    return exchange


@contextmanager
def old_control_flow() -> Iterator[None]:
    """Write loops as Enter, Switch, Merge and Exit in the block."""
    v1.disable_control_flow_v2()
    try:
        yield
    finally:
        v1.enable_control_flow_v2()


def _infos(graph: Any) -> Iterator[Any]:
    for signature in graph.signature_def.values():
        yield from signature.inputs.values()
        yield from signature.outputs.values()
