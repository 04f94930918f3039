"""The inputs and outputs of a model: `TensorSpec` and `Signature`. Driver and executor.

Converts a `SignatureDef` message of a SavedModel into frozen, picklable values, which can be
written as JSON or as readable text. No TensorFlow, no Spark.

Invariants: values are hashable and comparable; dimension 0 of a shape is the batch, `None` is an
unknown dimension, and a shape of `None` is an unknown rank. Inputs and outputs are sorted by name,
because the map in the file has no order; this is the documented order of arguments in SQL.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from numbers import Integral
from typing import Any, TypeAlias

from tfspark import dtypes
from tfspark.default_values import Default, default_of
from tfspark.errors import BindingError, UsageError, did_you_mean, explain, explain_all, listing
from tfspark.features import FeatureSpec
from tfspark.foreign_text import one_line
from tfspark.saved_model_pb2 import SignatureDef, TensorInfo, TensorShape

Shape: TypeAlias = tuple[int | None, ...]
OutputShapes: TypeAlias = Mapping[str, Sequence[int | None]]

# The most dimensions of a tensor in TensorFlow.
MOST_DIMENSIONS = 254

_SHAPE_HINT = (
    "give each output the shape of one row, without the batch dimension: () for a number, "
    "(3,) for a vector of three, None for a size that varies."
)


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a signature.

    Attributes:
        name: The key in the signature; `feed` and `fetch` use it.
        dtype: TensorFlow's type name, such as `float32`.
        shape: Its shape; dimension 0 is the batch. `None` is an unknown dimension or rank.
        tensor: The name of the tensor in the graph, such as `serving_default_inputs:0`; for
            engines only.
        features: The features that the graph parses from this input of serialized Examples; empty
            if the graph does not show all of them. `None` if the graph shows no parsing.
        default: The value that an input without a batch dimension has if nothing feeds it.
    """

    name: str
    dtype: str
    shape: Shape | None
    tensor: str = ""
    features: tuple[FeatureSpec, ...] | None = None
    default: Default | None = None

    @property
    def row_shape(self) -> Shape | None:
        """Shape of one row: all dimensions except the batch; `None` when the rank is unknown."""
        return None if self.shape is None else self.shape[1:]

    @property
    def row_size(self) -> int | None:
        """Number of elements of one row; `None` when one of its dimensions is unknown."""
        row = self.row_shape
        if row is None or None in row:
            return None
        return prod(dimension for dimension in row if dimension is not None)

    @property
    def batch_dimension(self) -> int | None:
        """The fixed number of rows of a batch, or `None` when it is open."""
        return self.shape[0] if self.shape else None

    @property
    def is_batched(self) -> bool:
        """Whether the tensor has a batch dimension; a scalar has none."""
        return self.shape is None or len(self.shape) > 0

    def by_rows(self) -> TensorSpec:
        """Return the tensor with an open dimension in front; an unknown rank stays unknown."""
        return self if self.shape is None else replace(self, shape=(None, *self.shape))

    @property
    def sql(self) -> str:
        """The Spark type of its column, as text; `no column` for a type without one."""
        if dtypes.reason_unsupported(self.dtype):
            return "no column"
        if not self.is_batched:
            return "no column"
        element = dtypes.by_name(self.dtype).sql
        row = self.row_shape
        if row is None:
            return f"{element} or arrays of it"
        return element if row in ((), (1,)) else dtypes.arrays_of(element, len(row))

    def __str__(self) -> str:
        shape = "unknown rank" if self.shape is None else format_shape(self.shape)
        return f"{one_line(self.name)}: {self.dtype} {shape}"


@dataclass(frozen=True)
class Signature:
    """A named function of a SavedModel, with its inputs and outputs.

    Attributes:
        name: Its key in the SavedModel, such as `serving_default`.
        inputs: The inputs, sorted by name.
        outputs: The outputs, sorted by name.
    """

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @classmethod
    def from_proto(cls, name: str, proto: SignatureDef) -> Signature:
        """Read a `SignatureDef` of a SavedModel."""
        defaults = {key: default_of(proto.defaults[key]) for key in proto.defaults}
        inputs = tuple(_with_default(one, defaults) for one in _specs(proto.inputs))
        return cls(name, inputs, _specs(proto.outputs))

    @property
    def is_row_by_row(self) -> bool:
        """Whether all inputs are scalars, so that the model runs once for each row."""
        return bool(self.inputs) and all(spec.shape == () for spec in self.inputs)

    @property
    def example_inputs(self) -> list[str]:
        """Names of the inputs of single strings, which may be serialized Examples."""
        single = (None, (), (1,))
        return [
            one.name for one in self.inputs if one.dtype == "string" and one.row_shape in single
        ]

    def with_output_shapes(self, shapes: OutputShapes) -> Signature:
        """Return the signature with the given sizes in place of open output dimensions.

        Args:
            shapes: Output → shape of one row, without the batch dimension; `None` for a size that
                varies. For a signature that runs row by row: the whole shape of the output.

        Returns:
            The signature; sizes from the SavedModel are kept.

        Raises:
            UsageError: When a value is not a shape.
            BindingError: Lists every unknown output and every output with another shape.
        """
        lead: Shape = () if self.is_row_by_row else (None,)
        given = {name: (*lead, *_checked(name, shape)) for name, shape in shapes.items()}
        known = [spec.name for spec in self.outputs]
        problems = [
            f"output_shapes names {name!r}, which is not an output of the signature "
            f"({listing(known)}).{did_you_mean(name, known)}"
            for name in given
            if name not in known
        ]
        problems += [
            f"output {spec}: {misfit}"
            for spec in self.outputs
            if spec.name in given and (misfit := _misfit(spec, given[spec.name]))
        ]
        if problems:
            problem = f"The output shapes do not fit signature {self.name!r}"
            raise BindingError(explain_all(problem, problems, hint=_SHAPE_HINT))
        outputs = tuple(
            replace(spec, shape=_completed(spec.shape, given.get(spec.name)))
            for spec in self.outputs
        )
        return replace(self, outputs=outputs)

    def to_json(self) -> str:
        """Write one line of JSON; equal signatures give equal text."""
        sides = {
            side: [asdict(spec) for spec in getattr(self, side)] for side in ("inputs", "outputs")
        }
        return json.dumps({"name": self.name, **sides})

    def by_rows(self) -> Signature:
        """Return the signature with a first dimension for rows added to every tensor.

        It describes the columns of a model that runs once for each row.
        """
        return replace(
            self,
            inputs=tuple(spec.by_rows() for spec in self.inputs),
            outputs=tuple(spec.by_rows() for spec in self.outputs),
        )

    def describe(self) -> str:
        """Return a readable page: every input and output with type, shape and Spark type."""
        lines = [f"signature {self.name!r}"]
        per_row = self.is_row_by_row
        for title, specs in (("inputs", self.inputs), ("outputs", self.outputs)):
            lines.append(f"  {title}:")
            columns = [spec.by_rows() if per_row else spec for spec in specs]
            kinds = [_kind(column, is_input=title == "inputs") for column in columns]
            for spec, kind in zip(specs, kinds, strict=True):
                lines.append(f"    {spec}, in Spark {kind}")
                lines += [f"      feature {_feature(one)}" for one in spec.features or ()]
            lines += [] if specs else ["    none"]
        return "\n".join(lines)


