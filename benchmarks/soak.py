"""Loads and calls the native engine many times, and prints the memory.

For developers: `python -m benchmarks.soak` makes 10 000 loads and 1 000 000 calls and prints the
resident memory along the way; `--loads` and `--calls` shorten it. Numbers are aligned and
unaligned, strings short and long, and the model refuses every tenth batch.

Memory is stable if the last line of each half is close to its second line: the first load and the
first calls add the pages of the library, and later ones should not add any.
"""

from __future__ import annotations

import argparse
import gc
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from tfspark import package
from tfspark.engine import Engine, EngineOptions, load_engine
from tfspark.errors import EngineError
from tfspark.package import ModelPackage
from tfspark.tensors import ByteStrings, Tensor

LINES = 10

# TensorFlow's Python writes the models in another process, so that this one does not import it.
WRITE_MODELS = """
import sys
import tensorflow as tf
from tfspark.testing import save_function, save_linear
save_linear(sys.argv[1] + "/linear")
save_function(
    sys.argv[1] + "/text",
    lambda text: {"upper": tf.strings.upper(text), "same": tf.identity(text)},
    tf.TensorSpec((None,), tf.string, name="text"),
)
"""


def main(arguments: list[str] | None = None) -> None:
    """Measure the loads and the calls."""
    parser = argparse.ArgumentParser(description="Print the memory of many loads and calls.")
    parser.add_argument("--loads", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=1_000_000)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", WRITE_MODELS, folder], check=True)
        linear, text = (package.load(Path(folder) / name) for name in ("linear", "text"))
        repeat("loads", chosen.loads, lambda _: load_and_close(linear))
        repeat("calls", chosen.calls, caller(load(linear), load(text)))


def load(model: ModelPackage) -> Engine:
    """Load a model with the native engine."""
    options = EngineOptions(name="native")
    return load_engine(model.path, model.tags, model.signature, options)


def load_and_close(model: ModelPackage) -> None:
    """Load a model of two numbers per row, run it once and release it."""
    engine = load(model)
    engine.run({"inputs": np.ones((1, 2), np.float32)})
    engine.close()


def caller(linear: Engine, text: Engine) -> Callable[[int], None]:
    """Return a function that makes one of ten kinds of calls; the model refuses the last kind."""
    numbers = np.ones((66, 2), np.float32)
    short = pa.array([b"short"] * 64)
    long = pa.array([b"a string that does not fit into a record"] * 64, pa.large_binary())
    fed: list[tuple[Engine, dict[str, Tensor]]] = [
        (linear, {"inputs": numbers[start : start + rows]})
        for start in (0, 1)
        for rows in (1, 8, 64)
    ]
    fed += [(text, {"text": ByteStrings(values, (64,))}) for values in (short, long)]
    fed.append((linear, {"inputs": numbers[::2]}))
    refused: dict[str, Tensor] = {"inputs": np.ones((8, 3), np.float32)}

    def call(number: int) -> None:
        kind = number % (len(fed) + 1)
        if kind < len(fed):
            engine, inputs = fed[kind]
            engine.run(inputs)
            return
        try:
            linear.run(refused)
        except EngineError:
            return
        raise AssertionError("the model took three numbers per row")

    return call


def repeat(what: str, count: int, action: Callable[[int], None]) -> None:
    """Repeat an action, and print the memory at the start and after each tenth."""
    print(f"{0:>10} {what}  {resident_megabytes():8.1f} MB")
    start = time.perf_counter()
    done = 0
    for line in range(1, LINES + 1):
        for number in range(done, count * line // LINES):
            action(number)
        done = count * line // LINES
        gc.collect()
        spent = (time.perf_counter() - start) / max(done, 1) * 1e6
        print(
            f"{done:>10} {what}  {resident_megabytes():8.1f} MB  {spent:10.1f} us each", flush=True
        )


def resident_megabytes() -> float:
    """Return the memory of this process that is in use now, from /proc."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    main()
