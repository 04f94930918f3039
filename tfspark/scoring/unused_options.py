"""Options that Spark's readers and writers accept and ignore. Driver."""

from __future__ import annotations

from collections.abc import Mapping

from tfspark.errors import UsageError, explain, listing
from tfspark.scoring.dataset import Dataset

# In Spark, each of these is a method or an argument of a reader or writer.
_OF_READER = {
    "format": "choose --input-format.",
    "path": "choose --input.",
    "schema": "leave it out: the schema comes from the files, or read a table with --input-table.",
}
_OF_WRITER = {
    "bucketby": "create the table first, and write to it with --mode append or overwrite.",
    "clusterby": "create the table first, and write to it with --mode append or overwrite.",
    "format": "choose --output-format.",
    "mode": "choose --mode.",
    "partitionby": "choose --partition-by COLUMN[,COLUMN…].",
    "path": "choose --output.",
    "sortby": "create the table first, and write to it with --mode append or overwrite.",
}


def refuse_unused(dataset: Dataset, *, is_read: bool = False) -> None:
    """Refuse an option that would have no effect.

    Raises:
        UsageError: Names the option and the alternative.
    """
    if is_read and dataset.table and dataset.options:
        problem = f"The options of an input have no effect on the {dataset}."
        hint = "leave them out, or read the files of the table as a path."
        raise UsageError(explain(problem, found=listing(list(dataset.options)), hint=hint))
    known: Mapping[str, str] = _OF_READER if is_read else _OF_WRITER
    for name in dataset.options:
        if name.lower() in known:
            who = "reader" if is_read else "writer"
            raise UsageError(
                explain(f"Spark's {who} ignores the option {name!r}.", hint=known[name.lower()])
            )
