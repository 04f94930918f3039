"""Feeds a model from the fields of structs. Driver.

A struct that feeds an input of Examples is replaced by its fields, which are the features. For
other inputs, the binding refuses a struct. The fields of one struct column may feed all inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import StructType

from tfspark.columns import resolve
from tfspark.features import features_in, key_of
from tfspark.signature import Signature
from tfspark.spark.cluster.names import field_path, plain
from tfspark.spark.types import column_of


def fields_of_struct(
    df: DataFrame, feed: Mapping[str, Any], signature: Signature, case_sensitive: bool
) -> dict[str, str]:
    """Return the fields of the only struct column that has fields for all remaining inputs."""
    open_inputs = [
        spec.name
        for spec in signature.inputs
        if spec.name not in feed
        and not features_in(feed, spec.name, signature.example_inputs)
        and resolve(spec.name, df.columns, case_sensitive=case_sensitive) is None
    ]
    found = []
    for column in df.schema if open_inputs else ():
        if not isinstance(column.dataType, StructType) or column_of(column.dataType).arrow:
            continue
        names = column.dataType.names
        fields = {name: resolve(name, names, case_sensitive=case_sensitive) for name in open_inputs}
        if None not in fields.values() and df.columns.count(column.name) == 1:
            struct = plain(column.name)
            found.append(
                {name: field_path(struct, str(own), df.columns) for name, own in fields.items()}
            )
    return found[0] if len(found) == 1 else {}


def features_of_structs(
    df: DataFrame, feed: Mapping[str, Any], signature: Signature, case_sensitive: bool
) -> dict[str, Any]:
    """Return `feed` with the fields of structs in place of the structs.

    Args:
        df: The frame.
        feed: Input → column, expression or constant. An input that is not in `feed` takes the
            column with its name.
        signature: The signature of the model.
        case_sensitive: Whether names must match the case of columns exactly.
    """
    found = dict(feed)
    for spec in signature.inputs:
        value = feed.get(spec.name, spec.name)
        if spec.features is None or not isinstance(value, str | Column):
            continue
        fields: Mapping[str, Column | str]
        if isinstance(value, Column):
            fields = {name: value.getField(name) for name in _fields(df, value)}
        else:
            path = _path(df, value, case_sensitive)
            names = _fields(df, sf.col(path)) if path else []
            fields = {name: field_path(path, name, df.columns) for name in names}
        if fields:
            found.pop(spec.name, None)
            found |= {key_of(spec.name, name): field for name, field in fields.items()}
    return found


def _path(df: DataFrame, name: str, case_sensitive: bool) -> str:
    """Return the path of the column or field that a name refers to; empty if there is surely none.

    If a job observes the frame, it must not be analysed with names that do not exist: Spark would
    raise this error in the job when the job asks for the row count.
    """
    own = resolve(name, df.columns, case_sensitive=case_sensitive)
    if own is not None:
        return plain(own) if df.columns.count(own) == 1 else ""
    return name if "." in name else ""


def _fields(df: DataFrame, column: Column) -> list[str]:
    """Return the names of the fields of a struct; none if the column is no struct."""
    try:
        kind = df.select(column).schema[0].dataType
    except AnalysisException:  # the binding explains it
        return []
    if isinstance(kind, StructType) and column_of(kind).arrow is None:
        return list(kind.names)
    return []
