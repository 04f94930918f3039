"""`predict_rdd`: score an RDD of Python values by mapPartitions. Classic Spark only.

Python values have no declared type, so they are read as the widest of their kind and checked
against the model's type: a number that does not fit, or text for a number, is an error of its row.

Invariants: one prediction per element, in order and in the same partitions, so that
`rdd.zip(predictions)` pairs them; a partition is read batch by batch, never whole.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark import RDD
from pyspark.sql import Row, SparkSession

from tfspark import dtypes
from tfspark.columns import columns_of
from tfspark.constants import Constant
from tfspark.errors import (
    BindingError,
    RowError,
    UsageError,
    did_you_mean,
    explain,
    explain_all,
    listing,
)
from tfspark.fetching import Strings
from tfspark.handle import ModelHandle
from tfspark.rows import OnNull
from tfspark.runner import score
from tfspark.schema import bind, bind_outputs, warnings_of
from tfspark.signature import Signature, TensorSpec
from tfspark.spark.options import (
    Model,
    ScoreOptions,
    check_columns,
    handle_of,
    is_constant,
    model_of,
)
from tfspark.spark.worker.task import open_model, origin

if TYPE_CHECKING:
    from typing_extensions import Unpack

_log = logging.getLogger(__name__)

# Elements turned into Arrow at a time: as many as make about this many bytes, one at least.
_CHUNK_BYTES = 1 << 20
_CHUNK = 4096
_FIRST_CHUNK = 16

_WIDEST: dict[str, pa.DataType] = {"f": pa.float64(), "b": pa.bool_()}
_UNREADABLE = (pa.ArrowException, TypeError, ValueError, OverflowError)


@dataclass(frozen=True)
class ElementScorer:
    """Scores the elements of one RDD partition; what Spark pickles for it."""

    handle: ModelHandle
    feed: Mapping[str, str]
    constants: Mapping[str, Constant]
    fetch: Mapping[str, str] | None
    strings: Strings
    on_null: OnNull
    batch_size: int | None

    def __call__(self, elements: Iterable[Any]) -> Iterator[Any]:
        """Yield one prediction per element: a value, or a dict for several outputs."""
        batches = self._batches(iter(elements))
        first = next(batches, None)
        if first is None:
            return
        binding = bind(
            self.handle.signature,
            columns_of(first.schema),
            feed=self.constants,
            fetch=self.fetch,
            narrow=True,
            strings=self.strings,
            on_null=self.on_null,
            batch_size=self.batch_size,
        )
        scored = score(
            _chain(first, batches),
            binding,
            open_model(self.handle),
            keep=(),
            batch_size=self.batch_size,
            origin=origin(self.handle),
        )
        for batch in scored:
            yield from batch.column(0).to_pylist() if batch.num_columns == 1 else batch.to_pylist()

    @property
    def _fed(self) -> list[TensorSpec]:
        """The inputs that elements feed."""
        inputs = self.handle.signature.inputs
        return [spec for spec in inputs if spec.name not in self.constants]

    def _batches(self, elements: Iterator[Any]) -> Iterator[pa.RecordBatch]:
        specs = self._fed
        types: list[pa.DataType] | None = None
        start, rows = 0, _FIRST_CHUNK
        while chunk := list(islice(elements, rows)):
            columns = [
                [self._value(spec, element, start + row) for row, element in enumerate(chunk)]
                for spec in specs
            ]
            if types is None:
                types = [
                    _type_of(spec, values) for spec, values in zip(specs, columns, strict=True)
                ]
            arrays = [
                self._array(values, arrow, spec, start)
                for values, arrow, spec in zip(columns, types, specs, strict=True)
            ]
            batch = pa.RecordBatch.from_arrays(arrays, [spec.name for spec in specs])
            yield batch
            start += len(chunk)
            rows = max(1, min(_CHUNK, _CHUNK_BYTES * len(chunk) // max(batch.nbytes, 1)))

    def _value(self, spec: TensorSpec, element: Any, row: int) -> Any:
        """Return one input's value; a dict or Row holds it by name, any other element is it."""
        key = self.feed.get(spec.name, spec.name)
        value = element
        if isinstance(element, Row) and not (
            spec.name in self.feed or key in _names(element) or len(self._fed) > 1
        ):
            value = element[0] if len(element) == 1 else list(element)
        elif isinstance(element, Mapping | Row):
            if key not in _names(element):
                raise self._refusal(spec, row, f"it has {listing(_names(element))}, no {key!r}")
            value = element[key]
        elif element is not None and len(self._fed) > 1:
            inputs = listing(one.name for one in self._fed)
            found = f"it is a {type(element).__name__}, not a dict or Row with {inputs}"
            raise self._refusal(spec, row, found)
        if isinstance(value, np.ndarray | np.generic):
            value = value.tolist()
        # A column of one may be written as the number alone; both kinds may come in one partition.
        if spec.row_shape == (1,) and isinstance(value, list | tuple) and len(value) == 1:
            return value[0]
        return value

    def _array(
        self, values: list[Any], arrow: pa.DataType, spec: TensorSpec, start: int
    ) -> pa.Array[Any]:
        try:
            return _read(values, arrow)
        except _UNREADABLE:
            # One is of another kind, or they go together alone: a large integer beside a float.
            alone = (
                self._alone(value, arrow, spec, start + row) for row, value in enumerate(values)
            )
            return pa.concat_arrays(list(alone))

    def _alone(self, value: Any, arrow: pa.DataType, spec: TensorSpec, row: int) -> pa.Array[Any]:
        try:
            return _read([value], arrow)
        except _UNREADABLE as error:
            raise self._refusal(spec, row, str(error)) from error

    def _refusal(self, spec: TensorSpec, row: int, reason: str) -> RowError:
        place = origin(self.handle).at(f"row {row}")
        return RowError(explain(f"{place}: the element cannot feed input {spec}: {reason}"))


