"""Opens the file systems of pyarrow and fsspec; recognises hidden files. Driver and executor.

No Spark.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from pyarrow import fs

# Older writers keep the schema of a whole folder in these files; Spark's Parquet reader uses them.
SUMMARIES = ("_metadata", "_common_metadata")


def open_filesystem(uri: str) -> tuple[fs.FileSystem, str]:
    """Return the file system of an escaped URI and the path within it.

    pyarrow's own file systems come first, then those of fsspec.

    Raises:
        OSError: When neither can reach it.
    """
    try:
        found: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(uri)
        return found
    except (pa.ArrowException, OSError, ValueError) as error:
        try:
            fsspec: Any = import_module("fsspec")
            opened, path = fsspec.core.url_to_fs(unquote(uri))
        except (ImportError, ValueError) as other:
            why = str(error).partition("\n")[0]  # the other lines list searched folders
            raise OSError(f"neither pyarrow nor fsspec reaches {uri}: {why}; {other}") from error
        handler: Any = fs.FSSpecHandler
        return fs.PyFileSystem(handler(opened)), str(path)


def is_hidden(name: str) -> bool:
    """Whether Spark ignores a file or folder (`HadoopFSUtils.shouldFilterOutPathName`)."""
    if name.startswith(SUMMARIES):
        return False
    marked = name.startswith("_") and "=" not in name
    return marked or name.startswith(".") or name.endswith("._COPYING_")
