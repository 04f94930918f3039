"""Warns when rows of a batch may affect each other, or when scoring is slow. Driver and executor.

Only the signature is known, so a warning says what may happen: a model with open sizes may also
compute them from each row alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tfspark.signature import Signature, TensorSpec, format_shape
from tfspark.terms import PYTHON, Terms


def warnings_of(
    signature: Signature,
    *,
    batch_size: int | None = None,
    outputs: Collection[str] | None = None,
    terms: Terms = PYTHON,
) -> list[str]:
    """Return warnings about how the rows of a signature are scored.

    Args:
        signature: The signature, as it is in the model.
        batch_size: Rows per call, if the user gave it.
        outputs: Names of the outputs that are fetched; by default all.
        terms: How the caller spells options.
    """
    if signature.is_row_by_row:
        return [
            f"signature {signature.name!r} has no dimension for rows: the model runs once for each "
            "row, which is slow; export it with a batch dimension"
        ]
    fixed = {spec.batch_dimension for spec in signature.inputs} - {None, 1}
    found = [
        f"signature {signature.name!r} takes batches of exactly {rows} rows: if the model mixes "
        "the rows of a batch, a prediction depends on its neighbours"
        for rows in sorted(rows for rows in fixed if rows is not None)
    ]
    if batch_size == 1 or any(_is_open(spec) for spec in signature.inputs):
        return found
    fetched = (one for one in signature.outputs if outputs is None or one.name in outputs)
    return found + list(_padded(fetched, terms))


def _padded(outputs: Iterator[TensorSpec], terms: Terms) -> Iterator[str]:
    """Warn of sizes that no input has, such as the words of the longest text in a batch."""
    for spec in outputs:
        if spec.shape is not None and _is_open(spec):
            yield (
                f"output {spec.name!r} has an open size, {format_shape(spec.shape)}, and no input "
                "has one: if the model pads its results to the longest row of a batch, a "
                f"prediction depends on its neighbours; {terms.batch_size} scores each row alone"
            )


def _is_open(spec: TensorSpec) -> bool:
    """Whether the size of a row is unknown."""
    return spec.is_batched and spec.row_size is None
