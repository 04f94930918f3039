"""Several models that score the same rows, and their bindings. Driver and executor.

Each model has a key. The columns of its outputs, and of its reason, begin with the key and `_`.
Each model is bound on its own, with its own feed, fetch and options. All mismatches of all models
are listed in one error, and each line names the key of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from tfspark import dtypes
from tfspark.columns import Columns, describe
from tfspark.engine_choice import EngineChoice
from tfspark.errors import BindingError, explain_all
from tfspark.feeding import Feed
from tfspark.fetching import Fetch, OutputBinding
from tfspark.options import ScoreOptions
from tfspark.package import ModelPackage
from tfspark.schema import Binding, bind
from tfspark.signature import Signature
from tfspark.terms import PYTHON, Terms

# The difference of two outputs that are both called `y` is the column `difference_y`.
_DIFFERENCE = "difference_"


@dataclass(frozen=True)
class NamedModel:
    """One of the models that score the same rows.

    Attributes:
        key: Its name in messages and the prefix of its columns; empty for a single model.
        package: The model.
        options: How to score.
        feed: Input → column, columns or constant.
        fetch: Output → column, without the prefix; `None` for all outputs under their own names.
        choice: The engine that was chosen on some rows of the input, if the caller asked for the
            fastest one.
    """

    key: str
    package: ModelPackage
    options: ScoreOptions
    feed: Feed
    fetch: Fetch | None = None
    choice: EngineChoice | None = None

    @property
    def fetched(self) -> Fetch | None:
        """Output → column, with the prefix."""
        if not self.key:
            return self.fetch
        own = {spec.name: spec.name for spec in self.package.signature.outputs}
        chosen = own if self.fetch is None else self.fetch
        return {output: f"{self.key}_{column}" for output, column in chosen.items()}

    def prefixed(self) -> NamedModel:
        """Return the same model with the prefix in the name of the reason column."""
        if not self.key or self.options.reason is None:
            return self
        return replace(
            self, options=replace(self.options, reason=f"{self.key}_{self.options.reason}")
        )


@dataclass(frozen=True)
class Difference:
    """A column with the prediction of the second model minus that of the first, as doubles.

    Attributes:
        column: Its name.
        first: Position of the first model's column among all new columns.
        second: Position of the second model's column.
        depth: Levels of arrays.
    """

    column: str
    first: int
    second: int
    depth: int

    @property
    def arrow(self) -> pa.DataType:
        """The type of the column."""
        return dtypes.nested(pa.float64(), self.depth)


@dataclass(frozen=True)
class BoundModels:
    """Models that score the same rows, their bindings and the differences of their outputs."""

    models: tuple[NamedModel, ...]
    bindings: tuple[Binding, ...]
    differences: tuple[Difference, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are fed, each once."""
        return tuple(dict.fromkeys(name for one in self.bindings for name in one.columns))

    @property
    def signatures(self) -> list[Signature]:
        """The signature of each model."""
        return [model.package.signature for model in self.models]

    @property
    def fields(self) -> list[dtypes.ArrowField]:
        """Arrow fields of all new columns."""
        added = [field for one in self.bindings for field in one.output_fields]
        return [*added, *(pa.field(one.column, one.arrow) for one in self.differences)]

    @property
    def rounded(self) -> tuple[str, ...]:
        """One text for each column whose numbers are rounded to the precision of a model."""
        return tuple(dict.fromkeys(text for one in self.bindings for text in one.rounded))

    @property
    def predictions(self) -> dict[str, pa.DataType]:
        """Name → Arrow type of the outputs of each model, then of the differences."""
        outputs = {out.column: out.arrow for one in self.bindings for out in one.outputs}
        return outputs | {one.column: one.arrow for one in self.differences}

    @property
    def watched(self) -> str:
        """The last output of the last model; it is null in rows that this model did not score."""
        return self.bindings[-1].outputs[-1].column

    def log(self) -> None:
        """Log the rounded columns and the warnings of each model."""
        for binding in self.bindings:
            binding.log()


def bind_each(
    models: Sequence[NamedModel],
    columns: Sequence[Columns],
    *,
    taken: Sequence[str] = (),
    case_sensitive: bool = False,
    terms: Terms = PYTHON,
    difference: bool = False,
) -> BoundModels:
    """Bind each model to the columns.

    Args:
        models: The models; one with an empty key is bound as by `tfspark.schema.bind`.
        columns: For each model, the columns that can feed it.
        taken: Names of the kept columns.
        case_sensitive: Whether names must match the case of columns exactly.
        terms: How the caller spells options.
        difference: Whether the outputs of two models are subtracted.

    Raises:
        BindingError: Lists all mismatches of all models.
    """
    models = [model.prefixed() for model in models]
    problems: list[str] = []
    bindings: list[Binding] = []
    used = list(taken)
    for model, known in zip(models, columns, strict=True):
        misfits: list[str] = []
        binding = bind(
            model.package.signature,
            known,
            taken=used,
            terms=terms,
            problems=misfits if model.key else None,
            case_sensitive=case_sensitive,
            feed=model.feed,
            fetch=model.fetched,
            options=model.options,
        )
        problems += [f"model {model.key!r}: {problem}" for problem in misfits]
        used += [field.name for field in binding.output_fields]
        bindings.append(binding)
    if problems:
        hint = f"each model takes its own feed. Available columns: {describe(columns[0])}."
        raise BindingError(explain_all("The models do not fit the columns", problems, hint=hint))
    found = _differences(models, bindings, taken) if difference else ()
    return BoundModels(tuple(models), tuple(bindings), found)


def _differences(
    models: Sequence[NamedModel], bindings: Sequence[Binding], taken: Sequence[str]
) -> tuple[Difference, ...]:
    """Return a difference for each output of numbers that both of two models have."""
    if len(models) != 2:
        problem = f"a difference needs two models, found {len(models)}"
        raise BindingError(explain_all("The models have no difference", [problem]))
    first, second = (_by_base(*pair) for pair in zip(models, bindings, strict=True))
    start = len(bindings[0].output_fields)
    found = [
        Difference(_DIFFERENCE + base, at, start + second[base][0], dtypes.element_of(one.arrow)[1])
        for base, (at, one) in first.items()
        if base in second and _has_difference(one, second[base][1])
    ]
    used = [*taken, *(field.name for one in bindings for field in one.output_fields)]
    there = {name.lower(): name for name in used}
    problems = [
        f"there is already a column {there[one.column.lower()]!r}"
        for one in found
        if one.column.lower() in there
    ]
    if not found:
        outputs = "; ".join(
            f"model {model.key!r} has {', '.join(map(str, model.package.signature.outputs))}"
            for model in models
        )
        problems = [f"the models have no output of numbers in common: {outputs}"]
    if problems:
        raise BindingError(explain_all("The models have no difference", problems))
    return tuple(found)


def _by_base(model: NamedModel, binding: Binding) -> Mapping[str, tuple[int, OutputBinding]]:
    """Return the column of each output without the prefix → its position and binding."""
    width = len(f"{model.key}_")
    return {one.column[width:]: (at, one) for at, one in enumerate(binding.outputs)}


def _has_difference(first: OutputBinding, second: OutputBinding) -> bool:
    (one, depth), (other, same) = (dtypes.element_of(each.arrow) for each in (first, second))
    return depth == same and _is_number(one) and _is_number(other)


def _is_number(arrow: pa.DataType) -> bool:
    is_plain = pa.types.is_floating(arrow) or pa.types.is_integer(arrow)
    return is_plain or dtypes.is_decimal(arrow)
