"""Decides which outputs become which columns, and why an output cannot. Driver and executor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from tfspark import dtypes
from tfspark.errors import did_you_mean, listing
from tfspark.fitting import unusable_type
from tfspark.options import Strings
from tfspark.signature import Signature, TensorSpec
from tfspark.terms import Terms

Fetch: TypeAlias = Mapping[str, str]


@dataclass(frozen=True)
class OutputBinding:
    """One output, the column it becomes and that column's Arrow type."""

    spec: TensorSpec
    column: str
    arrow: pa.DataType

    @property
    def field(self) -> dtypes.ArrowField:
        """The Arrow field of the column; nullable, because a null input gives null."""
        return pa.field(self.column, self.arrow)


def fetch_outputs(
    signature: Signature,
    fetch: Fetch | None,
    strings: Strings,
    taken: Sequence[str],
    rows: int | None,
    terms: Terms,
    problems: list[str],
) -> list[OutputBinding]:
    """Return the outputs that are fetched; append the mismatches of the others to `problems`.

    Args:
        signature: The signature whose outputs are fetched.
        fetch: Output → column; `None` for every output under its own name.
        strings: Spark type of string outputs.
        taken: Names of the kept columns, which no prediction may use.
        rows: Rows of every batch, if their number is fixed.
        terms: How the caller spells options.
        problems: Receives one sentence for each mismatch.
    """
    specs = {spec.name: spec for spec in signature.outputs}
    chosen = {name: name for name in specs} if fetch is None else dict(fetch)
    if not chosen:
        problems.append("fetch names no output")
    problems += [
        f"fetch names {name!r}, which is not an output of the signature ({listing(specs)})."
        f"{did_you_mean(name, specs)}"
        for name in chosen
        if name not in specs
    ]
    unusable = _unusable(signature, rows, terms)
    usable = next((name for name in specs if name not in unusable), None)
    leave_out = ""
    if fetch is None and usable is not None:
        leave_out = f"; or name the others, with {terms.fetch.format(output=usable, column=usable)}"
    used = {name.lower(): name for name in taken}
    bound = []
    for name, column in chosen.items():
        if name not in specs:
            continue
        if name in unusable:
            problems.append(f"output {specs[name]}: {unusable[name]}{leave_out}")
        elif column.lower() in used:
            rename = terms.fetch.format(output=name, column=f"{column}_new")
            there = f"there is already a column {used[column.lower()]!r}"
            problems.append(f"output {specs[name]}: {there}; rename it with {rename}")
        else:
            bound.append(OutputBinding(specs[name], column, _arrow_type(specs[name], strings)))
            used[column.lower()] = column
    return bound


def _unusable(signature: Signature, rows: int | None, terms: Terms) -> dict[str, str]:
    """Return output → why it cannot be a column, for those that cannot."""
    return {
        spec.name: problem
        for spec in signature.outputs
        if (problem := unusable_type(spec) or _without_rows(spec, rows, terms))
    }


def _without_rows(spec: TensorSpec, rows: int | None, terms: Terms) -> str | None:
    """Return why an output cannot give one value for each row; `None` when it can."""
    if spec.shape is None:
        option = terms.output_shape.format(output=spec.name)
        return (
            f"its rank is unknown, so it has no column type; give the shape of one row, such as "
            f"{option} for one number"
        )
    if not spec.is_batched:
        return "it is a scalar without a dimension for the rows, so it cannot be a column"
    if spec.batch_dimension in (None, rows):
        return None
    found = f"its first dimension is always {spec.batch_dimension}"
    if spec.batch_dimension == 1:
        return f"{found}, so it fits only batches of one row: use {terms.batch_size}"
    return f"{found}, not the number of rows, so it cannot be a column"


def _arrow_type(spec: TensorSpec, strings: Strings) -> pa.DataType:
    dtype = dtypes.by_name(spec.dtype)
    element = pa.binary() if dtype.is_string and strings == "binary" else dtype.arrow
    row = spec.row_shape or ()
    return dtypes.nested(element, 0 if row == (1,) else len(row))
