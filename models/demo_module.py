"""A `tf.Module` with two signatures, one of which changes state.

Input: a seed. Output: a `tf.Module` with two signatures, exported to
`<base>/demo_module/<version>`: `serving_default`, of `a` and `b` (None,) float32, gives `total`
(None,) float32, a + b; `count`, of `a`, gives `number` (None,) int64, the number of the row since
the model was loaded, from 1.

State on Spark: each worker process loads its own copy and counts separately. A retried task counts
again, and so do rows that were in a batch with a bad row. So `number` depends on partitions,
batches and retries. It is not reproducible and not a row number; a production model should not do
this. `serving_default` is pure: the same rows give the same answers everywhere.

Invariant: the export continues the count of the live module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from models.export import export as export_model

__all__ = ["NAME", "DemoModule", "Pairs", "build", "dataset", "evaluate", "export", "train"]

NAME = "demo_module"
ROWS = 100

Array = np.ndarray[Any, Any]
COLUMN = (None,)


class Pairs(NamedTuple):
    """Numbers to add.

    Attributes:
        a: (100,) float32, normal.
        b: (100,) float32, normal.
    """

    a: Array
    b: Array


def dataset(seed: int = 0) -> Pairs:
    """Draw the numbers."""
    return Pairs(*np.random.default_rng(seed).normal(size=(2, ROWS)).astype(np.float32))


class DemoModule(tf.Module):
    """One pure method, and one that reads and changes a variable.

    Attributes:
        seen: the rows counted so far, an int64 scalar.
    """

    def __init__(self, seen: int = 0) -> None:
        super().__init__(name=NAME)
        self.seen = tf.Variable(seen, trainable=False, dtype=tf.int64, name="seen")

    @tf.function(input_signature=[tf.TensorSpec(COLUMN, name="a"), tf.TensorSpec(COLUMN, name="b")])
    def add(self, a: Any, b: Any) -> dict[str, Any]:
        """Add two columns."""
        return {"total": a + b}

    @tf.function(input_signature=[tf.TensorSpec(COLUMN, name="a")])
    def count(self, a: Any) -> dict[str, Any]:
        """Number the rows of a batch, continuing after the last batch."""
        rows = tf.size(a, tf.int64)
        until = self.seen.assign_add(rows, read_value=True)
        return {"number": tf.range(until - rows, until) + 1}


def build(seed: int = 0) -> DemoModule:  # noqa: ARG001 - there is nothing to draw
    """Return a module that has seen no row."""
    return DemoModule()


def train(
    model: DemoModule,  # noqa: ARG001 - there is nothing to train
    data: Pairs,  # noqa: ARG001
    *,
    seed: int = 0,  # noqa: ARG001
    epochs: int = 1,  # noqa: ARG001
) -> dict[str, list[float]]:
    """Do nothing; the arguments are those of every `train`, and there are no curves."""
    return {}


def evaluate(model: DemoModule, data: Pairs) -> dict[str, float]:
    """Return the shares of right answers, `add` and `count` (two batches); restore the state.

    `count` is right if the second batch continues the count of the first one.
    """
    total = model.add(data.a, data.b)["total"].numpy()
    seen = int(model.seen)
    numbers = [model.count(part)["number"].numpy() for part in np.array_split(data.a, [30])]
    model.seen.assign(seen)
    counted = np.concatenate(numbers) - seen == 1 + np.arange(len(data.a))
    return {"add": float(np.mean(total == data.a + data.b)), "count": float(np.mean(counted))}


def export(model: DemoModule, base: Path, *, fold: bool = False) -> Path:
    """Write `<base>/demo_module/<next version>` with both signatures, and return it."""
    signatures = {"serving_default": model.add, "count": model.count}
    return export_model(model, base, name=NAME, fold=fold, signatures=signatures)
