"""Decides which columns feed which inputs, and why a column cannot. Driver and executor.

Runs on an executor only for column functions. Columns are bound by name, never by position. All
mismatches are collected, so that one message can list them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from tfspark import constants, dtypes
from tfspark.columns import SHOWN, Columns, resolve
from tfspark.constants import Constant
from tfspark.errors import did_you_mean, listing
from tfspark.refusals import refusal
from tfspark.rows import GIVES_NULL, NullRule
from tfspark.signature import Signature, TensorSpec, format_shape
from tfspark.terms import Terms

Feed: TypeAlias = Mapping[str, str | Sequence[str] | Constant]


@dataclass(frozen=True)
class InputBinding:
    """One input and the columns or the constant that feed it.

    Attributes:
        spec: The input.
        columns: One column, or scalar columns that are stacked in order; empty for a constant.
        narrow: Whether a column type with fractions may feed an integer; each value is checked.
        nulls: How a null is handled.
        constant: A value for all rows, in place of columns.
    """

    spec: TensorSpec
    columns: tuple[str, ...]
    narrow: bool = False
    nulls: NullRule = GIVES_NULL
    constant: Constant | None = None

    @property
    def is_stacked(self) -> bool:
        """Whether several scalar columns are stacked into one vector."""
        return len(self.columns) > 1


@dataclass(frozen=True)
class Feeding:
    """The signature, the columns and the options; `bound` finds the columns of each input."""

    signature: Signature
    columns: Columns
    feed: Feed
    narrow: bool
    case_sensitive: bool
    terms: Terms

    def bound(self, problems: list[str]) -> list[InputBinding]:
        """Return the inputs that can be fed; append the mismatches of the others to `problems`."""
        bound = []
        if not self.signature.inputs:
            problems.append("the signature has no inputs, so there is nothing to score a row with")
        for spec in self.signature.inputs:
            found, misfits = self._input(spec)
            problems += [f"input {spec}: {misfit}" for misfit in misfits]
            if not misfits:
                bound.append(found)
        if bound and not any(binding.columns for binding in bound) and not problems:
            problems.append("only constants feed the signature; one input needs a column")
        return bound

    def rounded(self, bound: InputBinding) -> list[str]:
        """Return a text for each column of an input that is rounded to the model's precision."""
        dtype = dtypes.by_name(bound.spec.dtype)
        return [
            f"column {name!r} {self.columns[name].label} → {dtype.name}"
            for name in dict.fromkeys(bound.columns)
            if dtypes.conversion(self._element(name), dtype) == "round"
        ]

    def _input(self, spec: TensorSpec) -> tuple[InputBinding, list[str]]:
        given = self.feed.get(spec.name)
        if unusable := unusable_type(spec):
            return InputBinding(spec, ()), [unusable]
        if isinstance(given, Constant):
            problem = constants.misfit(given, spec)
            return InputBinding(spec, (), constant=given), [problem] if problem else []
        names, misfits = self._given(spec, given) if given is not None else self._found(spec)
        return InputBinding(spec, names, self.narrow), misfits

    def _given(
        self, spec: TensorSpec, given: str | Sequence[str]
    ) -> tuple[tuple[str, ...], list[str]]:
        """Return the columns that the user named, with their mismatches."""
        listed = not isinstance(given, str)
        names = tuple(self._resolved(name) for name in (given if listed else [str(given)]))
        return names, self._misfits(spec, names, listed=listed)

    def _found(self, spec: TensorSpec) -> tuple[tuple[str, ...], list[str]]:
        """Return the column for an input that is not in `feed`, with its mismatches."""
        own = resolve(spec.name, self.columns, case_sensitive=self.case_sensitive)
        if own is not None:
            return (own,), self._misfits(spec, (own,))
        if spec.shape == ():
            hint = self.terms.constant.format(input=spec.name)
            return (), [f"it is a scalar, the same for every row: give it a value with {hint}"]
        batched = [other for other in self.signature.inputs if other.shape != ()]
        if len(batched) > 1:
            near = did_you_mean(spec.name, self.columns)
            return (), [f"no column of that name and no feed for it.{near}"]
        return self._single(spec)

    def _single(self, spec: TensorSpec) -> tuple[tuple[str, ...], list[str]]:
        """Return the only column that fits the only input; prefer columns that are not rounded."""
        fitting = [name for name in self.columns if not self._misfits(spec, (name,))]
        dtype = dtypes.by_name(spec.dtype)
        exact = [
            name
            for name in fitting
            if dtypes.conversion(self._element(name), dtype) in ("exact", "widen")
        ]
        best = exact or fitting
        if len(best) == 1:
            return tuple(best), []
        if best:
            several = f"{len(best)} columns fit: {listing(best[:SHOWN])}"
            return (), [f"no column of that name, and {several}"]
        near = list(self.columns)
        if len(near) > 1:
            near = [name for name in near if not self._misfits(spec, (name,), narrow=True)]
        nowhere = [f"no column of that name and none that fits {wanted(spec)}"]
        return (), [problem for name in near for problem in self._misfits(spec, (name,))] or nowhere

    def _misfits(
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
            self._misfit(spec, name, may_narrow, is_stack=is_stack, listed=listed)
            for name in dict.fromkeys(names)
        )
        problems = [problem for problem in found if problem]
        if is_stack and spec.row_shape not in (None, (None,)) and spec.row_size != len(names):
            count = f"{len(names)} columns: {listing(names)}"
            problems.append(f"expected {wanted(spec)}, found {count}")
        return problems

    def _misfit(
        self, spec: TensorSpec, name: str, narrow: bool, *, is_stack: bool, listed: bool
    ) -> str | None:
        if name not in self.columns:
            return f"there is no column {name!r}.{did_you_mean(name, self.columns)}"
        column = self.columns[name]
        dtype = dtypes.by_name(spec.dtype)
        expected = dtype.sql if is_stack else wanted(spec)
        if column.arrow is None or dtypes.conversion(self._element(name), dtype) is None:
            if _are_pixels(column.arrow, spec):
                return None
            return refusal(name, column, dtype, expected)
        if is_stack and dtypes.is_list(column.arrow):
            return f"column {name!r} is {column.label}; only scalar columns can be stacked"
        depth = dtypes.element_of(column.arrow)[1]
        if not (is_stack or _has_depth(spec, depth, listed)):
            return f"expected {expected}, found column {name!r} of {column.label}"
        if dtypes.conversion(self._element(name), dtype) == "narrow" and not narrow:
            return (
                f"expected {expected}, found column {name!r} of {column.label}, whose values may "
                f"have fractions; cast the column, or allow whole numbers with {self.terms.narrow}"
            )
        return None

    def _element(self, name: str) -> pa.DataType:
        arrow = self.columns[name].arrow if name in self.columns else None
        return pa.null() if arrow is None else dtypes.element_of(arrow)[0]

    def _resolved(self, name: str) -> str:
        return resolve(name, self.columns, case_sensitive=self.case_sensitive) or name


def unusable_type(spec: TensorSpec) -> str | None:
    """Return why Spark has no column for tensors of this type; `None` when it has one."""
    reason = dtypes.unsupported(spec.dtype)
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
