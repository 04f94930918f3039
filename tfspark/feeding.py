"""Decides which columns feed which inputs, and why a column cannot. Driver and executor.

Runs on an executor only for column functions. Columns are bound by name, never by position. All
mismatches are collected, so that one message can list them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import pyarrow as pa

from tfspark import constants, dtypes
from tfspark.columns import SHOWN
from tfspark.constants import Constant
from tfspark.errors import did_you_mean, listing
from tfspark.example_feeding import ExampleFeeding
from tfspark.features import features_in
from tfspark.fitting import Fitting, unusable_type, wanted
from tfspark.rows import GIVES_NULL, NullRule
from tfspark.signature import Signature, TensorSpec

Feed: TypeAlias = Mapping[str, str | Sequence[str] | Constant]

NO_INPUTS = "the signature has no inputs, so it cannot score rows"


@dataclass(frozen=True)
class InputBinding:
    """One input and the columns or the constant that feed it.

    Attributes:
        spec: The input.
        columns: One column, or scalar columns that are stacked in order; empty for a constant. For
            an input of Examples, the columns of its features.
        narrow: Whether a column type with fractions may feed an integer; each value is checked.
        nulls: How a null is handled.
        is_vector_of_one: Whether the user gave a list of one column. A scalar column is then a
            vector of one element, also if the rank of the input is unknown.
        constant: A value for all rows, in place of columns.
        features: The features of the Examples that feed the input. The name of a feature is its key
            in `feed`, such as `inputs.age`.
    """

    spec: TensorSpec
    columns: tuple[str, ...]
    narrow: bool = False
    nulls: NullRule = GIVES_NULL
    is_vector_of_one: bool = False
    constant: Constant | None = None
    features: tuple[InputBinding, ...] = ()

    @property
    def is_stacked(self) -> bool:
        """Whether several scalar columns are stacked into one vector."""
        return len(self.columns) > 1 and not self.features

    @property
    def parts(self) -> tuple[InputBinding, ...]:
        """The features, or the input itself."""
        return self.features or (self,)

    def renamed(self, names: Mapping[str, str]) -> InputBinding:
        """Return the same binding for columns with other names: old → new."""
        columns = tuple(names.get(name, name) for name in self.columns)
        features = tuple(one.renamed(names) for one in self.features)
        return replace(self, columns=columns, features=features)


@dataclass(frozen=True)
class Feeding:
    """A signature, the user's feed, and the columns; `bound` finds the columns of each input."""

    signature: Signature
    feed: Feed
    fitting: Fitting

    def bound(self, problems: list[str]) -> list[InputBinding]:
        """Return the inputs that can be fed; append the mismatches of the others to `problems`."""
        bound = []
        if not self.signature.inputs:
            problems.append(NO_INPUTS)
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
        return [
            f"column {name!r} {self.fitting.columns[name].label} → {part.spec.dtype}"
            for part in bound.parts
            for name in dict.fromkeys(part.columns)
            if dtypes.conversion(self.fitting.element(name), dtypes.by_name(part.spec.dtype))
            == "round"
        ]

    def left_out(self, bound: InputBinding) -> list[str]:
        """Return a warning about the features of an input that no column feeds."""
        missing = self._examples(bound.spec).left_out() if bound.features else []
        if not missing:
            return []
        return [
            f"no column feeds these features of input {bound.spec.name!r}, so its Examples do not "
            f"have them: {listing(missing)}"
        ]

    def _input(self, spec: TensorSpec) -> tuple[InputBinding, list[str]]:
        given = self.feed.get(spec.name)
        if unusable := unusable_type(spec):
            return InputBinding(spec, ()), [unusable]
        examples = self._examples(spec)
        if examples.given and given is not None:
            return InputBinding(spec, ()), [
                "feed names both the input and its features; leave out one of them"
            ]
        if examples.given or (given is None and self._has_features(examples)):
            return self._example(examples)
        if given is None and spec.default is not None and self.fitting.find(spec.name) is None:
            given = Constant(spec.default)
        if isinstance(given, Constant):
            problem = constants.misfit(given, spec)
            return InputBinding(spec, (), constant=given), [problem] if problem else []
        names, misfits = self._given(spec, given) if given is not None else self._found(spec)
        is_one = len(names) == 1 and given is not None and not isinstance(given, str)
        bound = InputBinding(spec, names, self.fitting.narrow, is_vector_of_one=is_one)
        return bound, misfits

    def _examples(self, spec: TensorSpec) -> ExampleFeeding:
        given = features_in(self.feed, spec.name, self.signature.example_inputs)
        return ExampleFeeding(spec, given, self.fitting)

    def _has_features(self, examples: ExampleFeeding) -> bool:
        """Whether columns are named like features, and no other column has serialized Examples."""
        spec, named = examples.spec, examples.found.values()
        if not named or self.fitting.find(spec.name) is not None:
            return False
        others = (column for name, column in self.fitting.columns.items() if name not in named)
        is_serialized = [column.arrow in (pa.binary(), pa.large_binary()) for column in others]
        return not self._is_only(spec) or sum(is_serialized) != 1

    def _example(self, examples: ExampleFeeding) -> tuple[InputBinding, list[str]]:
        """Return the features of an input with their columns, and the mismatches."""
        misfits: list[str] = []
        features = tuple(
            InputBinding(spec, (column,), self.fitting.narrow)
            for spec, column in examples.bound(misfits)
        )
        columns = tuple(dict.fromkeys(one.columns[0] for one in features))
        return InputBinding(examples.spec, columns, features=features), misfits

    def _given(
        self, spec: TensorSpec, given: str | Sequence[str]
    ) -> tuple[tuple[str, ...], list[str]]:
        """Return the columns that the user named, with their mismatches."""
        listed = not isinstance(given, str)
        names = tuple(
            self.fitting.find(name) or name for name in (given if listed else [str(given)])
        )
        return names, self.fitting.misfits(spec, names, listed=listed)

    def _found(self, spec: TensorSpec) -> tuple[tuple[str, ...], list[str]]:
        """Return the column for an input that is not in `feed`, with its mismatches."""
        own = self.fitting.find(spec.name)
        if own is not None:
            return (own,), self.fitting.misfits(spec, (own,))
        if spec.shape == ():
            hint = self.fitting.terms.constant.format(input=spec.name)
            return (), [f"it is a scalar, the same for every row: give it a value with {hint}"]
        if not self._is_only(spec):
            near = did_you_mean(spec.name, self.fitting.columns)
            return (), [f"no column of that name and no feed for it.{near}"]
        return self._single(spec)

    def _is_only(self, spec: TensorSpec) -> bool:
        """Whether no other input has a batch dimension."""
        return all(other.shape == () for other in self.signature.inputs if other.name != spec.name)

    def _single(self, spec: TensorSpec) -> tuple[tuple[str, ...], list[str]]:
        """Return the only column that fits the only input; prefer columns that are not rounded."""
        features = self._examples(spec).found.values()
        others = [name for name in self.fitting.columns if name not in features]
        fitting = [name for name in others if not self.fitting.misfits(spec, (name,))]
        dtype = dtypes.by_name(spec.dtype)
        exact = [
            name
            for name in fitting
            if dtypes.conversion(self.fitting.element(name), dtype) in ("exact", "widen")
        ]
        best = exact or fitting
        if len(best) == 1:
            return tuple(best), []
        if best:
            several = f"{len(best)} columns fit: {listing(best[:SHOWN])}"
            return (), [f"no column of that name, and {several}"]
        near = list(self.fitting.columns)
        if len(near) > 1:
            near = [name for name in near if not self.fitting.misfits(spec, (name,), narrow=True)]
        nowhere = [f"no column of that name and none that fits {wanted(spec)}"]
        return (), [
            problem for name in near for problem in self.fitting.misfits(spec, (name,))
        ] or nowhere
