"""Binds a signature to columns, or lists every mismatch in one error. Driver and executor.

Runs on the driver before any task. For column functions it runs on an executor, because only Spark
knows the types of their arguments. The result is a `Binding`, which the runner uses without further
checks, or a `BindingError`.

Invariants: names come from the signature, never from graph nodes; columns are bound by name, never
by position; every mismatch of types is found here, so that only values can fail later.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from tfspark import dtypes
from tfspark.columns import Columns, describe
from tfspark.errors import BindingError, did_you_mean, explain_all, listing, shortened
from tfspark.features import key_of, parts_of
from tfspark.feeding import NO_INPUTS, Feed, Feeding, InputBinding
from tfspark.fetching import Fetch, OutputBinding, fetch_outputs
from tfspark.fitting import Fitting, unusable_type
from tfspark.options import DEFAULTS, OnError, OnNull, ScoreOptions
from tfspark.row_warnings import warnings_of
from tfspark.rows import REASON_TYPE, is_fitting, null_rule
from tfspark.signature import Signature, TensorSpec
from tfspark.terms import PYTHON, Terms

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Binding:
    """A checked plan: which columns feed which inputs, which outputs become which columns.

    Attributes:
        inputs: The bound inputs, in the order of the signature.
        outputs: The fetched outputs, in the order of `fetch`; without it, of the signature.
        batch_dimension: The fixed number of rows of a batch; `None` if it is open.
        row_by_row: Whether the signature has no batch dimension, so that the model runs once for
            each row. The specs of inputs and outputs then have an added dimension 0.
        rounded: One text for each column whose numbers are rounded to the model's precision.
        warnings: Warnings about how this model scores rows.
        terms: How the caller spells options.
        on_error: What happens to a bad row: `raise` or `null`.
        reason: The column that says why a row is bad, after the outputs; `None` for no such column.
    """

    inputs: tuple[InputBinding, ...]
    outputs: tuple[OutputBinding, ...]
    batch_dimension: int | None
    row_by_row: bool = False
    rounded: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    terms: Terms = PYTHON
    on_error: OnError = "raise"
    reason: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are fed, each once, in order of first use."""
        return tuple(dict.fromkeys(name for bound in self.inputs for name in bound.columns))

    @property
    def output_fields(self) -> list[dtypes.ArrowField]:
        """Arrow fields of the prediction columns, then of the reason column; all are nullable."""
        reasons = [] if self.reason is None else [pa.field(self.reason, REASON_TYPE)]
        return [*(output.field for output in self.outputs), *reasons]

    def log(self) -> None:
        """Log the rounded columns and the warnings, once."""
        if self.rounded:
            _log.info("numbers are rounded to the model's precision: %s", "; ".join(self.rounded))
        for warning in self.warnings:
            _log.warning(warning)


def bind(
    signature: Signature,
    columns: Columns,
    *,
    feed: Feed | None = None,
    fetch: Fetch | None = None,
    options: ScoreOptions = DEFAULTS,
    taken: Sequence[str] = (),
    case_sensitive: bool = False,
    terms: Terms = PYTHON,
    hint: str = "",
    problems: list[str] | None = None,
) -> Binding:
    """Check a signature against columns and return the plan to score them.

    Args:
        signature: The signature of the model.
        columns: The available columns, by name.
        feed: Input name → column, list of scalar columns to stack into one vector, or `Constant`;
            or `INPUT.FEATURE` → column, for an input of Examples. By default an input takes the
            column with its name; a single input takes the only column of a suitable type. Features
            that the graph parses take the columns with their names.
        fetch: Output name → new column. By default every output keeps its name.
        options: Uses `narrow`, `strings`, `on_null`, `on_error`, `reason` and `batch_size`. A
            model whose outputs have a first dimension of 1 can be scored only with `batch_size=1`.
        taken: Names of the kept columns, which no prediction may use.
        case_sensitive: Whether names must match the case of columns exactly.
        terms: How the caller spells options, for the hints.
        hint: Replaces the default hint.
        problems: Receives the mismatches; by default they are raised. A binding with mismatches
            cannot score.

    Returns:
        The binding; after this, only values can cause errors.

    Raises:
        BindingError: Lists all mismatches in one message.
    """
    by_rows, own = signature.is_row_by_row, signature
    signature = signature.by_rows() if by_rows else signature
    found = [*_unknown_inputs(feed or {}, signature), *_fed_twice(signature)]
    fitting = Fitting(columns, options.narrow, case_sensitive, terms)
    feeding = Feeding(signature, feed or {}, fitting)
    inputs = _with_null_rules(feeding.bound(found), columns, options.on_null, found)
    rows = _fixed_rows(signature.inputs, found)
    fixed = rows or _only_one(options.batch_size)
    outputs = fetch_outputs(signature, fetch, options.strings, taken, fixed, terms, found)
    found += _taken_reason(options.reason, [*taken, *(one.column for one in outputs)])
    fetched = {one.spec.name for one in outputs}
    warnings = warnings_of(own, batch_size=options.batch_size, outputs=fetched, terms=terms)
    if problems is not None:
        problems += found
    elif found:
        raise _unfit(signature, columns, found, hint or _by_name(signature, terms))
    return Binding(
        tuple(inputs),
        tuple(outputs),
        rows,
        by_rows,
        tuple(sentence for bound in inputs for sentence in feeding.rounded(bound)),
        (*warnings, *(text for bound in inputs for text in feeding.left_out(bound))),
        terms,
        options.on_error,
        options.reason,
    )


def _by_name(signature: Signature, terms: Terms) -> str:
    return f"bind by name, such as {_example(signature, terms)}."


