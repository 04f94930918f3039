"""A folder of files as the output of a job: staged beside its place, shown by a rename. Driver.

What is shown are exactly the files that were staged: they are moved, one by one, out of the folder
that tasks write into, so that a file of a lost attempt that appears there later stays behind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tfspark.errors import BindingError, OutputExistsError, UsageError, explain, listing
from tfspark.scoring.dataset import WRITE_DEFAULTS, Dataset
from tfspark.scoring.input.lakes import refuse_lake
from tfspark.scoring.input.listing import is_hidden
from tfspark.scoring.output.partitions import check_partitions, partitions_in
from tfspark.scoring.output.protocol import Mode, already_there, check_same_columns, replace
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.reading import check_format, read_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Formats whose files name their columns.
_SELF_DESCRIBING = ("parquet", "orc", "avro")


@dataclass
class PathOutput:
    """A folder of files."""

    spark: SparkSession
    target: Dataset
    mode: Mode
    run: str
    taken: Sequence[str] = field(default=(), init=False)

    def __post_init__(self) -> None:
        self._files = HadoopFiles(self.spark, self.target.path)
        self._path = self._files.qualified(self.target.path).rstrip("/")
        parent, _, name = self._path.rpartition("/")
        if not parent or parent.endswith(":/"):
            raise UsageError(
                explain(f"{self.target.path} is a whole file system.", expected="a folder in it")
            )
        self._staged = f"{parent}/.{name}.tfspark-{self.run}"
        self._ready = f"{self._staged}-ready"
        self._old = f"{self._staged}-old"

    @property
    def folder(self) -> str | None:
        """See `Output.folder`."""
        return self._files.uri(self._staged)

    def check(self, *inputs: str) -> None:
        """See `Output.check`."""
        self._files.check_creatable(self._path)
        check_format(self.spark, self.target.format)
        refuse_lake(self.spark, self.target, "output")
        if not self._files.exists(self._path):
            return
        if self.mode == "error":
            raise already_there(str(self.target))
        if not self._files.is_folder(self._path):
            raise OutputExistsError(
                explain(f"{self._path} is a file.", expected="a folder, or nothing")
            )
        if self.mode == "overwrite":
            self._refuse_to_delete(inputs)

    def _refuse_to_delete(self, inputs: Collection[str]) -> None:
        for path in inputs:
            if HadoopFiles(self.spark, path).qualified(path).startswith(f"{self._path}/"):
                raise UsageError(
                    explain(
                        f"To overwrite {self._path} would delete {path}, which the job reads.",
                        hint="choose another output.",
                    )
                )

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """See `Output.check_columns`."""
        check_partitions(self.target, columns)
        if self.target.format == "csv":
            _refuse_nested(self.target, columns)
        if self.mode == "append" and self._has_data():
            self._check_append(columns)

    def _check_append(self, columns: Mapping[str, str]) -> None:
        partitions = partitions_in(self._files, self._path)
        if [name.lower() for name in partitions] != [
            name.lower() for name in self.target.partition_by
        ]:
            raise BindingError(
                explain(
                    f"The rows cannot be appended to {self.target}.",
                    expected=f"partitions by {listing(partitions)}",
                    found=f"partitions by {listing(self.target.partition_by)}",
                    hint=f"choose --partition-by {','.join(partitions)}."
                    if partitions
                    else "leave out --partition-by.",
                )
            )
        options = {**WRITE_DEFAULTS.get(self.target.format, {}), **self.target.options}
        named = self.target.format == "csv" and options["header"].lower() == "true"
        if self.target.format in _SELF_DESCRIBING or named:
            there = read_path(self.spark, self._path, self.target.format, options)
            # The type of a partition column is guessed from the names of folders.
            types = {**dict(there.dtypes), **{name: columns.get(name, "") for name in partitions}}
            check_same_columns(self.target, types if not named else list(types), columns)

    def _has_data(self) -> bool:
        return not all(map(is_hidden, self._files.children(self._path)))

    def stage(self, df: DataFrame) -> None:
        """See `Output.stage`."""
        options = {**WRITE_DEFAULTS.get(self.target.format, {}), **self.target.options}
        writer = df.write.format(self.target.format).options(**options)
        writer.partitionBy(*self.target.partition_by).save(self._staged)
        written = self._files.files_below(self._staged)
        self.take([name for name in written if not any(map(is_hidden, name.split("/")))])

    def take(self, files: Sequence[str]) -> None:
        """See `Output.take`."""
        self.taken = files

    def publish(self) -> None:
        """See `Output.publish`."""
        exists = self._files.exists(self._path)
        if exists and self.mode == "error":  # since the check, by someone else
            raise already_there(str(self.target))
        if exists and self.mode == "append":
            self._append()
        else:
            self._files.move(self.taken, self._staged, self._ready)
            self._files.write_text(f"{self._ready}/_SUCCESS", "")  # as Spark marks a whole folder
            replace(
                exists,
                retire=lambda: self._files.rename(self._path, self._old),
                show=lambda: self._files.rename(self._ready, self._path),
                restore=lambda: self._files.rename(self._old, self._path),
            )
            self._files.delete(self._old)
        self._files.delete(self._staged)

    def _append(self) -> None:
        """Move the new files in; their names hold an id of the job, so none exists yet."""
        moved = []
        try:
            for name in self.taken:
                self._files.move([name], self._staged, self._path)
                moved.append(name)
        except BaseException:
            for name in moved:
                self._files.delete(f"{self._path}/{name}")
            raise

    def discard(self) -> None:
        """See `Output.discard`."""
        self._files.delete(self._ready)
        self._files.delete(self._staged)


def _refuse_nested(target: Dataset, columns: Mapping[str, str]) -> None:
    nested = [name for name, kind in columns.items() if "<" in kind or kind == "binary"]
    if nested:
        raise BindingError(
            explain(
                f"CSV has no place for {listing(nested)} in {target}.",
                expected="columns of numbers, strings, dates or booleans",
                found=", ".join(f"{name} {columns[name]}" for name in nested),
                hint="leave them out with --keep and --fetch, or write parquet or json.",
            )
        )
