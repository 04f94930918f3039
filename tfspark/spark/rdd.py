"""`predict_rdd`: score an RDD of Python values by broadcast and mapPartitions. Classic Spark only.

In comes an RDD whose elements are rows, out goes an RDD of predictions. Python values have no
declared type, so they are read as the widest of their kind and checked against the model's type.

Invariants: one prediction per element, in order and in the same partitions, so that
`rdd.zip(predictions)` pairs them; a partition is read batch by batch, never whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark import RDD
from pyspark.sql import Row, SparkSession

from tfspark import dtypes
from tfspark.errors import RowError
from tfspark.handle import ModelHandle
from tfspark.runner import score
from tfspark.schema import Strings, bind, bind_outputs, columns_of
from tfspark.signature import TensorSpec
from tfspark.spark.options import Model, ScoreOptions, handle_of, model_of
from tfspark.spark.task import origin

if TYPE_CHECKING:
    from typing_extensions import Unpack

# Elements turned into Arrow at a time; the model's own batch size is chosen by the runner.
_CHUNK = 4096

_WIDEST: dict[str, pa.DataType] = {"f": pa.float64(), "b": pa.bool_()}


@dataclass(frozen=True)
class ElementScorer:
    """Scores the elements of one RDD partition; what Spark pickles for it."""

    handle: ModelHandle
    feed: Mapping[str, str]
    fetch: Mapping[str, str] | None
    strings: Strings
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
            fetch=self.fetch,
            narrow=True,
            strings=self.strings,
        )
        scored = score(
            _chain(first, batches),
            binding,
            self.handle.open(),
            keep=(),
            batch_size=self.batch_size,
            origin=origin(self.handle),
        )
        for batch in scored:
            yield from batch.column(0).to_pylist() if batch.num_columns == 1 else batch.to_pylist()

    def _batches(self, elements: Iterator[Any]) -> Iterator[pa.RecordBatch]:
        specs = self.handle.signature.inputs
        types: list[pa.DataType] | None = None
        start = 0
        while chunk := list(islice(elements, _CHUNK)):
            columns = [self._values(spec, chunk) for spec in specs]
            if types is None:
                types = [
                    _type_of(spec, values) for spec, values in zip(specs, columns, strict=True)
                ]
            arrays = [
                self._array(values, arrow, spec, start)
                for values, arrow, spec in zip(columns, types, specs, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, [spec.name for spec in specs])
            start += len(chunk)

    def _values(self, spec: TensorSpec, chunk: Sequence[Any]) -> list[Any]:
        """Return one input's values; a dict or Row holds them by name, any other element is one."""
        key = self.feed.get(spec.name, spec.name)
        single = len(self.handle.signature.inputs) == 1
        return [_plain(_pick(element, key, single)) for element in chunk]

    def _array(
        self, values: list[Any], arrow: pa.DataType, spec: TensorSpec, start: int
    ) -> pa.Array[Any]:
        try:
            return pa.array(values, arrow)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            row = start + _first_misfit(values, arrow)
            place = origin(self.handle).at(f"row {row}")
            message = f"{place}: the element cannot feed input {spec}: {error}"
            raise RowError(message) from error


def predict_rdd(
    rdd: RDD[Any],
    model: Model,
    *,
    feed: Mapping[str, str] | None = None,
    fetch: Mapping[str, str] | None = None,
    strings: Strings = "string",
    **options: Unpack[ScoreOptions],
) -> RDD[Any]:
    """Score every element of an RDD.

    Args:
        rdd: Elements are the value of the single input (number, string, list or NumPy array), or a
            dict or Row that holds the inputs by name. `None` gives `None`.
        model: A path (export dir or base path), a URI that Spark reads, or a loaded `ModelPackage`.
        feed: Input → key of the dict or Row; by default the input's own name.
        fetch: Output → key in the result. Left out: all outputs, under their own names.
        strings: Whether string outputs come as `string` (str) or `binary` (bytes).
        options: See `ScoreOptions`.

    Returns:
        One prediction per element: the value of a single output, or a dict of several.

    Raises:
        ModelNotFoundError: No model, or no such version, at the path.
        InvalidModelError: The model is broken or incomplete.
        SignatureNotFoundError: No such signature.
        BindingError: The outputs cannot be returned.
    """
    spark = SparkSession(rdd.context)
    package = model_of(spark, model, options)
    bind_outputs(package.signature, fetch=fetch, strings=strings)
    scorer = ElementScorer(
        handle_of(spark, package, options), feed or {}, fetch, strings, options.get("batch_size")
    )
    return rdd.mapPartitions(scorer, preservesPartitioning=True)


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _pick(element: Any, key: str, single: bool) -> Any:
    if element is None:
        return None
    if isinstance(element, Mapping):
        return element.get(key)
    if isinstance(element, Row):
        names = getattr(element, "__fields__", ())
        if key in names or not single:
            return element.asDict().get(key)
        return element[0] if len(element) == 1 else list(element)
    return element


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _type_of(spec: TensorSpec, values: Sequence[Any]) -> pa.DataType:
    """Return the Arrow type to read values as: the widest of its kind, as deep as they are."""
    depth, sample = 0, next((value for value in values if value is not None), None)
    while isinstance(sample, list | tuple):
        depth, sample = depth + 1, next((value for value in sample if value is not None), None)
    if sample is None:
        depth = len(spec.row_shape or ())
    kind = dtypes.by_name(spec.dtype)
    if kind.is_string:
        return dtypes.nested(pa.binary(), depth)
    widest: pa.DataType = _WIDEST.get(np.dtype(kind.numpy).kind, pa.int64())
    return dtypes.nested(widest, depth)


def _first_misfit(values: Sequence[Any], arrow: pa.DataType) -> int:
    for index, value in enumerate(values):
        try:
            pa.array([value], arrow)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            return index
    return 0
