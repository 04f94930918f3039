"""Compares the header lines of CSV files before Spark reads them. Driver.

Spark compares them too, but only while it reads the rows. Before that, it infers the types, and
takes a different header for a row of text, so every column seems to contain text. No Spark.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
from pyarrow import fs

from tfspark.data_files.footers import MAX_FOOTERS
from tfspark.data_files.listing import DataFile
from tfspark.errors import InvalidInputError, explain

# With one of these options, the header may be more than the first line, or not UTF-8.
_UNCOMPARED = {"comment", "linesep", "encoding", "charset", "multiline", "escape"}


def refuse_other_headers(
    filesystem: fs.FileSystem, files: Sequence[DataFile], options: Mapping[str, str]
) -> None:
    """Refuse a file whose columns have other names or another order than in the first file.

    Args:
        filesystem: The file system of the files.
        files: The files; empty ones are ignored.
        options: The options of Spark's reader.

    Raises:
        InvalidInputError: Names the file.
    """
    given = {name.lower(): value for name, value in options.items()}
    compares = given.get("header", "").lower() == "true" and given.get("enforceschema") == "false"
    separator, quote = given.get("sep", given.get("delimiter", ",")), given.get("quote", '"')
    if not compares or _UNCOMPARED & given.keys() or len(separator) != 1 or len(quote) != 1:
        return
    some = [file for file in files if file.size][:MAX_FOOTERS]
    with ThreadPoolExecutor(16) as pool:
        lines = pool.map(lambda file: _first_line(filesystem, file.path), some)
        headers = [_names(line, separator, quote) for line in lines]
    for file, header in zip(some, headers, strict=True):
        if None not in (header, headers[0]) and header != headers[0]:
            raise InvalidInputError(
                explain(
                    f"The input file {file.path} has another header than {some[0].path}.",
                    expected=", ".join(headers[0] or []),
                    found=", ".join(header or []),
                    hint="write the file again with the columns of the others; or add --option "
                    "enforceSchema=true, which reads columns by position and ignores their names.",
                )
            )


def _first_line(filesystem: fs.FileSystem, path: str) -> bytes:
    try:
        with filesystem.open_input_stream(path) as stream:
            lines: Any = stream
            return io.BufferedReader(lines).readline()
    except (pa.ArrowException, OSError):
        return b""  # Spark names the file, or can read it


def _names(line: bytes, separator: str, quote: str) -> list[str] | None:
    try:
        text = line.decode("utf-8-sig").strip("\r\n")
        found = next(csv.reader([text], delimiter=separator, quotechar=quote), [])
    except (UnicodeDecodeError, csv.Error):
        return None
    return [name.strip().lower() for name in found] or None
