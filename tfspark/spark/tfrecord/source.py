"""The data source `tfrecord`: its options, and its schema. Driver and executor.

Spark creates it in Python processes of its own, so errors reach the caller inside Spark's.
"""

from __future__ import annotations

import json
from collections.abc import MutableMapping

from pyspark.sql import types as sql
from pyspark.sql.datasource import (
    DataSource,
    DataSourceReader,
    DataSourceStreamReader,
    DataSourceWriter,
)

from tfspark.errors import UsageError, did_you_mean, explain, listing
from tfspark.spark.tfrecord.reading import RecordReader
from tfspark.spark.tfrecord.streaming import RecordStreamReader
from tfspark.spark.tfrecord.types import arrow_schema, spark_schema
from tfspark.spark.tfrecord.writing import RecordWriter
from tfspark.tfrecord.columns import RecordType, columns_of, record_type_of
from tfspark.tfrecord.files import find
from tfspark.tfrecord.layout import Layout, inferred_schema

_OPTIONS = ("path", "paths", "recordType", "compression")


class TfRecordSource(DataSource):
    """Files of Examples, SequenceExamples or bytes.

    Options: `recordType` (`Example`, `SequenceExample` or `ByteArray`); for writing, `compression`
    (`none` or `gzip`).
    """

    options: MutableMapping[str, str]

    @classmethod
    def name(cls) -> str:
        """Return the name of the format."""
        return "tfrecord"

    def schema(self) -> sql.StructType:
        """Infer the schema from the first records of the first files.

        Raises:
            InvalidInputError: When a record is broken, or of another type, or no file has one.
            UnsupportedTypeError: When the files do not agree.
        """
        record_type, paths = self.record_type, self.paths
        files = ((file.path, file.records()) for file in find(paths))
        return spark_schema(inferred_schema(files, record_type, listing(paths)))

    def reader(self, schema: sql.StructType) -> DataSourceReader:
        """Return a reader of the files that exist now."""
        return RecordReader(find(self.paths), self._layout(schema))

    def streamReader(self, schema: sql.StructType) -> DataSourceStreamReader:  # noqa: N802
        """Return a reader of the files that appear in folders."""
        return RecordStreamReader(self.paths, self._layout(schema))

    def _layout(self, schema: sql.StructType) -> Layout:
        record_type = self.record_type
        return Layout(columns_of(arrow_schema(schema), record_type), record_type)

    def writer(self, schema: sql.StructType, overwrite: bool) -> DataSourceWriter:
        """Return a writer of one file for each task."""
        record_type = self.record_type
        arrow = arrow_schema(schema)
        if record_type == "ByteArray" and len(arrow) != 1:
            raise UsageError(
                explain(
                    "A file of the record type ByteArray has one column.",
                    found=listing(arrow.names),
                    hint="select one binary column.",
                )
            )
        columns = columns_of(arrow, record_type)
        return RecordWriter(self.paths[0], columns, record_type, self._is_compressed, overwrite)

    @property
    def record_type(self) -> RecordType:
        """The type of the records; other options are checked first."""
        for name in self.options:
            if name.lower() not in map(str.lower, _OPTIONS):
                raise UsageError(
                    explain(
                        f"The format tfrecord has no option {name!r}.",
                        expected=", ".join(_OPTIONS[2:]),
                        hint=f"leave the option out.{did_you_mean(name, _OPTIONS)}",
                    )
                )
        return record_type_of(self.options.get("recordType", "Example"))

    @property
    def paths(self) -> list[str]:
        """The paths that the caller gave."""
        if "path" in self.options:
            return [self.options["path"]]
        found: list[str] = json.loads(self.options.get("paths", "[]"))
        if not found:
            raise UsageError(
                explain("The format tfrecord needs a path.", hint="give one to load or save.")
            )
        return found

    @property
    def _is_compressed(self) -> bool:
        compression = self.options.get("compression", "none").lower()
        if compression not in ("none", "uncompressed", "gzip"):
            raise UsageError(
                explain(
                    "The option compression of tfrecord has an unknown value.",
                    expected="none or gzip",
                    found=repr(compression),
                )
            )
        return compression == "gzip"
