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
from tfspark.errors import BindingError, explain
from tfspark.feeding import Feed
from tfspark.handle import ModelHandle
from tfspark.options import ScoreOptions
from tfspark.schema import Binding, bind
from tfspark.signature import Signature, TensorSpec
from tfspark.spark.worker.task import score_task
from tfspark.terms import SQL

Arguments: TypeAlias = "pa.Array[Any] | tuple[pa.Array[Any], ...]"


@dataclass(frozen=True)
class ArgumentScorer:
    """Scores the argument arrays of one column function; Spark pickles it."""

    handle: ModelHandle
    fetch: Mapping[str, str] | None
    options: ScoreOptions

    def __call__(self, arguments: Iterable[Arguments]) -> Iterator[pa.Array[Any]]:
        """Convert arguments to one result array per batch."""
        batches = (self._batch(given) for given in arguments)
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
        if len(arrays) == 1 and _is_row(arrays[0].type):
            return _fields(arrays[0], inputs)
        names = [f"argument {position}" for position in range(1, len(arrays) + 1)]
        if len(arrays) == len(inputs):
            ranks = [len(spec.row_shape or ()) for spec in inputs]
            arrays = tuple(map(_typed_null, arrays, inputs, ranks))
        elif len(inputs) == 1:
            arrays = tuple(_typed_null(array, inputs[0], 0) for array in arrays)
        return pa.RecordBatch.from_arrays(list(arrays), names)


def _is_row(arrow: pa.DataType) -> bool:
    """Whether an argument is a struct whose fields feed the inputs, by their names."""
    return pa.types.is_struct(arrow) and structs.recognised(arrow) is None


def _fields(array: Any, inputs: Sequence[TensorSpec]) -> pa.RecordBatch:
    """Return the fields of a struct as columns; the fields of a null struct are null."""
    names = [field.name for field in array.type]
    specs = {spec.name.lower(): spec for spec in inputs}
    columns = [
        _typed_null(column, spec, len(spec.row_shape or ()))
        if (spec := specs.get(name.lower()))
        else column
        for name, column in zip(names, array.flatten(), strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names)


def wrong_count(signature: Signature, found: int) -> BindingError:
    """Return the error of a call with a wrong number of arguments."""
    return BindingError(
        explain(
            f"Signature {signature.name!r} takes another number of arguments.",
            expected="; ".join(str(spec) for spec in signature.inputs),
            found=f"{found} arguments",
            hint=_in_order(signature),
        )
    )


def _in_order(signature: Signature) -> str:
    names = ", ".join(spec.name for spec in signature.inputs)
    fields = ", ".join(f"… AS {spec.name}" for spec in signature.inputs)
    return f"call it with one argument per input, in this order: {names}; or struct({fields})."


def _feed(signature: Signature, arguments: Sequence[str]) -> Feed:
    """Bind arguments: fields of a struct by name, others by position or to one vector input."""
    inputs = signature.inputs
    is_struct = not all(name.startswith("argument ") for name in arguments)
    if is_struct and (len(inputs) > 1 or resolve(inputs[0].name, arguments) is not None):
        return {}
    if len(inputs) == 1:
        return {inputs[0].name: list(arguments)}
    if len(arguments) != len(inputs):
        raise wrong_count(signature, len(arguments))
    return dict(zip((spec.name for spec in inputs), arguments, strict=True))


def _typed_null(array: pa.Array[Any], spec: TensorSpec, rank: int) -> pa.Array[Any]:
    """Give an untyped SQL NULL or array() the type of its input."""
    element, depth = dtypes.element_of(array.type)
    if not pa.types.is_null(element) or dtypes.unsupported(spec.dtype):
        return array
    wanted = dtypes.by_name(spec.dtype).arrow
    return array.cast(dtypes.nested(wanted, depth or rank))
