"""The binding of a signature to columns: every user error about names, types and lengths, at once.

In come a `Signature`, the columns at hand, `feed` and `fetch`; out goes a `Binding` that the runner
follows without asking again, or one `BindingError` that lists every mismatch. Runs on the driver
before any task (and on an executor for column functions, whose argument types only Spark knows).

Invariants: names come from the signature, never from graph nodes; nothing is bound by position;
what can be refused from types alone is refused here, so that only values can fail later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from tfspark import dtypes
from tfspark.errors import BindingError, did_you_mean, explain_all, listing
from tfspark.nulls import GIVES_NULL, NullRule, OnNull, is_fitting, null_rule
from tfspark.signature import Signature, TensorSpec, format_shape

Feed: TypeAlias = Mapping[str, str | Sequence[str]]
Fetch: TypeAlias = Mapping[str, str]
Strings: TypeAlias = Literal["string", "binary"]

# Columns that a message lists; a table may have thousands.
_SHOWN = 30

# In words that fit keyword arguments and flags alike.
_BY_NAME = "bind by name: feed gives an input its column or columns, fetch an output its column."


@dataclass(frozen=True)
class Column:
    """A column at hand: its Arrow type, `None` when it cannot be fed, and what users call it."""

    arrow: pa.DataType | None
    label: str


Columns: TypeAlias = Mapping[str, Column]


@dataclass(frozen=True)
class InputBinding:
    """One input and the columns that feed it: one column, or scalar columns stacked in order."""

    spec: TensorSpec
    columns: tuple[str, ...]
    narrow: bool = False
    nulls: NullRule = GIVES_NULL

    @property
    def is_stacked(self) -> bool:
        """Whether several scalar columns make one vector."""
        return len(self.columns) > 1


@dataclass(frozen=True)
class OutputBinding:
    """One output, the column it becomes and that column's Arrow type."""

    spec: TensorSpec
    column: str
    arrow: pa.DataType


