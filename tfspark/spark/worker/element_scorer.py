"""Converts the elements of an RDD to record batches and scores them. Executor.

Spark pickles an `ElementScorer` into the tasks of `mapPartitions`. Python values have no declared
type. They are read as the widest type of their kind and checked against the type of the input; a
number out of range, or text in place of a number, is an error of its row.

Invariants: one prediction per element, in order; a partition is read batch by batch, never at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import islice
from math import isinf
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Row

from tfspark import dtypes
from tfspark.columns import columns_of
from tfspark.constants import Constant
from tfspark.errors import RowError, explain, listing
from tfspark.features import features_in, key_of, parts_of
from tfspark.handle import ModelHandle
from tfspark.options import ScoreOptions
from tfspark.rounding import nearest_one
from tfspark.rows import Reason
from tfspark.schema import Binding, bind
from tfspark.signature import TensorSpec
from tfspark.spark.worker.task import origin_of, score_task

# Bytes of the elements that are converted to Arrow at a time; at least one element.
_CHUNK_BYTES = 1 << 20
_CHUNK = 4096
_FIRST_CHUNK = 16

_WIDEST: dict[str, pa.DataType] = {"f": pa.float64(), "b": pa.bool_()}
_NUMBERS = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_null,
)
_UNREADABLE = (pa.ArrowException, TypeError, ValueError, OverflowError)


@dataclass(frozen=True)
class ElementScorer:
    """Scores the elements of one RDD partition; Spark pickles it."""

    handle: ModelHandle
    feed: Mapping[str, str]
    constants: Mapping[str, Constant]
    fetch: Mapping[str, str] | None
    options: ScoreOptions

    def __call__(self, elements: Iterable[Any]) -> Iterator[Any]:
        """Yield one prediction per element: a value, or a dict for several outputs."""
        unreadable = _Unreadable(self.handle, self.options.on_error == "null")
        batches = self._batches(iter(elements), unreadable)
        row = 0
        for batch in score_task(self.handle, batches, self._bind, options=self.options):
            one = batch.num_columns == 1
            for prediction in batch.column(0).to_pylist() if one else batch.to_pylist():
                bad = unreadable.reasons.pop(row, None)
                yield prediction if bad is None else self._rejected(bad, batch.schema.names)
                row += 1

    def _rejected(self, bad: Reason, names: Sequence[str]) -> Any:
        """Return the result of an element that is not a value of its input."""
        result: dict[str, Any] = dict.fromkeys(names)
        if self.options.reason is not None:
            result[self.options.reason] = bad.as_struct()
        return result if len(names) > 1 else None

    def _bind(self, schema: pa.Schema) -> Binding:
        """Bind the inputs to the columns from `_batches`."""
        return bind(
            self.handle.signature,
            columns_of(schema),
            feed={**self.constants, **{name: name for name in self._features}},
            fetch=self.fetch,
            options=self.options,
        )

    @cached_property
    def _fed(self) -> list[TensorSpec]:
        """The inputs that elements feed, with features in place of inputs of Examples."""
        inputs, names = self.handle.signature.inputs, self.handle.signature.example_inputs
        taken = {*self.constants, *(parts_of(name, names)[0] for name in self._features)}
        return [*(spec for spec in inputs if spec.name not in taken), *self._features.values()]

    @cached_property
    def _features(self) -> dict[str, TensorSpec]:
        """Key in `feed` → feature, for the inputs of which `feed` names features."""
        signature = self.handle.signature
        features = (
            TensorSpec(key_of(spec.name, one.name), one.dtype, (None, *one.row_shape))
            for spec in signature.inputs
            if features_in(self.feed, spec.name, signature.example_inputs)
            for one in spec.features or ()
        )
        return {feature.name: feature for feature in features}

    @cached_property
    def _keys(self) -> dict[str, str]:
        """Input or feature → its key in an element."""
        names = self.handle.signature.example_inputs
        own = {spec.name: parts_of(spec.name, names) for spec in self._fed}
        return {name: self.feed.get(name, feature or name) for name, (_, feature) in own.items()}

    def _batches(
        self, elements: Iterator[Any], unreadable: _Unreadable
    ) -> Iterator[pa.RecordBatch]:
        specs = self._fed
        types: list[pa.DataType] | None = None
        start, rows = 0, _FIRST_CHUNK
        while chunk := list(islice(elements, rows)):
            columns = [
                [
                    self._value(spec, element, start + row, unreadable)
                    for row, element in enumerate(chunk)
                ]
                for spec in specs
            ]
            if types is None:
                types = [
                    _type_of(spec, values) for spec, values in zip(specs, columns, strict=True)
                ]
            arrays = [
                _array(values, arrow, spec, start, unreadable)
                for values, arrow, spec in zip(columns, types, specs, strict=True)
            ]
            batch = pa.RecordBatch.from_arrays(arrays, [spec.name for spec in specs])
            yield batch
            start += len(chunk)
            rows = max(1, min(_CHUNK, _CHUNK_BYTES * len(chunk) // max(batch.nbytes, 1)))

    def _value(self, spec: TensorSpec, element: Any, row: int, unreadable: _Unreadable) -> Any:
        """Return the value of an input: by name from a dict or Row, or the element itself."""
        key = self._keys[spec.name]
        value = element
        if isinstance(element, Row) and not (
            spec.name in self.feed or key in _names(element) or len(self._fed) > 1
        ):
            value = element[0] if len(element) == 1 else list(element)
        elif isinstance(element, Mapping | Row):
            if key not in _names(element):
                if spec.name in self._features:
                    return None
                found = f"it has {listing(_names(element))}, but not {key!r}"
                return unreadable.add(spec, row, found)
            value = element[key]
        elif element is not None and len(self._fed) > 1:
            inputs = listing(fed.name for fed in self._fed)
            found = f"it is a {type(element).__name__}, not a dict or Row with {inputs}"
            return unreadable.add(spec, row, found)
        value = _plain(value)
        # A column of one may be written as the number alone; both kinds may come in one partition.
        if spec.row_shape == (1,) and isinstance(value, list | tuple) and len(value) == 1:
            return value[0]
        return value


@dataclass
class _Unreadable:
    """The elements of a partition that are not values of their inputs.

    Attributes:
        handle: The model.
        may_reject: Whether such an element is set aside; otherwise it ends the scoring.
        reasons: Number of an element in the partition → why it is not a value.
    """

    handle: ModelHandle
    may_reject: bool
    reasons: dict[int, Reason] = field(default_factory=dict)

    def add(self, spec: TensorSpec, row: int, found: str) -> None:
        """Set an element aside; a null replaces it."""
        message = f"the element cannot feed input {spec}: {found}"
        if not self.may_reject:
            raise RowError(explain(f"{origin_of(self.handle).at(f'row {row}')}: {message}"))
        self.reasons.setdefault(row, Reason("UNREADABLE", message, spec.name))


def _array(
    values: list[Any], arrow: pa.DataType, spec: TensorSpec, start: int, unreadable: _Unreadable
) -> pa.Array[Any]:
    try:
        return _read(values, arrow, spec)
    except _UNREADABLE:
        # One value is of another kind, or the values only fit one by one, such as a large integer
        # beside a float.
        alone = (
            _alone(value, arrow, spec, start + row, unreadable) for row, value in enumerate(values)
        )
        return pa.concat_arrays(list(alone))


def _alone(
    value: Any, arrow: pa.DataType, spec: TensorSpec, row: int, unreadable: _Unreadable
) -> pa.Array[Any]:
    try:
        return _read([value], arrow, spec)
    except _UNREADABLE as error:
        unreadable.add(spec, row, str(error))
        return _read([None], arrow, spec)


def _plain(value: Any) -> Any:
    """Return arrays of NumPy, and vectors and matrices of Spark ML, as lists."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value] if _begins_with_array(value) else value
    if hasattr(value, "toArray"):
        return value.toArray().tolist()
    return value