def _kind(spec: TensorSpec, *, is_input: bool) -> str:
    """Return the Spark type of an input or output as text; a scalar input is a constant."""
    is_constant = is_input and not spec.is_batched and not dtypes.reason_unsupported(spec.dtype)
    default = "" if spec.default is None else f", by default {one_line(repr(spec.default))}"
    kind = f"one {dtypes.by_name(spec.dtype).sql} for all rows" if is_constant else spec.sql
    return kind + default


def _feature(feature: FeatureSpec) -> str:
    need = "required" if feature.is_required else "optional"
    name, shape = one_line(feature.name), format_shape(feature.row_shape)
    return f"{name}: {feature.dtype} {shape}, {need}"


def format_shape(shape: Shape) -> str:
    """Write a shape as TensorFlow does: `(None, 2)`."""
    inside = ", ".join(str(dimension) for dimension in shape)
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def _checked(name: str, shape: object) -> Shape:
    """Check a shape from the user and return it as a tuple."""
    if isinstance(shape, list | tuple):
        sizes = [None if size is None else _size(size) for size in shape]
        if all(size is None or size >= 0 for size in sizes):
            return tuple(sizes)
    raise UsageError(
        explain(
            f"output_shapes gives output {name!r} something that is not a shape.",
            expected="a tuple of sizes, such as (), (3,) or (None, 2)",
            found=repr(shape),
            hint=_SHAPE_HINT,
        )
    )


def _size(given: Any) -> int:
    is_whole = isinstance(given, Integral) and not isinstance(given, bool)
    return int(given) if is_whole else -1


def fits(shape: Sequence[int], pattern: Sequence[int | None]) -> bool:
    """Whether a shape has the sizes of a pattern, whose `None` stands for any size."""
    return len(shape) == len(pattern) and all(
        size in (None, found) for size, found in zip(pattern, shape, strict=True)
    )


def _misfit(spec: TensorSpec, given: Shape) -> str | None:
    """Return how a given shape contradicts the shape of an output; `None` when it does not."""
    own = spec.shape
    if own is None or (
        len(own) == len(given)
        and all(None in pair or len(set(pair)) == 1 for pair in zip(own, given, strict=True))
    ):
        return None
    return f"expected {format_shape(own)}, found {format_shape(given)}"


def _completed(own: Shape | None, given: Shape | None) -> Shape | None:
    """Return a shape whose open sizes are replaced by those of the given shape."""
    if own is None or given is None:
        return given if own is None else own
    return tuple(b if a is None else a for a, b in zip(own, given, strict=True))


def _specs(infos: Mapping[str, TensorInfo]) -> tuple[TensorSpec, ...]:
    return tuple(_spec(name, infos[name]) for name in sorted(infos))


def _spec(name: str, info: TensorInfo) -> TensorSpec:
    # Without a plain name the message's oneof holds coo_sparse or composite_tensor.
    number = info.dtype % dtypes.REFERENCE if info.name else dtypes.COMPOSITE
    # A shape without dimensions is a scalar; a missing field means an unknown rank.
    given = info.tensor_shape if info.HasField("tensor_shape") else None
    # TensorFlow reads a name without an index as the first tensor of the operation.
    tensor = info.name if ":" in info.name or not info.name else f"{info.name}:0"
    return TensorSpec(name, dtypes.name_of(number), shape_of(given), tensor)


def _with_default(spec: TensorSpec, defaults: Mapping[str, Default | None]) -> TensorSpec:
    return replace(spec, default=defaults.get(spec.name)) if spec.shape == () else spec


def shape_of(proto: TensorShape | None) -> Shape | None:
    """Read a shape; `None` is an unknown rank, and a `None` inside it an unknown size."""
    if proto is None or proto.unknown_rank or len(proto.dim) > MOST_DIMENSIONS:
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in proto.dim)