def predict_rdd(
    rdd: RDD[Any],
    model: Model,
    *,
    feed: Mapping[str, Any] | None = None,
    fetch: Mapping[str, str] | None = None,
    strings: Strings = "string",
    **options: Unpack[ScoreOptions],
) -> RDD[Any]:
    """Score every element of an RDD.

    Args:
        rdd: Elements are the value of the single input (number, string, list or NumPy array), or a
            dict or Row that holds the inputs by name. `None` gives `None`. A Row without the name
            of the single input is its value: the only field, else all fields as a list.
        model: A path (export dir or base path), a URI that Spark reads, or a loaded `ModelPackage`.
        feed: Input → key of the dict or Row, by default the input's own name; or a constant.
        fetch: Output → key in the result. Left out: all outputs, under their own names.
        strings: Whether string outputs come as `string` (str) or `binary` (bytes).
        options: See `ScoreOptions`.

    Returns:
        One prediction per element: the value of a single output, or a dict of several.

    Raises:
        ModelNotFoundError: No model, or no such version, at the path.
        InvalidModelError: The model is broken or incomplete.
        SignatureNotFoundError: No such signature.
        UsageError: No such option, or not that value of it.
        BindingError: The outputs cannot be returned, or `feed` names no input.
    """
    check_columns(feed=feed, fetch=fetch, strings=strings)
    given: object = rdd
    if not isinstance(given, RDD):
        found = f"{type(given).__module__}.{type(given).__name__}"
        problem = "Only an RDD can be scored by predict_rdd."
        hint = "score a DataFrame by predict(df, model)."
        raise UsageError(explain(problem, expected="pyspark.RDD", found=found, hint=hint))
    spark = SparkSession(rdd.context)
    package = model_of(spark, model, options)
    bind_outputs(
        package.signature, fetch=fetch, strings=strings, batch_size=options.get("batch_size")
    )
    _check_feed(package.signature, feed or {})
    for warning in warnings_of(package.signature):
        _log.warning(warning)
    scorer = ElementScorer(
        handle_of(spark, package, options),
        {name: key for name, key in (feed or {}).items() if not is_constant(key)},
        {name: Constant(value) for name, value in (feed or {}).items() if is_constant(value)},
        fetch,
        strings,
        options.get("on_null", "null"),
        options.get("batch_size"),
    )
    return rdd.mapPartitions(scorer, preservesPartitioning=True)


def _check_feed(signature: Signature, feed: Mapping[str, Any]) -> None:
    inputs = [spec.name for spec in signature.inputs]
    unknown = [
        f"feed names {name!r}, which is no input ({listing(inputs)}).{did_you_mean(name, inputs)}"
        for name in feed
        if name not in inputs
    ]
    if unknown:
        raise BindingError(explain_all(f"Signature {signature.name!r} does not fit", unknown))


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _names(element: Mapping[Any, Any] | Row) -> list[str]:
    return list(element) if isinstance(element, Mapping) else getattr(element, "__fields__", [])


def _type_of(spec: TensorSpec, values: Sequence[Any]) -> pa.DataType:
    """Return the Arrow type to read values as: the widest of its kind, as deep as they are."""
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
    widest: pa.DataType = _WIDEST.get(np.dtype(kind.numpy).kind, pa.int64())
    return dtypes.nested(widest, depth)


def _read(values: Sequence[Any], arrow: pa.DataType) -> pa.Array[Any]:
    """Read Python values as an Arrow type, or fail; a fraction is no integer, a bool no number."""
    element, _ = dtypes.element_of(arrow)
    if pa.types.is_floating(element):
        try:
            return pa.array(values, arrow)
        except pa.ArrowInvalid:  # of bools, decimals, or integers that a double rounds
            return pa.array([_as_float(value) for value in values], arrow)
    if not pa.types.is_integer(element):
        return pa.array(values, arrow)
    found: pa.Array[Any] = pa.array(values)
    if pa.types.is_boolean(dtypes.element_of(found.type)[0]):
        raise TypeError("a bool is no number")
    return found.cast(arrow)


def _as_float(value: Any) -> Any:
    """Return a number as a float, rounded once, and sequences of numbers as lists of floats."""
    if isinstance(value, list | tuple):
        return [_as_float(item) for item in value]
    return float(value) if isinstance(value, bool | int | Decimal) else value
