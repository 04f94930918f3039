"""Makes the pandas UDF of a column function; the only module that uses pandas.

Takes pandas Series and returns Series (a DataFrame for several outputs) with the same values as the
Arrow form. pandas alone would lose information: it shows a null number as NaN, converts integers to
floats if there is a null among them, and has no Spark types. So the driver sends each argument as
its values, its nulls, and its Spark type. Values that feed integers, and arrays that have a null
and feed floats, are sent as JSON.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import starmap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as sf
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import DataType, StructType

from tfspark import dtypes
from tfspark.columns import Column as ColumnOfType
from tfspark.errors import BindingError, explain_all
from tfspark.fitting import wanted
from tfspark.refusals import refusal
from tfspark.signature import Signature, TensorSpec
from tfspark.spark.types import column_type

if TYPE_CHECKING:
    from tfspark.spark.worker.argument_scorer import ArgumentScorer


_KEY = "value"


def with_types(signature: Signature, columns: Sequence[Column]) -> list[Column]:
    """Return the arguments of the function: values, nulls and type names. Driver."""
    specs = _inputs(signature, len(columns))
    pairs = list(zip(specs, columns, strict=True))
    values = [_as_json(column) if _is_integer(spec) else column for spec, column in pairs]
    nulls = [_nulls(spec, column) for spec, column in pairs]
    return [*values, *nulls, *map(sf.typeof, columns)]


def pandas_function(scorer: ArgumentScorer, result: DataType) -> Callable[..., Column]:
    """Return an iterator pandas UDF around a scorer; it takes the arguments from `with_types`."""

    def predict(arguments: Iterator[tuple[pd.Series, ...]]) -> Iterator[Any]:
        for array in scorer(_arrays(scorer.handle.signature, arguments)):
            yield _to_pandas(array)

    # Spark reads the kind of the function from its type hints, which must not be strings.
    returned = pd.DataFrame if isinstance(result, StructType) else pd.Series
    predict.__annotations__ = {
        "arguments": Iterator[tuple[pd.Series, ...]],
        "return": Iterator[returned],  # type: ignore[valid-type]
    }
    return pandas_udf(predict, result)  # type: ignore[no-any-return, call-overload]


def _inputs(signature: Signature, count: int) -> Sequence[TensorSpec]:
    """Return the input of each argument; several arguments may feed one input."""
    return signature.inputs if len(signature.inputs) == count else signature.inputs * count


def _is_integer(spec: TensorSpec) -> bool:
    return "int" in spec.dtype


def _as_json(column: Column) -> Column:
    """Return a value of any type and depth as text that keeps every digit."""
    # Spark cannot analyse a struct in sf.struct, whose names it resolves later.
    return sf.to_json(sf.named_struct(sf.lit(_KEY), column))


def _has_floats(spec: TensorSpec) -> bool:
    """Whether rows are arrays of floats, in which pandas shows a null as NaN."""
    return "float" in spec.dtype and spec.row_shape != ()


def _nulls(spec: TensorSpec, column: Column) -> Column:
    """Return whether a value is null; for arrays of floats, the JSON of a value that has a null.

    The type of a column is not known here, but arrays of every type can be converted to text.
    """
    if not _has_floats(spec):
        return column.isNull()
    has_null = sf.coalesce(column.cast("string").contains("null"), sf.lit(True))
    return sf.when(has_null, _as_json(column))


def _arrays(
    signature: Signature, batches: Iterable[tuple[pd.Series, ...]]
) -> Iterator[tuple[pa.Array[Any], ...]]:
    for series in batches:
        count = len(series) // 3
        values, nulls, types = series[:count], series[count : 2 * count], series[2 * count :]
        specs = _inputs(signature, count)
        names = [f"argument {position}" for position in range(1, count + 1)]
        yield tuple(starmap(_array, zip(values, nulls, types, specs, names, strict=True)))


def _array(
    values: pd.Series, nulls: pd.Series, types: pd.Series, spec: TensorSpec, name: str
) -> pa.Array[Any]:
    """Return one argument in the form of Arrow UDFs."""
    sql = str(types.iloc[0]) if len(types) else "void"
    untyped = sql.startswith("array<") and sql.rstrip(">").endswith("array<void")
    arrow = dtypes.nested(pa.null(), sql.count("<")) if untyped else column_type(sql)
    if sql == "void":
        return pa.nulls(len(values))
    if arrow is None:
        raise _refused(name, sql, spec)
    element, depth = dtypes.element_of(arrow)
    mask = nulls.notna().to_numpy() if _has_floats(spec) else nulls.to_numpy(dtype=bool)
    if _is_integer(spec):
        return pa.array(_objects(_from_json(text, element) for text in values), arrow, mask=mask)
    if _has_floats(spec) and depth and mask.any():
        return _with_nulls(values, nulls, element, depth)
    try:
        return pa.array(values.to_numpy(), arrow, mask=mask)
    except pa.ArrowInvalid:
        if not pa.types.is_integer(element):
            raise
        # Spark 3.5 shows a whole batch of integers as floats when one of them is null.
        return pa.array(values.to_numpy(), dtypes.nested(pa.float64(), depth), mask=mask)


def _refused(name: str, sql: str, spec: TensorSpec) -> BindingError:
    """Return the error of an argument that a pandas UDF cannot take."""
    problem = refusal(name, ColumnOfType(None, sql), dtypes.by_name(spec.dtype), wanted(spec))
    hint = ""
    if "struct<" in sql:
        hint = 'kind="arrow" and predict take structs of inputs, vectors, matrices and images.'
    return BindingError(explain_all("An argument cannot feed the model", [problem], hint=hint))


def _with_nulls(
    values: pd.Series, texts: pd.Series, element: pa.DataType, depth: int
) -> pa.Array[Any]:
    """Return arrays of numbers; those with a null are read from their JSON."""

    def read(element: pa.DataType) -> pa.Array[Any]:
        pairs = zip(values, texts, strict=True)
        exact = (_from_json(text, element) if isinstance(text, str) else one for one, text in pairs)
        return pa.array(_objects(exact), dtypes.nested(element, depth))

    try:
        return read(element)
    except pa.ArrowInvalid:
        if not pa.types.is_integer(element):
            raise
        return read(pa.float64())  # see `_array`


def _from_json(text: str, element: pa.DataType) -> Any:
    """Convert the text of `_as_json` to a value."""
    value = json.loads(text, parse_float=Decimal).get(_KEY)
    if pa.types.is_floating(element):
        return _each(float, value)  # NaN and infinity are strings
    return _each(b64decode, value) if pa.types.is_binary(element) else value


def _each(change: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, list):
        return [_each(change, item) for item in value]
    return None if value is None else change(value)


def _objects(items: Iterable[Any]) -> Any:
    """Return an array of objects that NumPy does not convert."""
    held = list(items)
    array = np.empty(len(held), dtype=object)
    array[:] = held
    return array


def _to_pandas(array: Any) -> Any:
    if pa.types.is_struct(array.type):
        return pd.DataFrame(
            {field.name: _field_to_pandas(array.field(field.name)) for field in array.type}
        )
    if dtypes.is_list(array.type):
        return pd.Series(array.to_pylist() if _is_clean(array) else _marked(array.to_pylist()))
    # pandas' own types cannot tell null from NaN.
    return pd.Series(pd.arrays.ArrowExtensionArray(array))


def _field_to_pandas(array: Any) -> Any:
    # A struct in a struct has to be a column of dicts; only the reason is one.
    if pa.types.is_struct(array.type):
        return pd.Series(array.to_pylist(), dtype=object)
    return _to_pandas(array)


def _is_clean(array: Any) -> bool:
    """Whether lists have no NaN at any depth."""
    while dtypes.is_list(array.type):
        array = array.flatten()
    return not pa.types.is_floating(array.type) or not bool(
        np.isnan(array.to_numpy(zero_copy_only=False)).any()
    )


def _marked(value: Any) -> Any:
    """Return nested lists with NumPy's NaN, because Spark reads Python's NaN as null."""
    if isinstance(value, list):
        return [_marked(item) for item in value]
    return np.float32("nan") if value is not None and value != value else value
