"""One process of `benchmarks.gpu`: loads a model and measures calls, the runner and Parquet files.

The parent sends a `Plan` as JSON on the command line. The last line of the output is the result as
JSON. All rows are random, with one seed. A `rate` is rows per second. There is no Spark: the runner
gets record batches, as it does in a task of Spark.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfspark import package, schema
from tfspark.columns import columns_of
from tfspark.engine import Engine, EngineOptions, gpu, load_engine
from tfspark.runner import score
from tfspark.signature import TensorSpec

# Rows of a record batch: Spark's default limits (spark.sql.execution.arrow.*).
_BATCH_ROWS, _BATCH_BYTES = 10_000, 64 << 20
# Rows of the first call, and of the answers that are compared.
_FIRST_ROWS, _ANSWERS = 16, 256


@dataclass(frozen=True)
class Plan:
    """The measurements of one process.

    Attributes:
        model: Folder of the SavedModel.
        rows: Number of rows.
        gpu: Address of the GPU; `None` for the processor.
        threads: Threads inside an operation.
        seconds: Time of each measurement.
        batches: Rows per call of the engine's loop.
        runner: Whether the runner is measured, with its own batch size.
        files: Whether Parquet files are scored too.
        share: Whether to wait for a line of input before the runner is measured.
        answers: File for the answers of the first rows; empty for none.
        vocabulary: Integers are below this number.
        started: When the parent started this process (`time.time`).
    """

    model: str
    rows: int
    gpu: str | None = None
    threads: int = 1
    seconds: float = 1.0
    batches: tuple[int, ...] = ()
    runner: bool = False
    files: bool = False
    share: bool = False
    answers: str = ""
    vocabulary: int = 2
    started: float = field(default_factory=time.time)

    def to_json(self) -> str:
        """Return the text that `from_json` takes."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Rebuild a plan."""
        return cls(**json.loads(text))


