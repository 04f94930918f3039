"""Partition columns of an output, with folders such as `day=2026-01-02`. Driver."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from urllib.parse import unquote

from tfspark.columns import resolve
from tfspark.errors import BindingError, UsageError, did_you_mean, explain, explain_all, listing
from tfspark.file_systems import is_hidden
from tfspark.scoring.dataset import Dataset
from tfspark.spark.cluster.files import HadoopFiles


def check_partitions(target: Dataset, columns: Mapping[str, str]) -> None:
    """Refuse partition columns that the rows do not have, or that leave no other column.

    Raises:
        BindingError: The message names all of them.
    """
    problems = [
        f"there is no column {name!r}.{did_you_mean(name, columns)}"
        for name in target.partition_by
        if resolve(name, columns) is None
    ]
    problems += [
        f"Spark's readers ignore the folders of {name!r}, because its name begins with a dot."
        for name in target.partition_by
        if name.startswith(".")
    ]
    if problems:
        raise BindingError(
            explain_all(
                "The output cannot be partitioned",
                problems,
                hint=f"columns of the output: {', '.join(columns)}.",
            )
        )
    if len(target.partition_by) >= len(columns):
        raise BindingError(
            explain(
                "The output cannot be partitioned by all of its columns.",
                hint="leave one out of --partition-by.",
            )
        )


def refuse_other_partitions(target: Dataset, there: Sequence[str]) -> None:
    """Refuse to add rows to a folder that has other partition columns.

    Spark spells the folder names as the caller spells the columns. Two folders whose names differ
    only in case would be two partitions.

    Raises:
        BindingError: The message names both.
    """
    if list(there) != list(target.partition_by):
        raise BindingError(
            explain(
                f"The rows cannot be added to {target}.",
                expected=f"partitions by {listing(there)}",
                found=f"partitions by {listing(target.partition_by)}",
                hint=f"choose --partition-by {','.join(there)}."
                if there
                else "leave out --partition-by.",
            )
        )


def refuse_unpartitioned(target: Dataset, *, is_partitioned: bool) -> None:
    """Refuse to replace single partitions of an output that has none.

    Raises:
        UsageError: It has no partitions; Spark would replace all rows.
    """
    if not is_partitioned:
        raise UsageError(
            explain(
                f"The {target} has no partitions to overwrite.",
                expected="--partition-by, or a table with partitions",
                hint="choose --mode overwrite to replace all rows.",
            )
        )


def visible_files(target: Dataset, files: Collection[str]) -> list[str]:
    """Return the files that Spark's readers see; refuse a partition that they ignore.

    Raises:
        BindingError: The message names the first such folder.
    """
    for name in files:
        *folders, _ = name.split("/")
        found = next((folder for folder in folders if "=" in folder and is_hidden(folder)), None)
        if found is not None:
            raise BindingError(
                explain(
                    f"Spark's readers would not see some rows of {target}.",
                    found=f"the folder {found}",
                    hint="change the value, or choose another --partition-by.",
                )
            )
    return [name for name in files if not any(map(is_hidden, name.split("/")))]


def partitions_in(files: HadoopFiles, path: str) -> list[str]:
    """Return the partition columns of a folder, from the names of the folders in it."""
    names: list[str] = []
    while folder := _partition_among(files.children(path)):
        names.append(unquote(folder.partition("=")[0]))
        path = f"{path}/{folder}"
    return names


def is_in_place(folder: str, root: str, partitions: Sequence[str]) -> bool:
    """Whether a partition is in the folder that Spark gives it below the table's folder."""
    names = folder.removeprefix(f"{root}/").split("/")
    columns = [unquote(name.partition("=")[0]).lower() for name in names]
    return folder.startswith(f"{root}/") and columns == [name.lower() for name in partitions]


def _partition_among(names: Collection[str]) -> str | None:
    return next((name for name in names if "=" in name[1:] and not name.startswith(".")), None)
