"""Converts the graph of one signature to a model of OpenVINO, and adds its guards. Executor.

OpenVINO's reader of SavedModels supports only the signature `serving_default`, and confuses an
input and an output with the same name. So inputs and outputs are set as tensors of the graph, in a
fixed order, and the graph is read from a copy without signatures.

Invariant: integers that depend on a fed value are only moved, converted to floats, or used as
indices, because OpenVINO's integer arithmetic differs from TensorFlow's. Each index that depends on
a fed value has a guard: an additional output that is true when the index is out of range.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tfspark.engine.openvino.indices import guard, size_of, unwrap
from tfspark.engine.openvino.messages import reason_of
from tfspark.engine.openvino.operations import cannot
from tfspark.saved_model.graph_file import BINARY
from tfspark.saved_model_pb2 import SavedModel
from tfspark.signature import TensorSpec

# Operations that only move elements; integers that depend on a fed value may pass through them.
# ReverseSequence is not among them, because it moves elements as floats.
_MOVES = frozenset(
    (
        *("Broadcast", "Concat", "Gather", "OneHot", "Parameter", "Reshape", "Result", "Slice"),
        *("Split", "Squeeze", "StridedSlice", "Tile", "Transpose", "Unsqueeze", "VariadicSplit"),
    )
)
# How many of their first inputs are elements or indices; by default one. The others are sizes,
# positions and axes.
_ELEMENTS = {"Concat": sys.maxsize, "Gather": 2}
# Operations that may leave an open dimension empty, or read beyond its end. OpenVINO then returns
# the results of the previous run, or zeros.
_WINDOWS = frozenset(("AvgPool", "Convolution", "GroupConvolution", "MaxPool"))
_PARTS = frozenset(("Slice", "Split", "StridedSlice", "VariadicSplit"))
_SMALL = frozenset(["boolean", "u8", "i8", "i16"])
_LARGE = frozenset(["i32", "i64"])  # equivalent, because fed values fit into 32 bits


def convert(
    export_dir: str,
    tags: Sequence[str],
    inputs: Sequence[TensorSpec],
    tensors: Sequence[str],
) -> Any:
    """Return a model with these inputs, these tensors as outputs, and then the guards.

    Raises:
        CannotServeError: When OpenVINO cannot convert the graph, or may compute other results.
    """
    import openvino as ov
    from openvino.frontend import FrontEndManager

    frontend = FrontEndManager().load_by_framework("tf")
    with _without_signatures(Path(export_dir)) as folder:
        try:
            graph = frontend.load([folder, ",".join(tags)])
            places = [graph.get_place_by_tensor_name(spec.tensor) for spec in inputs]
            graph.override_all_inputs(places)
            for place, spec in zip(places, inputs, strict=True):
                graph.set_partial_shape(place, _shape(ov, spec))
                graph.set_element_type(place, ov.Type(np.dtype(spec.dtype)))
            graph.override_all_outputs([graph.get_place_by_tensor_name(name) for name in tensors])
            model = frontend.convert(graph)
        except Exception as error:  # the frontend raises many types of errors
            raise cannot(reason_of(error)) from error
    if (len(model.inputs), len(model.outputs)) != (len(inputs), len(tensors)):
        raise cannot(f"{len(model.inputs)} inputs and {len(model.outputs)} outputs")
    wrapped = unwrap(model)
    guards = list(_guards(model, wrapped))
    if guards:
        model.add_results(guards)
    if guards or wrapped:
        model.validate_nodes_and_infer_types()
    return model


@contextmanager
def _without_signatures(export_dir: Path) -> Iterator[str]:
    """Make a folder with the graph, and links to everything else of an export dir."""
    model = SavedModel.FromString((export_dir / BINARY).read_bytes())
    for graph in model.meta_graphs:
        graph.signature_def.clear()
    with tempfile.TemporaryDirectory(prefix="tfspark-openvino-") as made:
        folder = Path(made)
        for entry in export_dir.absolute().iterdir():
            if entry.name != BINARY:
                (folder / entry.name).symlink_to(entry)
        (folder / BINARY).write_bytes(model.SerializeToString())
        yield made


def _shape(ov: Any, spec: TensorSpec) -> Any:
    if spec.shape is None:
        return ov.PartialShape.dynamic()
    return ov.PartialShape([-1 if size is None else size for size in spec.shape])


def _guards(model: Any, wrapped: Container[str]) -> Iterator[Any]:
    """Check integers and constants; yield the guards of indices that depend on a fed value."""
    fed: set[str] = set()  # names of nodes whose output depends on a fed value
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind == "Constant":
            _check_constant(node)
        sources = [value.get_node().get_name() for value in node.input_values()]
        if kind != "ShapeOf" and (kind == "Parameter" or fed & set(sources)):
            fed.add(node.get_name())
            is_fed = [source in fed for source in sources]
            _check_integers(node, kind, is_fed)
            _check_positions(node, kind, is_fed)
            _check_sizes(node, kind)
            if kind == "Gather":
                size = size_of(node)
                if sources[1] in fed:
                    lowest = -size if node.get_name() in wrapped else 0
                    yield guard(node, lowest, size)


def _check_constant(node: Any) -> None:
    values = node.data
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise cannot(f"NaN or infinity in the constant {node.friendly_name!r}")


def _check_integers(node: Any, kind: str, is_fed: Sequence[bool]) -> None:
    types = [value.get_element_type() for value in node.input_values()]
    used = [kind for kind, fed in zip(types, is_fed, strict=True) if fed and kind.is_integral()]
    made = [output.element_type for output in node.outputs()]
    if kind == "Convert":
        if not _is_exact(types[0].to_string(), made[0].to_string()):
            raise cannot(f"a cast from {types[0].to_string()} to {made[0].to_string()}")
    elif kind not in _MOVES and any(dtype.to_string() != "boolean" for dtype in used):
        raise cannot(f"integers that depend on an input, in {node.friendly_name!r} ({kind})")


def _check_positions(node: Any, kind: str, is_fed: Sequence[bool]) -> None:
    """Refuse sizes and positions that depend on a fed value.

    A part may then be empty. OpenVINO returns the results of the previous run for it.
    """
    first = _ELEMENTS.get(kind, 1)
    types = [value.get_element_type() for value in node.input_values()]
    pairs = list(zip(types, is_fed, strict=True))[first:]
    if kind in _MOVES and any(fed and dtype.is_integral() for dtype, fed in pairs):
        raise cannot(f"a size or position from an input, in {node.friendly_name!r} ({kind})")


def _check_sizes(node: Any, kind: str) -> None:
    """Refuse operations that may need more elements of an open dimension than a row has."""
    if kind in _WINDOWS and not node.get_attributes()["auto_pad"].startswith("same"):
        first = 2  # OpenVINO puts channels before the dimensions of an image
    elif kind in _PARTS:
        first = 1
    else:
        return
    shape = node.input_value(0).get_partial_shape()
    if not shape.rank.is_static or any(size.is_dynamic for size in list(shape)[first:]):
        raise cannot(f"a part of an open dimension, in {node.friendly_name!r} ({kind})")


def _is_exact(source: str, target: str) -> bool:
    """Whether OpenVINO casts every value of a type as TensorFlow does."""
    return source == target or target == "f32" or (source in _SMALL | _LARGE and target in _LARGE)
