"""Scores the arguments of a column function in its tasks. Executor.

Spark pickles an `ArgumentScorer` with the function, calls it with the Arrow arrays of the
arguments, and takes one array of results per batch. The driver does not know the types of the
arguments, so the first batch is bound here, with the driver's messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa

from tfspark import dtypes, structs
from tfspark.columns import columns_of, resolve
from tfspark.errors import BindingError, explain, listing
from tfspark.features import key_of, parts_of
from tfspark.feeding import Feed
from tfspark.handle import ModelHandle
from tfspark.options import ScoreOptions
from tfspark.schema import Binding, bind
from tfspark.signature import Signature, TensorSpec
from tfspark.spark.worker.task import score_task
from tfspark.terms import SQL

Arguments: TypeAlias = "pa.Array[Any] | tuple[pa.Array[Any], ...]"

# Arrow's number of the type; PyArrow has no class for it, so Spark's reading of it is a KeyError.
_INTERVAL_MONTHS = 21


@dataclass(frozen=True)
class ArgumentScorer:
    """Scores the argument arrays of one column function; Spark pickles it."""

    handle: ModelHandle
    fetch: Mapping[str, str] | None
    options: ScoreOptions

    def __call__(self, arguments: Iterable[Arguments]) -> Iterator[pa.Array[Any]]:
        """Convert arguments to one result array per batch."""
        batches = (self._batch(given) for given in _readable(arguments))
        for batch in score_task(self.handle, batches, self._bind, options=self.options):
            yield batch.column(0) if batch.num_columns == 1 else batch.to_struct_array()

    def _bind(self, schema: pa.Schema) -> Binding:
        """Bind the arguments with the types of the first batch."""
        return bind(
            self.handle.signature,
            columns_of(schema),
            feed=_feed(self.handle.signature, schema.names),
            fetch=self.fetch,
            options=self.options,
            terms=SQL,
            hint=_in_order(self.handle.signature),
        )

    def _batch(self, given: Arguments) -> pa.RecordBatch:
        arrays = given if isinstance(given, tuple) else (given,)
        inputs = self.handle.signature.inputs
        if not arrays:
            raise wrong_count(self.handle.signature, 0)
        named: list[tuple[str, pa.Array[Any], TensorSpec | None]]
        if len(arrays) == 1 and _is_row(arrays[0].type) and not _is_example(arrays[0].type, inputs):
            specs = {spec.name.lower(): spec for spec in inputs}
            named = [(*field, specs.get(field[0].lower())) for field in _fields(arrays[0])]
        else:
            positions = [f"argument {position}" for position in range(1, len(arrays) + 1)]
            unknown: Sequence[TensorSpec | None] = [None] * len(arrays)
            by_position = inputs if len(inputs) == len(arrays) else unknown
            named = list(zip(positions, arrays, by_position, strict=True))
        columns = [column for one in named for column in _columns(*one)]
        names = [name for name, _ in columns]
        if len(inputs) == 1 and len(arrays) > 1:
            columns = [(name, _typed_null(array, inputs[0], 0)) for name, array in columns]
        return pa.RecordBatch.from_arrays([array for _, array in columns], names)


def _readable(arguments: Iterable[Arguments]) -> Iterator[Arguments]:
    """Yield the arguments; name the only type that Spark sends and PyArrow cannot read."""
    try:
        yield from arguments
    except KeyError as error:
        if error.args != (_INTERVAL_MONTHS,):
            raise
        message = explain(
            "An argument cannot feed the model.",
            expected="a type that Python can read",
            found="interval year, interval month, or interval year to month",
            hint="use extract(YEAR FROM argument), or another of its parts.",
        )
        raise BindingError(message) from error


def _is_row(arrow: pa.DataType) -> bool:
    """Whether an argument is a struct whose fields feed the inputs, by their names."""
    if not pa.types.is_struct(arrow) or structs.is_variant(arrow):
        return False
    return structs.recognised(arrow) is None


def _is_example(struct: Any, inputs: Sequence[TensorSpec]) -> bool:
    """Whether the fields of the only argument are the features of the only input."""
    if len(inputs) > 1 or inputs[0].features is None:
        return False
    return resolve(inputs[0].name, [field.name for field in struct]) is None


def _fields(array: Any) -> list[tuple[str, pa.Array[Any]]]:
    """Return the fields of a struct; the fields of a null struct are null."""
    return list(zip([field.name for field in array.type], array.flatten(), strict=True))


def _columns(
    name: str, array: pa.Array[Any], spec: TensorSpec | None
) -> list[tuple[str, pa.Array[Any]]]:
    """Return an argument as a column; a struct for an input of Examples as its features."""
    if spec is None:
        return [(name, array)]
    if spec.features is None or not _is_row(array.type):
        return [(name, _typed_null(array, spec, len(spec.row_shape or ())))]
    parsed = {one.name: TensorSpec("", one.dtype, (None, *one.row_shape)) for one in spec.features}
    return [
        (
            key_of(spec.name, field),
            _typed_null(column, parsed[field], 0) if field in parsed else column,
        )
        for field, column in _fields(array)
    ]


def wrong_count(signature: Signature, found: int) -> BindingError:
    """Return the error of a call with a wrong number of arguments."""
    return BindingError(
        explain(
            f"Signature {signature.name!r} takes another number of arguments.",
            expected="; ".join(str(spec) for spec in signature.inputs),
            found="1 argument" if found == 1 else f"{found} arguments",
            hint=_in_order(signature),
        )
    )


def _in_order(signature: Signature) -> str:
    names = ", ".join(spec.name for spec in signature.inputs)
    fields = ", ".join(f"… AS {spec.name}" for spec in signature.inputs)
    examples = [spec.name for spec in signature.inputs if spec.features is not None]
    also = f" A struct of features feeds {listing(examples)}." if examples else ""
    return (
        f"call it with one argument per input, in this order: {names}; or struct({fields}).{also}"
    )


def _feed(signature: Signature, arguments: Sequence[str]) -> Feed:
    """Bind arguments: fields of a struct by name, others by position or to one vector input."""
    inputs = signature.inputs
    owners = {name: parts_of(name, signature.example_inputs) for name in arguments}
    features = {name: name for name, (_, feature) in owners.items() if feature}
    others = [name for name in arguments if name not in features]
    is_struct = not all(name.startswith("argument ") for name in others)
    if not others or (
        is_struct and (len(inputs) > 1 or resolve(inputs[0].name, others) is not None)
    ):
        return features
    if len(inputs) == 1:
        return {**features, inputs[0].name: others}
    fed = {owners[name][0] for name in features}
    if len(others) + len(fed) != len(inputs):
        raise wrong_count(signature, len(others) + len(fed))
    rest = (spec.name for spec in inputs if spec.name not in fed)
    return {**features, **dict(zip(rest, others, strict=True))}


def _typed_null(array: pa.Array[Any], spec: TensorSpec, rank: int) -> pa.Array[Any]:
    """Give an untyped SQL NULL or array() the type of its input."""
    element, depth = dtypes.element_of(array.type)
    if not pa.types.is_null(element) or dtypes.reason_unsupported(spec.dtype):
        return array
    wanted = dtypes.by_name(spec.dtype).arrow
    return array.cast(dtypes.nested(wanted, depth or rank))
