"""Small measurements inside one fresh process: `python -m benchmarks.probes WHAT ENGINE MODEL`.

Each prints one JSON line. `first` answers as soon as there is a result, so that the parent can time
the whole process; `calls` and `memory` print their own figures. A probe imports only what it
measures, so the imports are inside the functions.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

ROWS = 8
CALLS, ROUNDS = 2000, 7
SCORED_BATCHES, SCORED_ROWS = 50, 10_000


def caller(engine: str, base: str) -> Callable[[Any], Any]:
    """Load a linear model and return its call: array → array."""
    if engine == "signature":
        import tensorflow as tf

        model = tf.saved_model.load(f"{base}/1")
        call = model.signatures["serving_default"]

        def run_signature(rows: Any) -> Any:
            return call(inputs=tf.constant(rows))["outputs"].numpy()

        run_signature.model = model  # owns the variables
        return run_signature
    run = handle_of(base, engine).open().run
    return lambda rows: run({"inputs": rows})["outputs"]


def handle_of(base: str, engine: Any) -> Any:
    """Return the handle that a Spark job sends to a worker."""
    from tfspark import package
    from tfspark.engine import EngineOptions
    from tfspark.handle import ModelHandle

    return ModelHandle.of(package.load(base), options=EngineOptions(name=engine))


def first(engine: str, base: str) -> dict[str, Any]:
    """Return the first result of a fresh process."""
    import numpy as np

    result = caller(engine, base)(np.ones((ROWS, 2), np.float32))
    return {"result": float(result[0, 0])}


def forked(engine: str, base: str) -> dict[str, Any]:
    """Preload and fork like tfspark's daemon, and time the first result in the child."""
    import numpy as np

    from tfspark.spark.daemon import preload

    preload()
    reading, writing = os.pipe()
    start = time.perf_counter()
    if os.fork() == 0:
        caller(engine, base)(np.ones((ROWS, 2), np.float32))
        os.write(writing, f"{time.perf_counter() - start}".encode())
        os._exit(0)
    seconds = float(os.read(reading, 100))
    os.wait()
    return {"seconds": seconds}


def calls(engine: str, base: str) -> dict[str, Any]:
    """Time many small calls; the median of the rounds."""
    import numpy as np

    call = caller(engine, base)
    rows = np.random.default_rng(0).standard_normal((ROWS, 2), dtype=np.float32)
    micros = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            call(rows)
        micros.append((time.perf_counter() - start) / CALLS * 1e6)
    return {"microseconds": sorted(micros)[ROUNDS // 2]}


def memory(engine: str, base: str) -> dict[str, Any]:
    """Score some partitions like a worker, and return the resident memory."""
    import numpy as np
    import pyarrow as pa
    import pyspark.worker  # noqa: F401 - every worker imports it

    from tfspark.columns import columns_of
    from tfspark.runner import score
    from tfspark.schema import bind

    handle = handle_of(base, engine)
    values = np.random.default_rng(0).standard_normal(2 * SCORED_ROWS, dtype=np.float32)
    # As from Spark: pa.array() of an ndarray would import pandas, which no worker does.
    flat = pa.Array.from_buffers(pa.float32(), values.size, [None, pa.py_buffer(values)])
    column = pa.FixedSizeListArray.from_arrays(flat, 2).cast(pa.list_(pa.float32()))
    batch = pa.RecordBatch.from_arrays([column], ["features"])
    binding = bind(handle.signature, columns_of(batch.schema))
    for _ in score((batch for _ in range(SCORED_BATCHES)), binding, handle.open(), keep=[]):
        pass
    with open("/proc/self/status") as status:  # noqa: PTH123 - without another import
        resident = next(line for line in status if line.startswith("VmRSS"))
    return {"megabytes": int(resident.split()[1]) / 1000}


PROBES = {"first": first, "forked": forked, "calls": calls, "memory": memory}

if __name__ == "__main__":
    print(json.dumps(PROBES[sys.argv[1]](*sys.argv[2:])), flush=True)
    os._exit(0)  # the end of the process is not measured
