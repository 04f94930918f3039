"""Converts the elements of an RDD to record batches and scores them. Executor.

Spark pickles an `ElementScorer` into the tasks of `mapPartitions`. Python values have no declared
type; see `element_values`.

Invariants: one prediction per element, in order; a partition is read batch by batch, never at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import pyarrow as pa
from pyspark.sql import Row

from tfspark.columns import columns_of
from tfspark.constants import Constant
from tfspark.errors import listing
from tfspark.features import features_in, key_of, parts_of
from tfspark.handle import ModelHandle
from tfspark.options import ScoreOptions
from tfspark.rows import Reason
from tfspark.schema import Binding, bind
from tfspark.signature import TensorSpec
from tfspark.spark.worker.element_values import (
    Unreadable,
    array_of,
    has_no_value,
    names_in,
    plain,
    type_of,
)
from tfspark.spark.worker.task import score_task

# Bytes of the elements that are converted to Arrow at a time; at least one element.
_CHUNK_BYTES = 1 << 20
_CHUNK = 4096
_FIRST_CHUNK = 16


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
        unreadable = Unreadable(self.handle, self.options.on_error == "null")
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

    def _batches(self, elements: Iterator[Any], unreadable: Unreadable) -> Iterator[pa.RecordBatch]:
        specs = self._fed
        types: list[pa.DataType] | None = None
        start, rows = 0, _FIRST_CHUNK
        while chunk := list(islice(elements, rows)):
            columns = self._columns(chunk, start, unreadable)
            if types is None:
                while len(chunk) < _CHUNK and any(map(has_no_value, columns)):
                    more = list(islice(elements, rows))
                    if not more:
                        break
                    found = self._columns(more, start + len(chunk), unreadable)
                    columns = [one + other for one, other in zip(columns, found, strict=True)]
                    chunk += more
                types = [type_of(spec, values) for spec, values in zip(specs, columns, strict=True)]
            arrays = [
                array_of(values, arrow, spec, start, unreadable)
                for values, arrow, spec in zip(columns, types, specs, strict=True)
            ]
            batch = pa.RecordBatch.from_arrays(arrays, [spec.name for spec in specs])
            yield batch
            start += len(chunk)
            rows = max(1, min(_CHUNK, _CHUNK_BYTES * len(chunk) // max(batch.nbytes, 1)))

    def _columns(self, chunk: Sequence[Any], start: int, unreadable: Unreadable) -> list[list[Any]]:
        """Return the values of each input; `start` is the number of the first element."""
        return [
            [
                self._value(spec, element, start + row, unreadable)
                for row, element in enumerate(chunk)
            ]
            for spec in self._fed
        ]

    def _value(self, spec: TensorSpec, element: Any, row: int, unreadable: Unreadable) -> Any:
        """Return the value of an input: by name from a dict or Row, or the element itself."""
        key = self._keys[spec.name]
        value = element
        if isinstance(element, Row) and not (
            spec.name in self.feed or key in names_in(element) or len(self._fed) > 1
        ):
            value = element[0] if len(element) == 1 else list(element)
        elif isinstance(element, Mapping | Row):
            if key not in names_in(element):
                if spec.name in self._features:
                    return None
                found = f"it has {listing(names_in(element))}, but not {key!r}"
                hint = f'name the key with feed={{"{spec.name}": "KEY"}}, or fix the element.'
                return unreadable.add(spec, row, found, hint)
            value = element[key]
        elif element is not None and len(self._fed) > 1:
            inputs = listing(fed.name for fed in self._fed)
            found = f"it is a {type(element).__name__}, not a dict or Row with {inputs}"
            hint = "map each element to a dict, input → value, before predict_rdd."
            return unreadable.add(spec, row, found, hint)
        value = plain(value)
        # A column of one may be written as the number alone; both kinds may come in one partition.
        if spec.row_shape == (1,) and isinstance(value, list | tuple) and len(value) == 1:
            return value[0]
        return value
