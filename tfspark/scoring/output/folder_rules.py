"""Rules for the folder of an output: it is not the input, and has the same columns. Driver."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tfspark.errors import (
    InputNotFoundError,
    InvalidInputError,
    OutputBusyError,
    UsageError,
    explain,
)
from tfspark.file_systems import is_hidden
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output.column_types import stored
from tfspark.scoring.output.journal import Mode
from tfspark.scoring.output.partitions import partitions_in, refuse_other_partitions
from tfspark.scoring.output.protocol import check_same_columns
from tfspark.scoring.output.stores import resolve_links
from tfspark.spark.cluster.files import HadoopFiles, local_path
from tfspark.spark.cluster.reading import escaped_glob, read_path
from tfspark.spark.cluster.sources import Source

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Errors of files that disappear while they are read.
UNREADABLE = (InvalidInputError, InputNotFoundError)
# Formats whose files name their columns.
_SELF_DESCRIBING = ("parquet", "orc", "avro")


def refuse_own_input(spark: SparkSession, folder: str, inputs: Collection[str], mode: Mode) -> None:
    """Refuse a folder that the job reads, that contains its input, or that is inside its input.

    Mode `error` never changes existing files.

    Raises:
        UsageError: The message names the first such input.
    """
    if mode == "error":
        return
    written = _canonical(spark, folder)
    for path in inputs:
        read = _canonical(spark, path)
        if _is_inside(read, written) or _is_inside(written, read):
            raise UsageError(would_change(folder, path, mode))


def _canonical(spark: SparkSession, path: str) -> str:
    """Return the path behind its links; two names of one file system become equal."""
    files = HadoopFiles(spark, path)
    where = files.qualified(path)
    return (resolve_links(where) if local_path(where) else files.canonical(where)).rstrip("/")


def _is_inside(path: str, folder: str) -> bool:
    """Whether a path is a folder or is inside it; a local folder may be mounted at two places."""
    if f"{path}/".startswith(f"{folder}/"):
        return True
    here, there = local_path(path), local_path(folder)
    if here is None or there is None or not os.path.exists(there):  # noqa: PTH110
        return False  # unlike `Path.exists`, it does not fail in a closed folder
    above = filter(os.path.exists, (here, *here.parents))
    return any(one.samefile(there) for one in above)


def refuse_own_files(folder: str, sources: Collection[Source], mode: Mode) -> None:
    """Refuse a folder with files that the job reads, such as those behind a view or a glob.

    Raises:
        UsageError: The message names the folder of such a file.
    """
    if own := _own_folders(folder, sources):
        raise UsageError(would_change(folder, f"files in {min(own)}", mode))


def refuse_stale(folder: str, planned: Collection[Source], now: Collection[Source]) -> None:
    """Refuse a query that reads its target, and whose plan lists other files of it than now.

    Raises:
        OutputBusyError: Other jobs published rows after Spark had planned the query.
    """
    if own_files(folder, planned) != own_files(folder, now):
        raise OutputBusyError(
            explain(
                f"The files in {folder} have changed since the query that reads them was planned.",
                expected="no other job that publishes while this one starts",
                hint="run the same command again.",
            )
        )


def own_files(folder: str, sources: Collection[Source]) -> set[str]:
    """Return the URIs of the files that lie in a folder, behind its links."""
    own = _own_folders(folder, sources)
    return {uri for source in sources for uri in source.uris if _folder_of(uri) in own}


def _own_folders(folder: str, sources: Collection[Source]) -> set[str]:
    """Return the folders of the files that lie in a folder, behind its links."""
    written = resolve_links(folder)
    read = {_folder_of(uri) for source in sources for uri in source.uris}
    return {one for one in read if _is_inside(resolve_links(one), written)}


def _folder_of(uri: str) -> str:
    return unquote(uri).rpartition("/")[0]


def would_change(target: str, read: str, mode: Mode) -> str:
    """Return the message about an output that overlaps with the input."""
    change = "Appending to" if mode == "append" else "Overwriting"
    return explain(
        f"{change} {target} would change {read}, which the job reads.",
        expected="an output outside of the input, and an input outside of the output",
        hint="write to another place.",
    )


def refuse_other_columns(
    spark: SparkSession, folder: str, target: Dataset, columns: Mapping[str, str], hint: str
) -> None:
    """Refuse to append rows with other columns or partitions than the files of a folder.

    Raises:
        BindingError: When they differ; the message has both lists of columns, and the hint.
    """
    files = HadoopFiles(spark, folder)
    if all(map(is_hidden, files.children(folder))):
        return
    partitions = partitions_in(files, folder)
    refuse_other_partitions(target, partitions)
    header = target.option("header", "true").lower()
    named = target.format == "csv" and header == "true"
    if target.format in _SELF_DESCRIBING or named:
        literal = escaped_glob(folder)  # Spark takes the path as a glob
        there = read_path(spark, literal, target.format, target.writer_options)
        # Spark guesses the type of a partition column from the names of folders.
        written = {name: stored(kind, target.format) for name, kind in columns.items()}
        types = {**dict(there.dtypes), **{name: written.get(name, "") for name in partitions}}
        check_same_columns(target, types if not named else list(types), written, hint)
