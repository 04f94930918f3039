"""Converts the record batches of one file to the schema of all files. Executor.

As in Spark, a column that the file lacks is null, and names may differ in case. Values are never
changed: a column is refused if its type does not fit the type of the schema. No Spark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tfspark.dtypes import is_bytes
from tfspark.errors import InvalidInputError, explain


def nullable(schema: pa.Schema) -> pa.Schema:
    """Return a schema that allows nulls everywhere, like Spark's schema of files."""
    return pa.schema([_nullable(field) for field in schema])


def names_in(file: Sequence[str], wanted: Sequence[str]) -> dict[str, str]:
    """Return requested name → name in the file, which may differ in case; without missing ones.

    See `differ_by_case` for files in which this is ambiguous.
    """
    folded = {name.lower(): name for name in file} | {name: name for name in file}
    places = {name: folded.get(name, folded.get(name.lower())) for name in wanted}
    return {name: there for name, there in places.items() if there is not None}


def differ_by_case(names: Sequence[str]) -> bool:
    """Whether two columns of a file have names that differ only in case."""
    return len({name.lower() for name in names}) < len(names)


def conform(batch: pa.RecordBatch, schema: pa.Schema, path: str) -> pa.RecordBatch:
    """Return a batch of the schema.

    Raises:
        InvalidInputError: When the type of a column does not fit the type of the schema.
    """
    there = names_in(batch.schema.names, schema.names)
    columns = [
        _conformed(batch.column(there[field.name]), field, path)
        if field.name in there
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def check_holds(field: pa.Field[Any], found: pa.DataType, path: str) -> None:
    """Refuse a column of a file whose values may not fit the type in another file.

    Raises:
        InvalidInputError: Names the file and the column.
    """
    if not _holds(field.type, found):
        raise InvalidInputError(
            explain(
                f"The input files have different schemas: column {field.name!r} of {path}.",
                expected=f"{field.type}, as in the first file",
                found=str(found),
                hint="write the file again with the type of the others.",
            )
        )


def _conformed(column: Any, field: pa.Field[Any], path: str) -> Any:
    check_holds(field, column.type, path)
    return column.cast(field.type)


def _holds(wanted: Any, found: Any) -> bool:
    """Whether a type holds every value of another type, apart from values that a cast checks."""
    if wanted == found or pa.types.is_null(found):
        return True
    if pa.types.is_dictionary(found):
        return _holds(wanted, found.value_type)
    if pa.types.is_nested(wanted) and pa.types.is_nested(found):
        return _holds_nested(wanted, found)
    if pa.types.is_signed_integer(found):
        whole = pa.types.is_signed_integer(wanted) and found.bit_width <= wanted.bit_width
        return whole or (pa.types.is_float64(wanted) and found.bit_width <= 32)
    if pa.types.is_float32(found):
        return pa.types.is_float64(wanted)
    if pa.types.is_timestamp(wanted) and pa.types.is_timestamp(found):
        return (wanted.tz is None) == (found.tz is None)
    return any(kind(wanted) and kind(found) for kind in (is_bytes, pa.types.is_decimal))


def _holds_nested(wanted: Any, found: Any) -> bool:
    fields = [[one.field(index) for index in range(one.num_fields)] for one in (wanted, found)]
    if pa.types.is_struct(wanted) or pa.types.is_struct(found):
        names = [[field.name for field in of_one] for of_one in fields]
        if names[0] != names[1]:
            return False
    return len(fields[0]) == len(fields[1]) and all(
        _holds(one.type, other.type) for one, other in zip(*fields, strict=True)
    )


def _nullable(field: pa.Field[Any]) -> pa.Field[Any]:
    return pa.field(field.name, _nullable_type(field.type))


def _nullable_type(arrow: Any) -> Any:
    if pa.types.is_struct(arrow):
        return pa.struct([_nullable(field) for field in arrow])
    if pa.types.is_map(arrow):
        values: Any = _nullable(arrow.item_field)
        return pa.map_(arrow.key_type, values)
    if pa.types.is_large_list(arrow):
        return pa.large_list(_nullable(arrow.value_field))
    if pa.types.is_fixed_size_list(arrow):
        return pa.list_(_nullable(arrow.value_field), arrow.list_size)
    if pa.types.is_list(arrow):
        return pa.list_(_nullable(arrow.value_field))
    return arrow
