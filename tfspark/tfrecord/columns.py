"""The columns of a TFRecord file: features with their kind and Arrow type. Driver and executor.

An Example has lists of int64, float or bytes. A list is a scalar column if it always has one value,
otherwise an array. A feature list of a SequenceExample is an array of arrays. No Spark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import pyarrow as pa

from tfspark.errors import UnsupportedTypeError, UsageError, explain, explain_all, listing
from tfspark.example_pb2 import Example, Feature, SequenceExample
from tfspark.tfrecord.arrow import element_type

RecordType: TypeAlias = Literal["Example", "SequenceExample", "ByteArray"]
RECORD_TYPES: tuple[RecordType, ...] = ("Example", "SequenceExample", "ByteArray")

Kind: TypeAlias = Literal["bytes", "float", "int64"]
# The tag of each kind of list in a Feature.
TAGS: Mapping[Kind, int] = {"bytes": 0x0A, "float": 0x12, "int64": 0x1A}
KINDS: Mapping[int, Kind] = {tag: kind for kind, tag in TAGS.items()}
# The Arrow type of the values, as they are in the record.
VALUES: Mapping[Kind, pa.DataType] = {
    "bytes": pa.binary(),
    "float": pa.float32(),
    "int64": pa.int64(),
}
# Key of the metadata of a field that holds Spark's name of its type, for messages.
SPARK_TYPE = "spark type"
# The column of records that are not parsed.
BYTE_ARRAY = pa.field("byteArray", pa.binary())

_KIND_OF: Mapping[pa.DataType, Kind] = {
    pa.binary(): "bytes",
    pa.string(): "bytes",
    pa.float32(): "float",
    pa.float64(): "float",
    pa.int64(): "int64",
    pa.int32(): "int64",
    pa.int16(): "int64",
    pa.int8(): "int64",
    pa.bool_(): "int64",
}
_TYPES = "bigint, int, smallint, tinyint, boolean, float, double, binary, string, arrays of these"


@dataclass(frozen=True)
class FeatureColumn:
    """One feature, or feature list, as a column.

    Attributes:
        name: Name of the feature and the column.
        kind: Kind of the list in the record.
        depth: 0 for one value, 1 for an array, 2 for the array of arrays of a feature list.
        type: The Arrow type of the column.
        is_nullable: Whether a record may lack the feature.
    """

    name: str
    kind: Kind
    depth: int
    type: pa.DataType
    is_nullable: bool = True

    @property
    def element(self) -> pa.DataType:
        """The type of the values."""
        found = self.type
        for _ in range(self.depth):
            found = element_type(found)
        return found


def columns_of(schema: pa.Schema, record_type: RecordType) -> list[FeatureColumn]:
    """Return the columns of a schema.

    Raises:
        UnsupportedTypeError: Lists every column that no feature can hold.
    """
    if record_type == "ByteArray":
        return [_record_column(schema)]
    deepest = 2 if record_type == "SequenceExample" else 1
    columns, problems = [], []
    for entry in schema:
        depth, element = 0, entry.type
        while pa.types.is_list(element):
            depth, element = depth + 1, element_type(element)
        kind = _KIND_OF.get(element)
        if kind is None or depth > deepest:
            known = (entry.metadata or {}).get(SPARK_TYPE.encode(), str(entry.type).encode())
            problems.append(f"column {entry.name!r} has the type {known.decode()}")
        else:
            columns.append(FeatureColumn(entry.name, kind, depth, entry.type, entry.nullable))
    if problems:
        nested = " and, in a SequenceExample, arrays of arrays" if deepest == 2 else ""
        raise UnsupportedTypeError(
            explain_all(
                f"No {record_type} can hold these columns",
                problems,
                hint=f"the types are {_TYPES}{nested}; convert the columns first.",
            )
        )
    return columns


def _record_column(schema: pa.Schema) -> FeatureColumn:
    """Return the column that has whole records."""
    kinds = [one.type for one in schema]
    if len(kinds) != 1 or kinds[0] not in (pa.binary(), pa.string()):
        raise UnsupportedTypeError(
            explain(
                "The record type ByteArray does not fit these columns.",
                expected="one binary column, whose values are the records",
                found=listing(f"{one.name} {one.type}" for one in schema),
                hint="choose the column with select, or leave out the option recordType.",
            )
        )
    return FeatureColumn(schema.field(0).name, "bytes", 0, kinds[0], schema.field(0).nullable)


def record_type_of(text: str) -> RecordType:
    """Return the record type that an option names, in any case.

    Raises:
        UsageError: When there is no such type.
    """
    for known in RECORD_TYPES:
        if text.lower() == known.lower():
            return known
    raise UsageError(
        explain(
            "The option recordType of tfrecord has an unknown value.",
            expected=", ".join(RECORD_TYPES),
            found=repr(text),
        )
    )


@dataclass
class Inference:
    """Finds the columns of records.

    Attributes:
        record_type: Type of the records.
        found: Name → kind, depth, and the file in which it was seen first.
    """

    record_type: RecordType
    found: dict[str, tuple[Kind, int, str]] = field(default_factory=dict)

    def add(self, records: Iterable[bytes], file: str) -> None:
        """Look at the first records of a file.

        Raises:
            UnsupportedTypeError: When a feature has another kind than in an earlier record.
            DecodeError: When a record is not of this type.
        """
        for record in records:
            if self.record_type == "Example":
                example = Example.FromString(record)
                self._add_features(example.features.feature, file)
            else:
                sequence = SequenceExample.FromString(record)
                self._add_features(sequence.context.feature, file)
                for name, features in sequence.feature_lists.feature_list.items():
                    for feature in features.feature:
                        self._add(name, feature, 2, file)

    def _add_features(self, features: Mapping[str, Feature], file: str) -> None:
        for name, feature in features.items():
            self._add(name, feature, 0, file)

    def _add(self, name: str, feature: Feature, depth: int, file: str) -> None:
        chosen = feature.WhichOneof("kind")
        if chosen is None:
            return
        kind: Kind = _KIND_OF_FIELD[chosen]
        if not depth and len(getattr(feature, chosen).value) != 1:
            depth = 1
        known, known_depth, known_file = self.found.get(name, (kind, depth, file))
        if known != kind or (2 in (depth, known_depth) and depth != known_depth):
            raise UnsupportedTypeError(
                explain(
                    f"The feature {name!r} has different types.",
                    expected=f"{_described(known, known_depth)}, as in {known_file}",
                    found=f"{_described(kind, depth)} in {file}",
                    hint="read these files separately; or leave the feature out of the schema.",
                )
            )
        self.found[name] = (kind, max(depth, known_depth), known_file)

    @property
    def schema(self) -> pa.Schema:
        """The columns, sorted by name."""
        found = sorted(self.found.items())
        return pa.schema([(name, _nested(VALUES[kind], depth)) for name, (kind, depth, _) in found])


_KIND_OF_FIELD: Mapping[str, Kind] = {f"{kind}_list": kind for kind in KINDS.values()}


def _nested(element: pa.DataType, depth: int) -> pa.DataType:
    return element if not depth else pa.list_(_nested(element, depth - 1))


def _described(kind: Kind, depth: int) -> str:
    return ("a feature list of " if depth == 2 else "a feature of ") + kind
