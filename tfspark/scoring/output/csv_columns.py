"""Refuses columns and rows that a CSV file cannot hold. Driver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tfspark.errors import BindingError, explain, listing
from tfspark.scoring.dataset import Dataset
from tfspark.spark.cluster.blank_lines import counting_blanks

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# The characters that Java's `trim` removes. Spark's reader calls `trim` to find blank lines.
_BLANK = r"[\x00-\x20]"


def refuse_nested(target: Dataset, columns: Mapping[str, str]) -> None:
    """Refuse arrays, structs, maps and bytes, if the output is CSV.

    Args:
        target: The output of the rows.
        columns: Name → Spark type.

    Raises:
        BindingError: When there are such columns; the message names all of them.
    """
    if target.format != "csv":
        return
    nested = [name for name, kind in columns.items() if "<" in kind or kind == "binary"]
    if nested:
        raise BindingError(
            explain(
                f"CSV cannot hold {listing(nested)} in {target}.",
                expected="columns of numbers, strings, dates or booleans",
                found=", ".join(f"{name} {columns[name]}" for name in nested),
                hint="leave them out with --keep and --fetch, or write parquet or json.",
            )
        )


@contextmanager
def refusing_blank_lines(target: Dataset, rows: DataFrame) -> Iterator[DataFrame]:
    """Refuse rows that were written as blank lines, which readers of CSV skip.

    Spark writes a null as nothing. By default it writes quotes for an empty text, and trims a text
    of blanks; options of the writer can change both. The block of the `with` statement writes the
    rows.

    Args:
        target: The output, with the format, the options and the partitions of its files.
        rows: The rows.

    Yields:
        The rows to write.

    Raises:
        BindingError: Raised after the block; the message says how many rows would be lost.
    """
    folders = {name.lower() for name in target.partition_by}
    names = [name for name in rows.columns if name.lower() not in folders]
    separator = target.option("sep", target.option("delimiter", ",")).replace(r"\t", "\t")
    has_quotes = target.option("quoteAll").lower() == "true"
    if target.format != "csv" or has_quotes or (len(names) > 1 and separator.strip()):
        yield rows
        return
    rows, count = counting_blanks(
        rows,
        names,
        null_is_blank=not target.option("nullValue").strip(),
        blank_text=_blank_text(target),
    )
    yield rows
    if count():
        raise BindingError(
            explain(
                f"Rows would be lost in {target}: they are blank lines of CSV files, and readers "
                "skip them.",
                expected=f"another column besides {listing(names)}, or values in all rows",
                found=f"{count()} such rows",
                hint="write another column too, write parquet, or choose a text for null with "
                "--output-option nullValue=NULL.",
            )
        )


def _blank_text(target: Dataset) -> str:
    """Return a regular expression for texts that are written as blanks; empty if there are none."""
    if not target.option("emptyValue", '""').strip():
        return f"^{_BLANK}*$"
    trims = (target.option(f"ignore{end}WhiteSpace", "true") for end in ("Leading", "Trailing"))
    return "" if "true" in map(str.lower, trims) else f"^{_BLANK}+$"
