"""Chooses the engine of each model of a task on the rows of the task. Executor.

The driver sends an `EngineTrial` with some rows into one task, before the tasks that score. The
choice is remembered on the node, so a later job with the same model does not time the engines.

Invariant: the engines that lost are closed, so that a worker keeps only the model that will score.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import pyarrow as pa

from tfspark.cache import ENGINES
from tfspark.engine import Engine
from tfspark.engine_choice import EngineChoice
from tfspark.engine_trial import choose_engine, joined, remember, remembered
from tfspark.options import EngineName
from tfspark.spark.worker.model_chain import BoundModel, ModelChain
from tfspark.spark.worker.task import has_gpu, open_model, origin_of
from tfspark.spark.worker.time_limit import TimeLimit

MOST_ROWS = 4096
_MOST_BYTES = 32 << 20


@dataclass(frozen=True)
class EngineTrial:
    """A task that chooses engines.

    Attributes:
        chain: The models, bound to the rows.
        names: The names of a batch's columns in the bindings.
    """

    chain: ModelChain
    names: Sequence[str]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> list[EngineChoice]:
        """Return one choice for each model; none if there are no rows.

        Raises:
            TfsparkError: From `choose_engine`, or a row cannot be scored.
        """
        some = list(_first(batches))
        if not some:
            return []
        rows = joined(some)
        named = pa.RecordBatch.from_arrays(rows.columns, names=list(self.names))
        return [_choice(model, named) for model in self.chain.models]

    def as_batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return the choices as rows of JSON, for `mapInArrow`."""
        texts = [json.dumps(asdict(choice)) for choice in self(batches)]
        yield pa.RecordBatch.from_pydict({"choice": pa.array(texts, pa.string())})


def _first(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the first rows of some batches."""
    rows = size = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        row_bytes = max(batch.nbytes // batch.num_rows, 1)
        left = min(MOST_ROWS - rows, (_MOST_BYTES - size) // row_bytes)
        if left <= 0 and rows:
            return
        taken = batch.slice(0, max(left, 1))
        rows, size = rows + taken.num_rows, size + taken.num_rows * row_bytes
        yield taken


def _choice(model: BoundModel, rows: pa.RecordBatch) -> EngineChoice:
    handle, origin = model.handle, origin_of(model.handle)
    known = remembered(handle, on_gpu=has_gpu())
    if known is not None:
        return known
    opened: dict[EngineName, Engine] = {}
    # A bad row is no reason for or against an engine.
    binding = replace(model.binding, on_error="null")
    with TimeLimit(model.options.timeout, origin) as limit:

        def open_engine(name: EngineName) -> Engine:
            with limit.loading():
                opened[name] = open_model(handle.with_choice(EngineChoice(name)))
            return limit.wrap(opened[name])

        choice = choose_engine(rows, binding, open_engine, origin, handle.size)
    for name, engine in opened.items():
        if name != choice.engine:
            ENGINES.discard(engine)
            engine.close()
    remember(handle, choice, on_gpu=has_gpu())
    return choice
