"""Decides which columns become the features of an input's Examples. Driver and executor.

Runs on an executor only for column functions. If the graph shows which features it parses, their
names and types are checked, and a feature without a feed takes the column with its name. Otherwise
the features are those of `feed`, and the type of a column decides the type of its feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from tfspark import dtypes
from tfspark.constants import Constant
from tfspark.errors import did_you_mean, listing
from tfspark.features import FeatureSpec, key_of
from tfspark.fitting import Fitting, wanted
from tfspark.signature import TensorSpec


@dataclass(frozen=True)
class ExampleFeeding:
    """An input that takes serialized Examples, and the columns for their features.

    Attributes:
        spec: The input.
        given: Feature → its value in `feed`.
        fitting: The columns.
    """

    spec: TensorSpec
    given: Mapping[str, object]
    fitting: Fitting

    @property
    def parsed(self) -> Mapping[str, FeatureSpec]:
        """The features that the graph parses, by name; empty if the graph does not show them."""
        return {one.name: one for one in self.spec.features or ()}

    @property
    def found(self) -> dict[str, str]:
        """Feature → the column with its name."""
        columns = ((name, self.fitting.find(name)) for name in self.parsed)
        return {name: column for name, column in columns if column is not None}

    def bound(self, problems: list[str]) -> list[tuple[TensorSpec, str]]:
        """Return each feature with its column; append the mismatches to `problems`."""
        parsed = self.parsed
        problems += [
            f"the model parses no feature {name!r} ({listing(parsed)}).{did_you_mean(name, parsed)}"
            for name in self.given
            if parsed and name not in parsed
        ]
        named = {**self.found, **self.given}
        bound = [
            (self._spec(name, column), column)
            for name in parsed or self.given
            if (column := self._column(name, named.get(name), problems)) is not None
        ]
        for spec, column in bound:
            misfit = self.fitting.misfit(
                spec, column, self.fitting.narrow, is_stack=False, listed=True
            )
            problems += [f"feature {spec.name!r}: {misfit}"] if misfit else []
        return bound

    def left_out(self) -> list[str]:
        """Return the optional features that no column feeds."""
        return [name for name in self.parsed if name not in {**self.found, **self.given}]

    def _column(self, name: str, given: object, problems: list[str]) -> str | None:
        """Return the column of a feature; `None` for no column, which may be a problem."""
        if isinstance(given, str):
            return self.fitting.find(given) or given
        feature = self.parsed.get(name)
        key = key_of(self.spec.name, name)
        if given is not None:
            shown = given.value if isinstance(given, Constant) else given
            problems.append(f"feature {key!r} takes one column, not {shown!r}")
        elif feature is not None and feature.is_required:
            near = did_you_mean(name, self.fitting.columns)
            kind = wanted(self._spec(name, ""))
            problems.append(f"no column {name!r} for its feature {key!r} of {kind}.{near}")
        return None

    def _spec(self, name: str, column: str) -> TensorSpec:
        """Return a feature as an input, whose name is its key in `feed`."""
        key, feature = key_of(self.spec.name, name), self.parsed.get(name)
        if feature is not None:
            return TensorSpec(key, feature.dtype, (None, *feature.row_shape))
        known = self.fitting.columns.get(column)
        arrow = pa.null() if known is None or known.arrow is None else known.arrow
        element, depth = dtypes.element_of(arrow)
        return TensorSpec(key, _dtype_of(element), (None, None) if depth else (None,))


def _dtype_of(element: pa.DataType) -> str:
    """Return the type of a feature for values of a column."""
    if pa.types.is_floating(element) or dtypes.is_decimal(element):
        return "float32"
    return "int64" if dtypes.numpy_type(element) is not None else "string"