@dataclass
class Counted:
    """An engine that remembers the rows of each call.

    Attributes:
        engine: The live model.
        calls: The rows of the calls so far.
    """

    engine: Engine
    calls: list[int] = field(default_factory=list)

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Run one batch; see `Engine.run`."""
        self.calls.append(len(next(iter(inputs.values()))))
        return self.engine.run(inputs)

    def close(self) -> None:
        """Release the model."""
        self.engine.close()


class LoadedModel:
    """A loaded model with its rows."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.model = package.load(plan.model)
        self.input = self.model.signature.inputs[0]
        gpu.show([] if plan.gpu is None else [plan.gpu])
        is_on_gpu = plan.gpu is not None
        options = EngineOptions("native", intra_op_threads=plan.threads, gpu=is_on_gpu)
        begun = time.time()
        self.engine = load_engine(self.model.path, self.model.tags, self.model.signature, options)
        loaded = time.time()
        self._answers(drawn(self.input, replace(plan, rows=_FIRST_ROWS)))
        done = time.time()
        self.first = {"load": loaded - begun, "call": done - loaded, "result": done - plan.started}
        self.rows = drawn(self.input, plan)
        columns = columns_of(_record_batches(self.rows[:1])[0].schema)
        self.binding = schema.bind(self.model.signature, columns, feed={self.input.name: "x"})

    def calls(self, size: int) -> dict[str, Any]:
        """Call the engine with batches of one size; the first call is separate."""
        size = min(size, len(self.rows))
        places = range(0, len(self.rows) - size + 1, max(size - size % 16, 1))
        start = time.perf_counter()
        self._answers(self.rows[:size])
        first, done, begin = time.perf_counter() - start, 0, time.perf_counter()
        while not done or time.perf_counter() - begin < self.plan.seconds:
            at = places[done % len(places)]
            self._answers(self.rows[at : at + size])
            done += 1
        spent = time.perf_counter() - begin
        return {"batch": size, "first": first, "rate": done * size / spent}

    def partitions(self, batch_size: int | None = None) -> dict[str, Any]:
        """Score the rows as one partition after the other; the first one is separate."""
        batches, rates, engine = _record_batches(self.rows), [], Counted(self.engine)
        begin = time.perf_counter()
        while len(rates) < 2 or time.perf_counter() - begin < self.plan.seconds:
            engine.calls.clear()
            start = time.perf_counter()
            for _ in self._scored(batches, engine, batch_size):
                pass
            rates.append(len(self.rows) / (time.perf_counter() - start))
        sizes = {size: engine.calls.count(size) for size in engine.calls}
        return {"first": rates[0], "rate": median(rates[1:]), "sizes": sizes, "given": batch_size}

    def files(self, best: int) -> dict[str, float]:
        """Return the rates from one Parquet file to another: with the runner, and without it."""
        with tempfile.TemporaryDirectory() as place:
            source = f"{place}/in.parquet"
            table = pa.Table.from_batches(_record_batches(self.rows))
            group = max(_BATCH_BYTES // self.rows[0].nbytes, 1)
            pq.write_table(table, source, row_group_size=group, use_dictionary=False)
            sides: dict[str, Callable[[], Iterable[pa.RecordBatch]]] = {
                "runner": lambda: self._scored(_read(source), self.engine, None),
                "floor": lambda: self._floor(_read(source), best),
                "read": lambda: (one.slice(0, 0) for one in _read(source)),
            }
            spent: dict[str, list[float]] = {name: [] for name in sides}
            for name in (*sides, *sides):
                start = time.perf_counter()
                _write(sides[name](), f"{place}/out.parquet")
                spent[name].append(time.perf_counter() - start)
        return {name: len(self.rows) / min(times) for name, times in spent.items()}

    def store_answers(self, path: str) -> None:
        """Store the answers of the first rows."""
        np.save(path, self._answers(self.rows[:_ANSWERS]))

    def _answers(self, rows: Any) -> Any:
        (answer,) = self.engine.run({self.input.name: rows}).values()
        return answer

    def _scored(
        self, batches: Iterable[pa.RecordBatch], engine: Engine, batch_size: int | None
    ) -> Iterator[pa.RecordBatch]:
        return score(
            batches,
            self.binding,
            engine,
            keep=(),
            batch_size=batch_size,
            model_bytes=self.model.size,
            on_gpu=self.plan.gpu is not None,
        )

    def _floor(self, batches: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
        for one in batches:
            values = one.column(0).flatten().to_numpy().reshape(-1, *self.rows.shape[1:])
            parts = [self._answers(values[at : at + size]) for at in range(0, len(values), size)]
            yield pa.record_batch({"y": _lists(np.concatenate(parts))})


def drawn(spec: TensorSpec, plan: Plan) -> Any:
    """Draw the rows of an input."""
    shape, random = (plan.rows, *(spec.row_shape or ())), np.random.default_rng(0)
    if spec.dtype.startswith("int"):
        return random.integers(0, plan.vocabulary, shape).astype(spec.dtype)
    return random.standard_normal(shape, dtype=np.float32)


def _lists(rows: Any) -> pa.ListArray:
    flat = rows.reshape(len(rows), -1)
    ends = np.arange(len(flat) + 1, dtype=np.int32) * np.int32(flat.shape[1])
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(flat.ravel()))


def _record_batches(rows: Any) -> list[pa.RecordBatch]:
    step = max(min(_BATCH_ROWS, _BATCH_BYTES // rows[0].nbytes), 1)
    parts = [rows[at : at + step] for at in range(0, len(rows), step)]
    return [pa.record_batch({"x": _lists(part)}) for part in parts]


def _read(path: str) -> Iterator[pa.RecordBatch]:
    batches: Iterator[pa.RecordBatch] = pq.ParquetFile(path).iter_batches(
        batch_size=_BATCH_ROWS, use_threads=False
    )
    return batches


def _write(batches: Iterable[pa.RecordBatch], path: str) -> None:
    stream = iter(batches)
    first = next(stream)
    with pq.ParquetWriter(path, first.schema, use_dictionary=False) as writer:
        writer.write_batch(first)
        for one in stream:
            writer.write_batch(one)


def smi(query: str) -> str:
    """Return the output of `nvidia-smi`; empty if it is not installed."""
    command = ["nvidia-smi", query, "--format=csv,noheader"]
    with suppress(FileNotFoundError):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip()
    return ""


def libraries() -> list[str]:
    """Return the names of CUDA's and the driver's libraries that this process has opened."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    names = {line.rpartition("/")[2] for line in lines}
    return sorted(name for name in names if name.startswith(("libcu", "libnv")))


def measure(plan: Plan) -> dict[str, Any]:
    """Carry out a plan."""
    loaded = LoadedModel(plan)
    found: dict[str, Any] = {"rows": plan.rows, "first": loaded.first}
    if plan.answers:
        loaded.store_answers(plan.answers)
    found["calls"] = [loaded.calls(size) for size in plan.batches]
    if plan.share:
        loaded.partitions()
        print("ready", flush=True)
        sys.stdin.readline()
    if plan.runner:
        found["runner"] = loaded.partitions()
    if plan.gpu is not None:
        found["memory"] = smi("--query-gpu=memory.used")
        found["libraries"] = libraries()
    if found["calls"] and plan.runner:
        best = max(found["calls"], key=lambda one: one["rate"])["batch"]
        found["given"] = loaded.partitions(best)
        if plan.files:
            found["files"] = loaded.files(best)
    return found


if __name__ == "__main__":
    print(json.dumps(measure(Plan.from_json(sys.argv[1]))), flush=True)
