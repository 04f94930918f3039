"""Tiny models for the engine tests, written once per run, and a library that counts its calls."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfspark import package
from tfspark.dtypes import TABLE
from tfspark.engine import Engine, EngineOptions, load_engine, native
from tfspark.package import ModelPackage
from tfspark.testing import save_function, save_linear

Open = Callable[..., Engine]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def linear(models: Path) -> ModelPackage:
    return package.load(save_linear(models / "linear"))


@pytest.fixture(scope="session")
def identity(models: Path) -> ModelPackage:
    """One input and one output of every type of the table, shape (None, None)."""
    import tensorflow as tf

    specs = [tf.TensorSpec((None, None), row.name, name=row.name) for row in TABLE]

    def same(*tensors: Any) -> dict[str, Any]:
        return {row.name: tf.identity(one) for row, one in zip(TABLE, tensors, strict=True)}

    return package.load(save_function(models / "identity", same, *specs))


@pytest.fixture(scope="session")
def text(models: Path) -> ModelPackage:
    """Strings that are passed on, created, joined and measured."""
    import tensorflow as tf

    def serve(text: Any) -> dict[str, Any]:
        return {
            "same": tf.identity(text),
            "upper": tf.strings.upper(text),
            "twice": tf.strings.join([text, text]),
            "start": tf.strings.substr(text, 0, 3),
            "length": tf.strings.length(text),
        }

    return package.load(
        save_function(models / "text", serve, tf.TensorSpec((None,), tf.string, name="text"))
    )


@pytest.fixture
def open_engine() -> Any:
    """Load engines; they are closed at the end of the test."""
    opened: list[Engine] = []

    def load(model: ModelPackage, name: Any = "native", **options: Any) -> Engine:
        chosen = EngineOptions(name=name, **options)
        engine = load_engine(model.path, model.tags, model.signature, chosen)
        opened.append(engine)
        return engine

    yield load
    for engine in opened:
        engine.close()


@pytest.fixture(scope="session")
def run_python() -> Callable[..., list[str]]:
    def run(program: str, *arguments: str) -> list[str]:
        """Run a program in a new process of this Python and return the lines that it prints."""
        command = [sys.executable, "-c", program, *arguments]
        root = Path(__file__).parents[2]
        result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
        return result.stdout.splitlines()

    return run


class CountingLibrary:
    """The C API with a count of calls, and of the tensors that runs returned."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self.calls: Counter[str] = Counter()
        self.fed_addresses: list[int] = []

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._library, name)

        def counted(*arguments: Any) -> Any:
            self.calls[name] += 1
            result = function(*arguments)
            if name == "TF_NewTensor":
                self.fed_addresses.append(arguments[3])
            if name == "TF_SessionRun":
                self.calls["results"] += sum(map(bool, arguments[6]))
            return result

        return counted


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> CountingLibrary:
    counting = CountingLibrary(native.open_library())
    monkeypatch.setattr(native, "open_library", lambda: counting)
    return counting


@pytest.fixture(scope="session")
def aligned() -> Callable[..., Any]:
    def copy(values: Any, offset: int = 0, alignment: int = 64) -> Any:
        """Copy an array to an address that is `offset` bytes above a multiple of `alignment`."""
        block = np.empty(values.nbytes + 2 * alignment, dtype=np.uint8)
        start = -block.ctypes.data % alignment + offset
        placed = block[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
        placed[...] = values
        return placed

    return copy
