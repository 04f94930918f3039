"""Write aside, then show: the output of a job appears whole, or not at all. Driver.

Rows are written under a name of this run beside the target, and renamed into place when all of them
are there. Spark's own `overwrite` deletes the old
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
from tfspark.spark.cluster.failures import cause

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Mode: TypeAlias = Literal["error", "overwrite", "append"]

_log = logging.getLogger(__name__)

# Types that Spark and Arrow name alike.
_COMPARABLE = re.compile(
    r"((?:array<)*)(tinyint|smallint|int|bigint|float|double|boolean|string|binary)>*"
)
# Type → the types whose values it holds without a change.
_WIDER = {
    "smallint": ("tinyint",),
    "int": ("tinyint", "smallint"),
    "bigint": ("tinyint", "smallint", "int"),
    "double": ("tinyint", "smallint", "int", "float"),
}


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
def discarding(output: Output | None) -> Iterator[None]:
    """Discard what was staged when the block fails or is interrupted."""
    try:
        yield
    except BaseException:
        try:
            if output is not None:
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
    """Refuse rows whose columns are not those that are there; a table may have wider types."""
    types = there if isinstance(there, Mapping) else {}
    folded = {name.lower(): kind for name, kind in columns.items()}
    ordered = target.format == "csv" and not target.table
    wanted, found = [name.lower() for name in there], list(folded)
    changed = any(
        not _takes(kind, folded.get(name.lower(), kind), may_widen=bool(target.table))
        for name, kind in types.items()
    )
    if changed or (wanted != found if ordered else sorted(wanted) != sorted(found)):
        dropped = " To give a table other columns, drop it first." if target.table else ""
        raise BindingError(
            explain(
                f"The rows do not have the columns of the {target}.",
                expected=", ".join(f"{name} {types.get(name, '')}".strip() for name in there),
                found=", ".join(f"{name} {kind}" for name, kind in columns.items()),
                hint=f"choose columns with --keep and name predictions with --fetch.{dropped}",
            )
        )


def _takes(wanted: str, found: str, *, may_widen: bool) -> bool:
    """Whether a column of a type takes values of another without a change."""
    one, other = _COMPARABLE.fullmatch(wanted), _COMPARABLE.fullmatch(found)
    if one is None or other is None or wanted == found:
        return True
    same_depth = one.group(1) == other.group(1)
    return may_widen and same_depth and other.group(2) in _WIDER.get(one.group(2), ())
