"""A task that Spark gave a GPU, without one: the engine is a NumPy function."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from tfspark import runner
from tfspark.columns import columns_of
from tfspark.schema import bind
from tfspark.signature import Signature, TensorSpec
from tfspark.spark.worker import task
from tfspark.testing import FakeEngine

ROWS = pa.record_batch({"x": pa.array(np.zeros(2000, dtype=np.float32))})
MODEL = Signature(
    "serve",
    (TensorSpec("x", "float32", (None,)),),
    (TensorSpec("y", "float32", (None, 1024)),),
)


@pytest.mark.parametrize(("gpus", "largest"), [(["0"], 1008), ([], 240)])
def test_a_task_with_a_gpu_gets_larger_batches(gpus, largest, monkeypatch):
    milliseconds = count()
    engine = FakeEngine(lambda inputs: {"y": np.repeat(inputs["x"][:, None], 1024, axis=1)})
    monkeypatch.setattr(runner, "perf_counter", lambda: next(milliseconds) * 1e-3)
    monkeypatch.setattr(task, "_gpus", lambda: gpus)
    monkeypatch.setattr(task, "open_model", lambda handle: engine)
    handle = SimpleNamespace(title="m", size=0)
    scored = task.score_task(handle, [ROWS], lambda schema: bind(MODEL, columns_of(schema)))
    assert sum(batch.num_rows for batch in scored) == 2000
    assert max(engine.calls) == largest
