"""A folder of files as the output of a job: staged beside its place, shown by a rename. Driver."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfspark.errors import BindingError, OutputExistsError, UsageError, explain, listing
from tfspark.scoring.dataset import WRITE_DEFAULTS, Dataset
from tfspark.scoring.publish import Mode, already_there, check_same_columns, replace
from tfspark.spark.files import HadoopFiles
from tfspark.spark.reading import check_format, read_path

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

    def __post_init__(self) -> None:
        self._files = HadoopFiles(self.spark, self.target.path)
        self._path = self._files.qualified(self.target.path).rstrip("/")
        parent, _, name = self._path.rpartition("/")
        if not parent or parent.endswith(":/"):
            raise UsageError(
                explain(f"{self.target.path} is a whole file system.", expected="a folder in it")
            )
        self._staged = f"{parent}/.{name}.tfspark-{self.run}"
        self._old = f"{parent}/.{name}.tfspark-{self.run}-old"

    @property
    def staged(self) -> str:
        """URI of the folder that holds this run's files until they are shown, escaped."""
        return self._files.uri(self._staged)

    def check(self, *inputs: str) -> None:
        """See `Output.check`."""
        self._files.check_creatable(self._path)
        check_format(self.spark, self.target.format)
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
        if self.target.format == "csv":
            _refuse_nested(self.target, columns)
        if self.mode != "append" or not self._has_data():
            return
        options = {**WRITE_DEFAULTS.get(self.target.format, {}), **self.target.options}
        if self.target.format in _SELF_DESCRIBING:
            there = read_path(self.spark, self._path, self.target.format, options)
            check_same_columns(self.target, dict(there.dtypes), columns)
        elif self.target.format == "csv" and options["header"].lower() == "true":
            there = read_path(self.spark, self._path, self.target.format, options)
            check_same_columns(self.target, there.columns, columns)

    def _has_data(self) -> bool:
        names = self._files.children(self._path)
        return any(not name.startswith(("_", ".")) for name in names)

    def stage(self, df: DataFrame) -> None:
        """See `Output.stage`."""
        options = {**WRITE_DEFAULTS.get(self.target.format, {}), **self.target.options}
        df.write.format(self.target.format).options(**options).save(self._staged)

    def publish(self) -> None:
        """See `Output.publish`."""
        exists = self._files.exists(self._path)
        if exists and self.mode == "error":  # since the check, by someone else
            raise already_there(str(self.target))
        if exists and self.mode == "append":
            self._append()
        else:
            replace(
                exists,
                retire=lambda: self._files.rename(self._path, self._old),
                show=lambda: self._files.rename(self._staged, self._path),
                restore=lambda: self._files.rename(self._old, self._path),
            )
            self._files.delete(self._old)

    def _append(self) -> None:
        """Move the new files in; their names hold an id of the job, so none exists yet."""
        names = self._files.children(self._staged)
        moved = []
        try:
            for name in names:
                if not name.startswith(("_", ".")):
                    self._files.rename(f"{self._staged}/{name}", f"{self._path}/{name}")
                    moved.append(name)
        except BaseException:
            for name in moved:
                self._files.delete(f"{self._path}/{name}")
            raise
        self._files.delete(self._staged)

    def discard(self) -> None:
        """See `Output.discard`."""
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