def _begins_with_array(value: Any) -> bool:
    """Whether the first leaf of nested lists is an array; lists of numbers are not copied."""
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return isinstance(value, np.ndarray)


def _names(element: Mapping[Any, Any] | Row) -> list[str]:
    return list(element) if isinstance(element, Mapping) else getattr(element, "__fields__", [])


def _type_of(spec: TensorSpec, values: Sequence[Any]) -> pa.DataType:
    """Return the Arrow type for values: the widest of its kind, with their nesting depth."""
    depth, sample = 0, next((value for value in values if value is not None), None)
    while isinstance(sample, list | tuple):
        depth, sample = depth + 1, next((value for value in sample if value is not None), None)
    if sample is None:
        depth = len(spec.row_shape or ())
    if spec.row_shape == (1,) and depth <= 1:
        depth = 0
    kind = dtypes.by_name(spec.dtype)
    if kind.is_string:
        return dtypes.nested(pa.binary(), depth)
    if kind.name == "uint64":
        return dtypes.nested(pa.uint64(), depth)
    widest: pa.DataType = _WIDEST.get(np.dtype(kind.numpy).kind, pa.int64())
    return dtypes.nested(widest, depth)


def _read(values: Sequence[Any], arrow: pa.DataType, spec: TensorSpec) -> pa.Array[Any]:
    """Read Python values as an Arrow type, or fail: no fraction as integer, no text as number."""
    element, _ = dtypes.element_of(arrow)
    if pa.types.is_floating(element):
        try:
            return pa.array(values, arrow)
        except pa.ArrowInvalid:  # of bools, decimals, or integers that a double rounds
            dtype = dtypes.by_name(spec.dtype)
            return pa.array([_as_float(value, dtype) for value in values], arrow)
    if not pa.types.is_integer(element):
        return pa.array(values, arrow)
    found: pa.Array[Any]
    try:
        found = pa.array(values)
    except OverflowError:
        if element != pa.uint64():
            raise
        # Without a type, Arrow converts integers to int64.
        _, depth = dtypes.element_of(arrow)
        found = pa.array(values, dtypes.nested(pa.decimal128(38, 0), depth))
    kind = dtypes.element_of(found.type)[0]
    # Arrow would convert text, dates and times to integers.
    if not (dtypes.is_decimal(kind) or any(is_one(kind) for is_one in _NUMBERS)):
        raise TypeError(f"a value of the type {kind} is not a number")
    return found.cast(arrow)


def _as_float(value: Any, target: dtypes.DType) -> Any:
    """Return a number as the nearest float of the input, and sequences of numbers as lists."""
    if isinstance(value, list | tuple):
        return [_as_float(item, target) for item in value]
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, bool | int | Decimal):
        return value
    found = float(nearest_one(value, target))
    return float(value) if isinf(found) else found  # too large; a later check reports it
