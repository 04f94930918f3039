"""The page of a model in a notebook: inputs, outputs, Spark types, a line to copy. Driver.

Every name in a model comes from outside, so all text is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tfspark.features import key_of
from tfspark.foreign_text import one_line
from tfspark.options import SERVING_DEFAULT
from tfspark.signature import Signature, TensorSpec, format_shape

# A hostile model can have thousands of outputs.
_MOST = 50


def page_of(title: str, path: str, signature: Signature) -> str:
    """Return the page as HTML.

    Args:
        title: Name, version and digest of the model.
        path: The export dir, as the user knows it.
        signature: The selected signature.
    """
    rows = [
        *(_row("input", spec) for spec in signature.inputs[:_MOST]),
        *(_row("output", spec) for spec in signature.outputs[:_MOST]),
    ]
    hidden = len(signature.inputs) + len(signature.outputs) - len(rows)
    more = f"<p>and {hidden} more</p>" if hidden else ""
    head = "".join(f"<th>{name}</th>" for name in ("", "name", "type", "shape", "Spark type"))
    return (
        f"<p><b>{_safe(title)}</b>, signature <code>{_safe(signature.name)}</code></p>"
        f"<table><tr>{head}</tr>{''.join(rows)}</table>{more}"
        f"<pre>{_safe(line_to_copy(path, signature))}</pre>"
    )


def line_to_copy(path: str, signature: Signature) -> str:
    """Return a call of `predict`; inputs without a default take the columns with their names."""
    feed = _pairs([pair for spec in signature.inputs for pair in _fed(spec)])
    fetch = _pairs([(spec.name, spec.name) for spec in signature.outputs])
    chosen = "" if signature.name == SERVING_DEFAULT else f", signature={signature.name!r}"
    return f"tfspark.predict(df, {path!r}, feed={feed}, fetch={fetch}{chosen})"


def sql_to_copy(function: str, signature: Signature) -> str:
    """Return a query that calls the model; inputs without a default take columns by name."""
    columns = [_quoted(column) for spec in signature.inputs for _, column in _fed(spec)]
    is_struct = len(signature.inputs) > 1 or any(spec.features for spec in signature.inputs)
    listed = ", ".join(columns[:_MOST])
    call = f"{function}(struct({listed}))" if is_struct else f"{function}({listed})"
    return f"SELECT *, {call} AS prediction FROM your_table"


def _quoted(column: str) -> str:
    return (
        column if column.isidentifier() and column.isascii() else f"`{column.replace('`', '``')}`"
    )


def _fed(spec: TensorSpec) -> list[tuple[str, str]]:
    """Return the keys of `feed` for an input, with their columns; none if it has a default."""
    if spec.default is not None:
        return []
    features = [(key_of(spec.name, one.name), one.name) for one in spec.features or ()]
    return features or [(spec.name, spec.name)]


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    shown = ", ".join(f"{name!r}: {column!r}" for name, column in pairs[:_MOST])
    return f"{{{shown}}}"


def _row(role: str, spec: TensorSpec) -> str:
    shape = "unknown" if spec.shape is None else format_shape(spec.shape)
    cells = (role, spec.name, spec.dtype, shape, spec.sql)
    return f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in cells)}</tr>"


def _safe(text: str) -> str:
    return escape(one_line(text))
