"""Writes the tables of types in `docs/types.md` from the table in `tfspark/dtypes.py`.

Run `python -m tools.type_table` after a change of the types. A test compares the page with
`page()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from tfspark.dtypes import SQL_TO_ARROW, TABLE, UNSUPPORTED, DType, conversion

PAGE = Path(__file__).resolve().parents[1] / "docs" / "types.md"
BEGIN, END = "<!-- types -->", "<!-- end of types -->"

_COLUMNS: dict[str, pa.DataType] = {
    **SQL_TO_ARROW,
    "decimal(p,0)": pa.decimal128(20, 0),
    "decimal(p,s)": pa.decimal128(20, 2),
}
_FAMILIES = ("float", "bfloat", "int", "uint", "bool", "string")
_HOW = {"round": " (rounded)", "check": " (checked)", "narrow": " (`narrow`)"}


def page() -> str:
    """Return the page with the tables of the current types."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


def tables() -> str:
    """Return the table of the supported types, and the table of the others."""
    rows = sorted(TABLE, key=_position)
    supported = (f"| {row.name} | {', '.join(_feeding(row))} | {row.sql} |" for row in rows)
    names: dict[str, list[str]] = {}
    for name, reason in UNSUPPORTED.values():
        names.setdefault(reason, []).append(name)
    others = (f"| {', '.join(same)} | {reason} |" for reason, same in names.items())
    return "\n".join(
        [
            "| TensorFlow | columns that feed an input | column of an output |",
            "|---|---|---|",
            *supported,
            "",
            "| not supported | reason |",
            "|---|---|",
            *others,
        ]
    )


def _position(dtype: DType) -> tuple[int, int]:
    """Return the place of a type on the page: by its family, then by its size."""
    family = dtype.name.rstrip("0123456789")
    return _FAMILIES.index(family), int(dtype.name.removeprefix(family) or 0)


def _feeding(dtype: DType) -> Iterator[str]:
    for sql, arrow in _COLUMNS.items():
        how = conversion(arrow, dtype)
        if how is not None:
            yield f"{sql}{_HOW.get(how, '')}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
