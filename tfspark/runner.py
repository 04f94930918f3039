"""Scores record batches with a bound model. Executor.

`score` takes the record batches of one partition, a `Binding` and a live `Engine`. It yields the
same rows in the same order, with the kept columns and the predictions. Every API of tfspark uses
it. No Spark, no TensorFlow.

Invariants: a model batch may contain rows of several record batches; in memory are at most one
model batch, its record batches, and 64 MiB of predictions; kept columns are not copied; a row with
a null input is not fed and gives null; a bad row gives null, or an error that names the row and its
partition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter

import pyarrow as pa

from tfspark.assembly import Assembly
from tfspark.batch_size import CpuBatchSize
from tfspark.batching import Windows
from tfspark.engine import Engine
from tfspark.gpu_batch_size import GpuBatchSize
from tfspark.options import check_batch_size
from tfspark.origin import Origin
from tfspark.schema import Binding
from tfspark.window_scorer import WindowScorer


def score(
    batches: Iterable[pa.RecordBatch],
    binding: Binding,
    engine: Engine,
    *,
    keep: Sequence[str] | None = None,
    batch_size: int | None = None,
    model_bytes: int = 0,
    on_gpu: bool = False,
    origin: Origin | None = None,
) -> Iterator[pa.RecordBatch]:
    """Score record batches.

    Args:
        batches: Record batches of one partition, all with the same schema.
        binding: The columns that are fed and the outputs that are returned.
        engine: The live model.
        keep: Columns to keep, in this order; by default all.
        batch_size: Rows per call of the model. By default, a call has at most 1 MiB of input and
            output, or a few larger rows, and fewer if the model is faster with fewer. A fixed batch
            dimension of the model overrides this size; the last batch is then padded, and its
            output cut.
        model_bytes: The size of the model's files. The first calls of a large model have few rows,
            because it may need much memory for 1 MiB of them.
        on_gpu: Whether the task has a GPU. A call may then have up to 64 MiB, see `gpu_batch_size`.
        origin: Model and partition, for errors.

    Yields:
        One record batch for each incoming batch that has rows, or several if its predictions have
        more than 64 MiB; same rows, same order.

    Raises:
        UsageError: When the batch size is below 1.
        RowError: When a row cannot be fed, or the model refuses it, and `on_error` is `raise`.
        EngineError: When the model fails on a batch but on none of its rows alone, or when its
            outputs do not match its signature.
    """
    check_batch_size(batch_size)
    scorer = WindowScorer(binding, engine, origin or Origin("model"), keep)
    assembly = Assembly(binding, keep)
    size = (GpuBatchSize if on_gpu else CpuBatchSize)(binding, batch_size, model_bytes)
    windows = Windows()
    for batch in batches:
        if not batch.num_rows:
            continue
        assembly.expect(batch)
        for window in windows.push(batch, size.of(batch)):
            start = perf_counter()
            predictions = scorer.outputs(window)
            size.observe(predictions, scorer.scored, perf_counter() - start)
            assembly.add(predictions)
            yield from assembly.finished()
    if windows.waiting:
        assembly.add(scorer.outputs(windows.rest()))
        yield from assembly.finished()
