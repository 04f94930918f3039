"""An allow-list of the types that pyarrow copies exactly as Spark does. Driver.

pyarrow and Spark use the same names for some types that differ: pyarrow reads an interval as a
bigint, a VARIANT and an ML vector as structs, and it has no comments or collations. A column takes
the direct path only if its types in Arrow, in the file format and, if Spark wrote the file, in
Spark's schema agree. No Spark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tfspark.data_files.footers import Footer

# Spark's name of a type in its JSON schema → its SQL name, for the types that are plain in Arrow.
_ATOMS = {
    "boolean": "boolean",
    "byte": "tinyint",
    "short": "smallint",
    "integer": "int",
    "long": "bigint",
    "float": "float",
    "double": "double",
    "string": "string",
    "binary": "binary",
    "date": "date",
    "timestamp": "timestamp",
    "timestamp_ntz": "timestamp_ntz",
}

_ARROW = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_int8, "tinyint"),
    (pa.types.is_int16, "smallint"),
    (pa.types.is_int32, "int"),
    (pa.types.is_int64, "bigint"),
    (pa.types.is_float32, "float"),
    (pa.types.is_float64, "double"),
    (pa.types.is_string, "string"),
    (pa.types.is_large_string, "string"),
    (pa.types.is_binary, "binary"),
    (pa.types.is_large_binary, "binary"),
    (pa.types.is_date32, "date"),
)

# The metadata key of Spark's schema in a file.
SPARK_SCHEMA = b"org.apache.spark.sql.parquet.row.metadata"

# One line of a Parquet schema as pyarrow prints it: repetition, type, name and annotation.
_NODE = re.compile(r"(\w+) (\S+) field_id=-?\d+ (.*?)(?: \((.*)\))?(?: \{|;)")
# Parquet types, with their annotation, that Spark and pyarrow read and write equally. Before 16.1,
# pyarrow reads a timestamp with only an old annotation (ConvertedType) as one without a time zone.
_PARQUET = re.compile(
    r"group (List|Map)?|(boolean|float|double|int96) |binary (String)?"
    r"|int32 (Int\(bitWidth=(8|16|32), isSigned=true\)|Date)?"
    r"|int64 (Int\(bitWidth=64, isSigned=true\)"
    r"|Timestamp\((?!.*is_from_converted_type=true).*timeUnit=microseconds.*\))?"
    r"|(int32|int64|binary|fixed_len_byte_array\(\d+\)) Decimal\(.*\)"
)


def changed_columns(footer: Footer, fields: Mapping[str, Any] | None) -> dict[str, str]:
    """Return column → its type, for the columns that pyarrow would change.

    Args:
        footer: The footer of a file; all files have its schema.
        fields: Column → its field in Spark's JSON schema; `None` when Spark did not write the file.
    """
    names = [arrow_name(field.type) for field in footer.schema]
    if footer.metadata is not None:
        same = list(_same_in_parquet(footer.metadata.schema))
        if len(same) != len(names):  # a line break in a name prints lines of other columns
            same = [False] * len(names)
        names = [name if is_same else None for name, is_same in zip(names, same, strict=True)]
    elif fields is not None:
        # An ORC file of Hive may have dates of the Julian calendar, which pyarrow ignores.
        names = [None if name is None or "date" in name else name for name in names]
    found = {}
    for column, name in zip(footer.schema, names, strict=True):
        noted = None if fields is None else fields.get(column.name)
        if name is None:
            found[column.name] = f"of {column.type}"
        elif fields is not None and not _is_noted_as(noted, name):
            found[column.name] = "of a type, or with a comment or metadata, that only Spark keeps"
    return found


def _is_noted_as(field: Any, name: str) -> bool:
    """Whether a field of Spark's JSON schema has a type and no metadata."""
    return field is not None and not field["metadata"] and json_name(field["type"]) == name


def spark_fields(footer: Footer) -> dict[str, Any] | None:
    """Return column → its field in the schema that Spark wrote into a Parquet file, if any."""
    text = (footer.schema.metadata or {}).get(SPARK_SCHEMA)
    return None if text is None else fields_of(text)


def fields_of(schema: str | bytes) -> dict[str, Any]:
    """Return column → field of a schema in Spark's JSON."""
    return {field["name"]: field for field in json.loads(schema)["fields"]}


def arrow_name(arrow: pa.DataType) -> str | None:
    """Return the Spark SQL name of a plain Arrow type; `None` for a type that is not plain."""
    kind: Any = arrow
    if pa.types.is_map(kind):
        return _named("map<{},{}>", arrow_name(kind.key_type), arrow_name(kind.item_type))
    if pa.types.is_struct(kind):
        names = [_named("{}:{}", field.name, arrow_name(field.type)) for field in kind]
        return _named("struct<" + ",".join(["{}"] * len(names)) + ">", *names)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _named("array<{}>", arrow_name(kind.value_type))
    if pa.types.is_decimal128(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind) and kind.unit == "us":
        return "timestamp" if kind.tz else "timestamp_ntz"
    return next((name for is_kind, name in _ARROW if is_kind(kind)), None)


def json_name(spark: Any) -> str | None:
    """Return the SQL name of a plain type in Spark's JSON; `None` for a type that is not plain."""
    if isinstance(spark, str):
        return spark if spark.startswith("decimal(") else _ATOMS.get(spark)
    kind = spark["type"]
    if kind == "array":
        return _named("array<{}>", json_name(spark["elementType"]))
    if kind == "map":
        return _named("map<{},{}>", json_name(spark["keyType"]), json_name(spark["valueType"]))
    if kind == "struct":
        names = [
            None if field["metadata"] else _named("{}:{}", field["name"], json_name(field["type"]))
            for field in spark["fields"]
        ]
        return _named("struct<" + ",".join(["{}"] * len(names)) + ">", *names)
    return None


def _named(form: str, *names: str | None) -> str | None:
    return None if None in names else form.format(*names)


def _same_in_parquet(schema: pq.ParquetSchema) -> Iterator[bool]:
    """Yield, column by column, whether each node of its tree is on the list."""
    tree = str(schema).splitlines()[2:-1]
    same = True
    for at, line in enumerate(tree):
        same = same and _is_same_node(line.strip())
        last = at + 1 == len(tree) or _is_column(tree[at + 1])
        if last:
            yield same
            same = True


def _is_column(line: str) -> bool:
    return line.startswith("  ") and line[2:3] not in (" ", "}")


def _is_same_node(line: str) -> bool:
    if line == "}":
        return True
    node = _NODE.fullmatch(line)
    if node is None:
        return False
    repetition, kind, name, annotation = node.groups()
    # With these names, old writers mean that the group itself is the element; readers differ here.
    is_old = repetition == "repeated" and (name == "array" or name.endswith("_tuple"))
    return not is_old and _PARQUET.fullmatch(f"{kind} {annotation or ''}") is not None
