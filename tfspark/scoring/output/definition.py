"""Refuses flags that would change the definition of an existing table. Driver.

A table keeps its format, its partitions and the options of its format. Flags with other values
would have no effect. A table of a database has neither a format nor partitions.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfspark.errors import UsageError, explain, listing
from tfspark.scoring.dataset import Dataset

# The default of --output-format. It stands for the format that the table already has.
_DEFAULT = "parquet"
# Formats of data files that some catalogs accept instead of their own format.
_OF_FILES = {"iceberg": ("avro", "orc")}


def refuse_other_definition(
    target: Dataset, provider: str, partitions: Sequence[str], *, takes_options: bool
) -> None:
    """Refuse another format, other partitions, or options of the format.

    Args:
        target: The output, a table that exists.
        provider: The format of the table.
        partitions: Its partition columns, and transforms such as `bucket(4, id)` of Iceberg.
        takes_options: Whether a write to the table takes options.

    Raises:
        UsageError: Says which part of its definition the table keeps.
    """
    if target.format not in (_DEFAULT, provider, *_OF_FILES.get(provider, ())):
        raise _keeps(target, "format", provider, f"--output-format {target.format}")
    wanted = [name.lower() for name in target.partition_by]
    if wanted and wanted != [name.strip("`").lower() for name in partitions]:
        there = f"partitions by {listing(partitions)}" if partitions else "no partitions"
        raise _keeps(target, "partitions", there, f"--partition-by {','.join(target.partition_by)}")
    if target.options and not takes_options:
        named = f"--output-option {listing(list(target.options))}"
        raise _keeps(target, "options", "those of the table", named)


def refuse_definition(target: Dataset) -> None:
    """Refuse a format and partitions for a table of a database, which has neither.

    Raises:
        UsageError: Names the flag.
    """
    given = {
        "--output-format": target.format != _DEFAULT,
        "--partition-by": bool(target.partition_by),
    }
    for flag, is_given in given.items():
        if is_given:
            problem = f"{flag} has no effect on the {target}, because a database stores it."
            raise UsageError(explain(problem, hint=f"leave out {flag}."))


def _keeps(target: Dataset, what: str, expected: str, found: str) -> UsageError:
    return UsageError(
        explain(
            f"The {target} keeps its {what}.",
            expected=expected,
            found=found,
            hint=f"leave out {found.partition(' ')[0]}, or drop the table first.",
        )
    )
