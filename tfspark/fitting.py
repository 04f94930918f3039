"""Checks whether columns can feed an input: by type and by depth of arrays. Driver and executor.

Runs on an executor only for column functions. Each mismatch is a text for a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from tfspark import dtypes
from tfspark.columns import Columns, resolve
from tfspark.errors import did_you_mean, listing
from tfspark.refusals import refusal
from tfspark.signature import TensorSpec, format_shape
from tfspark.terms import Terms


@dataclass(frozen=True)
class Fitting:
    """The columns, and the options that decide which of them can feed an input.

    Attributes:
        columns: The available columns, by name.
        narrow: Whether a column type with fractions may feed an integer.
        case_sensitive: Whether names must match the case of columns exactly.
        terms: How the caller spells options.
    """

    columns: Columns
    narrow: bool
    case_sensitive: bool
    terms: Terms

    def find(self, name: str) -> str | None:
        """Return the column that a name refers to; `None` when there is none."""
        return resolve(name, self.columns, case_sensitive=self.case_sensitive)

    def misfits(
        self,
        spec: TensorSpec,
        names: Sequence[str],
        *,
        listed: bool = False,
        narrow: bool | None = None,
    ) -> list[str]:
        """Return why these columns cannot feed this input; an empty list when they can."""
        if not names:
            return ["the list of columns is empty"]
        is_stack = len(names) > 1
        may_narrow = self.narrow if narrow is None else narrow
        found = (
            self.misfit(spec, name, may_narrow, is_stack=is_stack, listed=listed)
            for name in dict.fromkeys(names)
        )
        problems = [problem for problem in found if problem]
        if is_stack and spec.row_shape not in (None, (None,)) and spec.row_size != len(names):
            count = f"{len(names)} columns: {listing(names)}"
            problems.append(f"expected {wanted(spec)}, found {count}")
        return problems

    def misfit(
        self, spec: TensorSpec, name: str, narrow: bool, *, is_stack: bool, listed: bool
    ) -> str | None:
        """Return why a column cannot feed this input, alone or as a part of a stack."""
        if name not in self.columns:
            return f"there is no column {name!r}.{did_you_mean(name, self.columns)}"
        column = self.columns[name]
        dtype = dtypes.by_name(spec.dtype)
        expected = dtype.sql if is_stack else wanted(spec)
        if column.arrow is None or dtypes.conversion(self.element(name), dtype) is None:
            if not is_stack and _are_pixels(column.arrow, spec):
                return None
            return refusal(name, column, dtype, expected)
        if is_stack and dtypes.is_list(column.arrow):
            return f"column {name!r} is {column.label}; only scalar columns can be stacked"
        depth = dtypes.element_of(column.arrow)[1]
        if not (is_stack or _has_depth(spec, depth, listed)):
            return f"expected {expected}, found column {name!r} of {column.label}"
        if dtypes.conversion(self.element(name), dtype) == "narrow" and not narrow:
            return (
                f"expected {expected}, found column {name!r} of {column.label}, whose values may "
                f"have fractions; cast the column, or allow whole numbers with {self.terms.narrow}"
            )
        return None

    def element(self, name: str) -> pa.DataType:
        """Return the type of the elements of a column; the null type if it cannot be fed."""
        arrow = self.columns[name].arrow if name in self.columns else None
        return pa.null() if arrow is None else dtypes.element_of(arrow)[0]


def unusable_type(spec: TensorSpec) -> str | None:
    """Return why Spark has no column for tensors of this type; `None` when it has one."""
    reason = dtypes.reason_unsupported(spec.dtype)
    if reason:
        return f"type {spec.dtype} cannot pass between Spark and a model: {reason}"
    return None


def wanted(spec: TensorSpec) -> str:
    """Return the Spark types of columns that can feed an input, as text."""
    row = spec.row_shape
    if spec.shape == ():
        return dtypes.by_name(spec.dtype).sql
    if not row:
        return spec.sql
    either = f"{spec.sql} or {dtypes.arrays_of(spec.sql, 1)}" if row == (1,) else spec.sql
    return f"{either} of shape {format_shape(row)}"


def _are_pixels(arrow: pa.DataType | None, spec: TensorSpec) -> bool:
    """Whether a column of bytes can be the pixels, or other raw bytes, of a uint8 input."""
    row = spec.row_shape
    if arrow is None or not dtypes.is_bytes(arrow) or spec.dtype != "uint8" or not row:
        return False
    is_text = pa.types.is_string(arrow) or pa.types.is_large_string(arrow)
    return not is_text and (len(row) == 1 or spec.row_size is not None)


def _has_depth(spec: TensorSpec, depth: int, listed: bool) -> bool:
    """Whether a column of that many levels of lists can hold rows of the input."""
    row = spec.row_shape
    if row is None or depth == len(row):
        return True
    if depth == 0:
        # A vector of open length takes a scalar column only if the user gave a list of columns.
        return row == (1,) or (listed and row == (None,))
    return depth == 1 and spec.row_size is not None and len(row) > 1
