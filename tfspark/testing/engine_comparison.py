"""Times the installed engines on rows of the caller, and compares their answers.

It does what `engine="fastest"` does in a worker, in this process and without Spark, and prints the
result as a table. TensorFlow or OpenVINO must be installed; with only one, nothing is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tfspark.columns import columns_of
from tfspark.engine import Engine
from tfspark.engine_choice import EngineChoice
from tfspark.engine_trial import choose_engine
from tfspark.errors import UsageError, explain
from tfspark.feeding import Feed
from tfspark.handle import ModelHandle
from tfspark.options import EngineName
from tfspark.origin import Origin
from tfspark.package import ModelPackage, load
from tfspark.schema import bind
from tfspark.standard_streams import write_out


def compare_engines(
    model: str | Path | ModelPackage,
    rows: Mapping[str, Sequence[Any]] | pa.Table | pa.RecordBatch,
    *,
    feed: Feed | None = None,
) -> EngineChoice:
    """Time the installed engines, print a table, and return the choice.

    Args:
        model: An export dir, a base path (its newest version), or a loaded `ModelPackage`.
        rows: At least one row: column → values, or Arrow data.
        feed: Input → column, or columns to stack; by default as in `predict`.

    Raises:
        UsageError: When there are no rows.
        BindingError: When inputs and columns do not match.
        EngineError: When no engine can run the model, or two engines give different answers.

    Example:
        >>> compare_engines("models/linear_model", {"features": [[1.0, 2.0]]})  # doctest: +SKIP
        engine    rows/s       of auto
        auto      120,000,000     1.00  chosen
        openvino   90,000,000     0.75
    """
    package = model if isinstance(model, ModelPackage) else load(model)
    batch = _batch(rows)
    binding = bind(package.signature, columns_of(batch.schema), feed=feed or {})
    handle = ModelHandle.of(package)
    opened: list[Engine] = []

    def open_engine(name: EngineName) -> Engine:
        opened.append(handle.with_choice(EngineChoice(name)).open())
        return opened[-1]

    choice = choose_engine(batch, binding, open_engine, Origin(handle.title), handle.size)
    write_out("\n".join(_table(choice)) + "\n")
    return choice


def _batch(rows: Mapping[str, Sequence[Any]] | pa.Table | pa.RecordBatch) -> pa.RecordBatch:
    table = pa.table(dict(rows)) if isinstance(rows, Mapping) else rows
    if not table.num_rows:
        problem = "Engines are timed on rows, and there are none."
        raise UsageError(explain(problem, expected="one row or more"))
    return table if isinstance(table, pa.RecordBatch) else table.combine_chunks().to_batches()[0]


def _table(choice: EngineChoice) -> list[str]:
    first = next(iter(choice.rows_per_second.values()), 1.0)
    lines = [f"{'engine':10}{'rows/s':>15}{'of auto':>10}"]
    for name, rate in choice.rows_per_second.items():
        note = "  chosen" if name == choice.engine else ""
        lines.append(f"{name:10}{rate:>15,.0f}{rate / first:>10.2f}{note}")
    lines += [f"{name:10}is not used: {reason}" for name, reason in choice.refused.items()]
    return lines if choice.rows_per_second else [*lines, f"{choice.engine:10}is the only one"]