@dataclass(frozen=True)
class Binding:
    """A checked plan: which columns feed which inputs, which outputs become which columns.

    Attributes:
        inputs: In the signature's order.
        outputs: In the order of `fetch`, else of the signature.
        batch_dimension: The fixed number of rows the model wants, or `None` for any number.
    """

    inputs: tuple[InputBinding, ...]
    outputs: tuple[OutputBinding, ...]
    batch_dimension: int | None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are fed, each once, in order of first use."""
        return tuple(dict.fromkeys(name for one in self.inputs for name in one.columns))

    @property
    def output_fields(self) -> list[dtypes.ArrowField]:
        """Arrow fields of the prediction columns; nullable, because a null input gives null."""
        return [pa.field(output.column, output.arrow) for output in self.outputs]


def columns_of(schema: pa.Schema) -> dict[str, Column]:
    """Return the columns of an Arrow schema; of equal names, none can be fed."""
    times = Counter(schema.names)
    return {
        field.name: Column(None, f"there {times[field.name]} times")
        if times[field.name] > 1
        else _column(field.type)
        for field in schema
    }


def _column(arrow: pa.DataType) -> Column:
    element, _ = dtypes.element_of(arrow)
    is_feedable = dtypes.is_bytes(element) or dtypes.numpy_type(element) is not None
    return Column(arrow if is_feedable else None, dtypes.sql_name(arrow))


def bind(
    signature: Signature,
    columns: Columns,
    *,
    feed: Feed | None = None,
    fetch: Fetch | None = None,
    narrow: bool = False,
    strings: Strings = "string",
    on_null: OnNull = "null",
    taken: Sequence[str] = (),
    hint: str = _BY_NAME,
) -> Binding:
    """Check a signature against columns and return the plan to score them.

    Args:
        signature: What the model takes and gives.
        columns: The columns at hand, by name.
        feed: Input name → column, or → list of scalar columns to stack into one vector. An input
            left out takes the column of its own name; a single input takes the single column of a
            fitting type.
        fetch: Output name → new column. Left out: every output, under its own name.
        narrow: Allow conversions that may not keep a value (double → float, bigint → int); a value
            out of range is then an error of its row, never a wrapped number.
        strings: Spark type of DT_STRING outputs.
        on_null: `null`: a row with a null in an input gives null; `error`: it ends the scoring;
            a value, or input → value: it is fed in place of the null.
        taken: Names of columns that will stand beside the predictions.
        hint: The next step for who calls, above the columns at hand.

    Returns:
        The binding; scoring can then fail on values only.

    Raises:
        BindingError: With all mismatches in one message.
    """
    problems: list[str] = []
    feed = feed or {}
    problems += _unknown("feed", "input", feed, [spec.name for spec in signature.inputs])
    inputs = _bind_inputs(signature, columns, feed, narrow, problems)
    inputs = _with_null_rules(inputs, columns, on_null, problems)
    outputs = _bind_outputs(signature, fetch, strings, taken, problems)
    given = (spec.batch_dimension for spec in signature.inputs)
    fixed = {rows for rows in given if rows is not None}
    if len(fixed) > 1:
        sizes = ", ".join(map(str, sorted(fixed)))
        problems.append(f"the inputs disagree on the fixed number of rows of a batch: {sizes}")
    if problems:
        raise BindingError(
            explain_all(
                f"Signature {signature.name!r} does not fit the columns",
                problems,
                hint=f"{hint} Columns at hand: {_describe(columns)}.",
            )
        )
    return Binding(tuple(inputs), tuple(outputs), fixed.pop() if fixed else None)


def kept_columns(columns: Sequence[str], keep: Sequence[str] | None) -> list[str]:
    """Return the columns that stand beside the predictions: those of `keep`, by default all.

    Raises:
        BindingError: When one to keep is not there.
    """
    if keep is None:
        return list(columns)
    unknown = [name for name in keep if name not in columns]
    if unknown:
        raise BindingError(
            explain_all(
                "Columns to keep are not there",
                [f"no column {name!r}.{did_you_mean(name, columns)}" for name in unknown],
                hint=f"columns at hand: {', '.join(columns)}.",
            )
        )
    return list(dict.fromkeys(keep))


def bind_outputs(
    signature: Signature, *, fetch: Fetch | None = None, strings: Strings = "string"
) -> tuple[OutputBinding, ...]:
    """Check the outputs alone, for a face that learns its columns only on the executor.

    Raises:
        BindingError: With all mismatches in one message.
    """
    problems: list[str] = []
    outputs = _bind_outputs(signature, fetch, strings, (), problems)
    if problems:
        raise BindingError(explain_all(f"Signature {signature.name!r} gives no columns", problems))
    return tuple(outputs)


def _bind_inputs(
    signature: Signature, columns: Columns, feed: Feed, narrow: bool, problems: list[str]
) -> list[InputBinding]:
    bound = []
    if not signature.inputs:
        problems.append("the signature has no inputs, so there is nothing to score a row with")
    for spec in signature.inputs:
        unusable = _unusable(spec)
        names, misfits = (
            ((), [unusable]) if unusable else _find(spec, signature, columns, feed, narrow)
        )
        if not misfits:
            bound.append(InputBinding(spec, names, narrow))
        problems += [f"input {spec}: {misfit}" for misfit in misfits]
    return bound


def _with_null_rules(
    inputs: Sequence[InputBinding], columns: Columns, on_null: OnNull, problems: list[str]
) -> list[InputBinding]:
    """Give each input its rule, and check that its fill is a value of each of its columns."""
    ruled = [replace(one, nulls=null_rule(on_null, one.spec.name)) for one in inputs]
    fills: dict[str, Any] = {}
    for bound, name in [(one, name) for one in ruled for name in one.columns]:
        fill, arrow, label = bound.nulls.fill, columns[name].arrow, columns[name].label
        if repr(fills.setdefault(name, fill)) != repr(fill):  # as NaN is not equal to itself
            problems.append(f"on_null gives column {name!r}, which feeds two inputs, two fills")
        if fill is not None and arrow is not None and not is_fitting(fill, arrow):
            problems.append(
                f"input {bound.spec}: on_null is {fill!r}, which is no value for column {name!r} "
                f"of {label}; cast the column, or fill with another"
            )
    return ruled


def _unusable(spec: TensorSpec) -> str | None:
    """Say why no column at all can pass to or from a tensor of this spec."""
    reason = dtypes.unsupported(spec.dtype)
    if reason:
        return f"type {spec.dtype} cannot pass between Spark and a model: {reason}"
    if not spec.is_batched:
        return "it is a scalar without a dimension for the rows, so it cannot be a column"
    return None


def _find(
    spec: TensorSpec, signature: Signature, columns: Columns, feed: Feed, narrow: bool
) -> tuple[tuple[str, ...], list[str]]:
    """Return the columns of one input, and the problems that leave it without."""

    def misfits(*names: str, narrow: bool = narrow) -> list[str]:
        return _misfits(spec, names, columns, narrow)

    if spec.name in feed:
        given = feed[spec.name]
        if isinstance(given, str):
            return (given,), misfits(given)
        return tuple(given), _misfits(spec, tuple(given), columns, narrow, listed=True)
    if spec.name in columns:
        return (spec.name,), misfits(spec.name)
    if len(signature.inputs) > 1:
        return (), [f"no column of that name and no feed for it.{did_you_mean(spec.name, columns)}"]
    fitting = tuple(name for name in columns if not misfits(name))
    if len(fitting) == 1:
        return fitting, []
    if fitting:
        several = f"{len(fitting)} columns fit: {listing(fitting[:_SHOWN])}"
        return (), [f"no column of that name, and {several}"]
    near = list(columns)
    if len(columns) > 1:
        near = [name for name in columns if not misfits(name, narrow=True)]
    nowhere = [f"no column of that name and none that fits {_wanted(spec)}"]
    return (), [problem for name in near for problem in misfits(name)] or nowhere


def _misfits(
    spec: TensorSpec,
    names: Sequence[str],
    columns: Columns,
    narrow: bool,
    *,
    listed: bool = False,
) -> list[str]:
    """Say why these columns cannot feed this input; nothing when they can."""
    if not names:
        return ["the list of columns is empty"]
    is_stack = len(names) > 1
    found = (
        _column_misfit(spec, name, columns, narrow, is_stack=is_stack, listed=listed)
        for name in dict.fromkeys(names)
    )
    problems = [problem for problem in found if problem]
    if is_stack and spec.row_shape not in (None, (None,)) and spec.row_size != len(names):
        count = f"{len(names)} columns: {listing(names)}"
        problems.append(f"expected {_wanted(spec)}, found {count}")
    return problems


def _column_misfit(
    spec: TensorSpec, name: str, columns: Columns, narrow: bool, *, is_stack: bool, listed: bool
) -> str | None:
    if name not in columns:
        return f"there is no column {name!r}.{did_you_mean(name, columns)}"
    label, arrow = columns[name].label, columns[name].arrow
    if arrow is None:
        return f"column {name!r} is {label} and cannot be fed; cast or rename it first"
    if is_stack and dtypes.is_list(arrow):
        return f"column {name!r} is {label}; only scalar columns can be stacked"
    dtype = dtypes.by_name(spec.dtype)
    element, depth = dtypes.element_of(arrow)
    how = dtypes.conversion(element, dtype)
    wanted = dtype.sql if is_stack else _wanted(spec)
    if how is None or not (is_stack or _has_depth(spec, depth, listed)):
        return f"expected {wanted}, found column {name!r} of {label}"
    if how == "narrow" and not narrow:
        return (
            f"expected {wanted}, found column {name!r} of {label}, whose values may not fit "
            f"{dtype.sql}; cast the column, or allow it with the option narrow"
        )
    return None


def _has_depth(spec: TensorSpec, depth: int, listed: bool) -> bool:
    """Whether a column of that many levels of lists can hold rows of the input."""
    row = spec.row_shape
    if row is None or depth == len(row):
        return True
    if depth == 0:
        # A vector of any length takes a scalar only when a list says that it is to be stacked.
        return row == (1,) or (listed and row == (None,))
    return depth == 1 and spec.row_size is not None and len(row) > 1


def _bind_outputs(
    signature: Signature,
    fetch: Fetch | None,
    strings: Strings,
    taken: Sequence[str],
    problems: list[str],
) -> list[OutputBinding]:
    specs = {spec.name: spec for spec in signature.outputs}
    wanted = {name: name for name in specs} if fetch is None else dict(fetch)
    leave_out = "; name only the others in fetch" if fetch is None and len(specs) > 1 else ""
    problems += _unknown("fetch", "output", wanted, specs)
    used = {name.lower(): name for name in taken}
    if not wanted:
        problems.append("fetch names no output")
    bound = []
    for name, column in wanted.items():
        if name not in specs:
            continue
        spec = specs[name]
        problem = _unusable(spec) or _no_column_type(spec)
        if problem is not None:
            problem += leave_out
        elif column.lower() in used:
            problem = f"a column {used[column.lower()]!r} is there already; rename it with fetch"
        if problem is None:
            bound.append(OutputBinding(spec, column, _arrow_type(spec, strings)))
            used[column.lower()] = column
        else:
            problems.append(f"output {spec}: {problem}")
    return bound


def _no_column_type(spec: TensorSpec) -> str | None:
    if spec.row_shape is None:
        return (
            "its rank is unknown, so it has no column type; fix the rank with tf.ensure_shape "
            "before the export"
        )
    return None


def _arrow_type(spec: TensorSpec, strings: Strings) -> pa.DataType:
    dtype = dtypes.by_name(spec.dtype)
    element = pa.binary() if dtype.is_string and strings == "binary" else dtype.arrow
    row = spec.row_shape or ()
    return dtypes.nested(element, 0 if row == (1,) else len(row))


def _unknown(
    option: str, kind: str, given: Iterable[str], known: Sequence[str] | Mapping[str, object]
) -> list[str]:
    return [
        f"{option} names {name!r}, which is no {kind} of the signature ({listing(known)})."
        f"{did_you_mean(name, known)}"
        for name in given
        if name not in known
    ]


def _wanted(spec: TensorSpec) -> str:
    """Say in Spark's words which column feeds an input."""
    row = spec.row_shape
    if not row:
        return spec.sql
    either = f"{spec.sql} or {dtypes.arrays_of(spec.sql, 1)}" if row == (1,) else spec.sql
    return f"{either} of shape {format_shape(row)}"


def _describe(columns: Columns) -> str:
    shown = [f"{name} {column.label}" for name, column in columns.items()][:_SHOWN]
    rest = [f"and {len(columns) - _SHOWN} more"] if len(columns) > _SHOWN else []
    return ", ".join([*shown, *rest]) or "none"
