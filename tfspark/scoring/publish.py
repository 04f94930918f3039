"""Write aside, then show: the output of a job appears whole, or not at all. Driver.

In come a DataFrame and where it shall go; rows are written under a name of this run beside the
target, and when all of them are there, renamed into place. Spark's own `overwrite` deletes the old
output before the first task; here the old one leaves after the new one is complete.

Invariants: a job that fails or is killed before `publish` leaves the target as it was; what already
exists is never touched in mode `error`. A killed job leaves what it staged: a hidden folder
`.<name>.tfspark-<run>`, or a table `<name>__tfspark_<run>`. One that is killed between the two
renames of an overwrite leaves the old output beside it, with `-old` or `_old` at the end. A rename
is atomic where the file system's is (local disks, HDFS; object stores copy).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from tfspark.errors import BindingError, OutputExistsError, explain
from tfspark.scoring.dataset import Dataset
from tfspark.spark.failures import cause

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Mode: TypeAlias = Literal["error", "overwrite", "append"]

_log = logging.getLogger(__name__)

# Types that Spark and Arrow name alike.
_COMPARABLE = re.compile(
    r"(array<)*(tinyint|smallint|int|bigint|float|double|boolean|string|binary)>*"
)


class Output(Protocol):
    """A target that can be written aside and shown."""

    @property
    def folder(self) -> str | None:
        """URI of a folder that tasks may write files into; `None` where only Spark can write."""

    def check(self, *inputs: str) -> None:
        """Raise when the mode forbids what is there, before anything is written.

        Args:
            inputs: Paths that the job reads; an output that is overwritten must not hold them.
        """

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """Raise when rows of these columns (name → Spark type) cannot be written or appended."""

    def stage(self, df: DataFrame) -> None:
        """Run the job and write its rows aside."""

    def take(self, files: Sequence[str]) -> None:
        """Take files that tasks wrote into the folder: these are staged, and no others."""

    def publish(self) -> None:
        """Show what was staged."""

    def discard(self) -> None:
        """Remove what was staged and not shown; fine when there is nothing."""


@contextmanager
def discarding(output: Output) -> Iterator[None]:
    """Discard what was staged when the block fails or is interrupted."""
    try:
        yield
    except BaseException:
        try:
            output.discard()
        except Exception as error:  # the failure of the job is the one to tell
            _log.warning("what was staged could not be removed: %s", cause(error))
        raise


def already_there(what: str) -> OutputExistsError:
    """Return the error of a target that the mode does not allow to touch."""
    return OutputExistsError(
        explain(
            f"The output exists: {what}.",
            expected="nothing there in mode error",
            hint="choose another output, or --mode overwrite, or --mode append.",
        )
    )


def replace(
    exists: bool, retire: Callable[[], None], show: Callable[[], None], restore: Callable[[], None]
) -> None:
    """Put the new in the place of the old; bring the old back when that fails."""
    if not exists:
        show()
        return
    retire()
    try:
        show()
    except BaseException:
        restore()
        raise


def check_same_columns(
    target: Dataset, there: Mapping[str, str] | Collection[str], columns: Mapping[str, str]
) -> None:
    """Refuse to append rows whose columns are not those that are there."""
    types = there if isinstance(there, Mapping) else {}
    ordered = target.format == "csv" and not target.table
    wanted, found = [name.lower() for name in there], [name.lower() for name in columns]
    changed = any(
        columns.get(name, kind) != kind
        for name, kind in types.items()
        if _COMPARABLE.fullmatch(kind) and _COMPARABLE.fullmatch(columns.get(name, ""))
    )
    if changed or (wanted != found if ordered else sorted(wanted) != sorted(found)):
        raise BindingError(
            explain(
                f"The rows cannot be appended to the {target}.",
                expected=", ".join(f"{name} {types.get(name, '')}".strip() for name in there),
                found=", ".join(f"{name} {kind}" for name, kind in columns.items()),
                hint="choose columns with --keep and name predictions with --fetch.",
            )
        )