def _unfit(
    signature: Signature, columns: Columns, problems: Sequence[str], hint: str
) -> BindingError:
    title = f"Signature {signature.name!r} does not fit the columns"
    hint += f" Available columns: {describe(columns)}."
    return BindingError(explain_all(title, problems, hint=hint))


def bind_outputs(
    signature: Signature,
    *,
    fetch: Fetch | None = None,
    options: ScoreOptions = DEFAULTS,
    terms: Terms = PYTHON,
) -> tuple[OutputBinding, ...]:
    """Check the outputs and the input types, for an API that does not know the columns yet.

    Raises:
        BindingError: Lists all mismatches in one message.
    """
    problems = [] if signature.inputs else [NO_INPUTS]
    problems += _fed_twice(signature)
    signature = signature.by_rows() if signature.is_row_by_row else signature
    rows = _fixed_rows(signature.inputs, problems) or _only_one(options.batch_size)
    outputs = fetch_outputs(signature, fetch, options.strings, (), rows, terms, problems)
    problems += _taken_reason(options.reason, [one.column for one in outputs])
    problems += [
        f"input {spec}: {unusable}"
        for spec in signature.inputs
        if (unusable := unusable_type(spec))
    ]
    if problems:
        title = f"Signature {signature.name!r} cannot be called with columns"
        raise BindingError(explain_all(title, problems))
    return tuple(outputs)


def kept_columns(columns: Sequence[str], keep: Sequence[str] | None) -> list[str]:
    """Return the columns to keep beside the predictions: those of `keep`, by default all.

    Raises:
        BindingError: When a column to keep does not exist.
    """
    if keep is None:
        return list(columns)
    unknown = [name for name in keep if name not in columns]
    if unknown:
        raise BindingError(
            explain_all(
                "Columns to keep do not exist",
                [f"no column {name!r}.{did_you_mean(name, columns)}" for name in unknown],
                hint=f"available columns: {', '.join(shortened(columns))}.",
            )
        )
    return list(dict.fromkeys(keep))


def _with_null_rules(
    inputs: Sequence[InputBinding], columns: Columns, on_null: OnNull, problems: list[str]
) -> list[InputBinding]:
    """Add the rule for nulls to each input; check the fill against each of its columns."""
    ruled = [_with_null_rule(bound, on_null) for bound in inputs]
    fills: dict[str, Any] = {}
    parts = [part for rule in ruled for part in rule.parts]
    problems += [
        f"input {rule.spec}: on_null fills the features of Examples, such as "
        f"{rule.features[0].spec.name!r}, not the input"
        for rule in ruled
        if rule.features and isinstance(on_null, Mapping) and rule.spec.name in on_null
    ]
    for bound, name in [(part, name) for part in parts for name in part.columns]:
        fill, arrow, label = bound.nulls.fill, columns[name].arrow, columns[name].label
        if repr(fills.setdefault(name, fill)) != repr(fill):  # repr, because NaN != NaN
            problems.append(f"column {name!r} feeds two inputs, and on_null gives it two fills")
        if fill is not None and arrow is not None and not is_fitting(fill, arrow):
            problems.append(
                f"input {bound.spec}: on_null is {fill!r}, which does not fit column {name!r} "
                f"of {label}; cast the column, or give another value"
            )
    return ruled


def _with_null_rule(bound: InputBinding, on_null: OnNull) -> InputBinding:
    """Add the rule for nulls to an input, or to each of its features."""
    if not bound.features:
        return replace(bound, nulls=null_rule(on_null, bound.spec))
    features = tuple(_with_null_rule(one, on_null) for one in bound.features)
    return replace(bound, features=features)


def _taken_reason(reason: str | None, taken: Sequence[str]) -> list[str]:
    """Return a mismatch for each column that already has the name of the reason column."""
    same = [name for name in taken if reason is not None and name.lower() == reason.lower()]
    return [f"reason is {reason!r}, and the column {name!r} already exists" for name in same]


def _fixed_rows(inputs: Sequence[TensorSpec], problems: list[str]) -> int | None:
    """Return the number of rows that every batch must have; `None` if it is open."""
    fixed = {spec.batch_dimension for spec in inputs if spec.batch_dimension is not None}
    if len(fixed) > 1:
        sizes = ", ".join(map(str, sorted(fixed)))
        problems.append(f"the inputs disagree on the fixed number of rows of a batch: {sizes}")
    return fixed.pop() if len(fixed) == 1 else None


def _fed_twice(signature: Signature) -> list[str]:
    """Say which inputs are the same tensor; a session accepts each tensor only once."""
    names: dict[str, list[str]] = {}
    for spec in signature.inputs:
        names.setdefault(spec.tensor or spec.name, []).append(spec.name)
    return [
        f"inputs {listing(same)} are the same tensor of the graph, so TensorFlow takes one value "
        "for them; export the model with one input"
        for same in names.values()
        if len(same) > 1
    ]


def _unknown_inputs(feed: Feed, signature: Signature) -> list[str]:
    names = [spec.name for spec in signature.inputs]
    return [
        f"feed names {name!r}, which is not an input of the signature ({listing(names)})."
        f"{did_you_mean(name, names)}"
        for name in feed
        if parts_of(name, signature.example_inputs)[0] not in names
    ]


def _only_one(batch_size: int | None) -> int | None:
    """Return 1 for a batch size of 1; with any other size, the last batch may have fewer rows."""
    return 1 if batch_size == 1 else None


def _example(signature: Signature, terms: Terms) -> str:
    name = signature.inputs[0].name if signature.inputs else "INPUT"
    if signature.inputs and signature.inputs[0].features:
        name = key_of(name, signature.inputs[0].features[0].name)
    return terms.feed.format(input=name, column="COLUMN")
