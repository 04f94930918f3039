"""The choice of an engine: by timing, by its answers, and as the node remembers it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count

import numpy as np
import pyarrow as pa
import pytest

from tfspark import runner
from tfspark.columns import columns_of
from tfspark.engine import EngineOptions
from tfspark.engine.protocol import CannotServeError
from tfspark.engine_choice import EngineChoice
from tfspark.engine_trial import choose_engine, remember, remembered, timing
from tfspark.engine_trial.agreement import Difference, first_difference
from tfspark.errors import EngineError
from tfspark.handle import ModelHandle, PathSource
from tfspark.origin import Origin
from tfspark.schema import bind
from tfspark.signature import Signature, TensorSpec
from tfspark.testing import FakeEngine

SIGNATURE = Signature(
    "serving_default",
    (TensorSpec("x", "float32", (None,), "x:0"),),
    (TensorSpec("y", "float32", (None,), "y:0"),),
)
ROWS = pa.RecordBatch.from_pydict({"x": pa.array([1.0, 2.0, 3.0], pa.float32())})


class Clock:
    """A clock that only the engines move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "perf_counter", clock)
    monkeypatch.setattr(runner, "perf_counter", clock)
    return clock


def choice_of(clock, seconds, functions=None, rows=ROWS):
    """Time engines that need some seconds for a row; `None` is an engine that cannot serve."""
    functions = functions or {}

    def open_engine(name):
        if seconds[name] is None:
            raise CannotServeError(f"no {name}\nhere")

        def run(inputs):
            clock.now += seconds[name] * len(inputs["x"])
            return {"y": functions.get(name, np.negative)(inputs["x"])}

        return FakeEngine(run)

    binding = bind(SIGNATURE, columns_of(ROWS.schema))
    return choose_engine(rows, binding, open_engine, Origin("model m"), model_bytes=1 << 25)


@pytest.mark.parametrize(
    ("openvino", "chosen"), [(0.5e-6, "openvino"), (0.97e-6, "auto"), (2e-6, "auto")]
)
def test_an_engine_must_be_clearly_faster_than_the_reference(clock, openvino, chosen):
    choice = choice_of(clock, {"auto": 1e-6, "openvino": openvino})
    assert choice.engine == chosen
    assert choice.rows_per_second == pytest.approx({"auto": 1e6, "openvino": 1 / openvino}, rel=0.2)
    assert choice.refused == {}


def test_the_trial_of_a_heavy_model_is_short(clock):
    numbers = pa.array(range(4096), pa.int16())
    rows = pa.RecordBatch.from_pydict({"x": numbers.cast(pa.float32())})
    choice = choice_of(clock, {"auto": 0.02, "openvino": 0.01}, rows=rows)
    assert choice.engine == "openvino"
    assert choice.rows_per_second == pytest.approx({"auto": 50, "openvino": 100}, rel=0.01)
    assert clock.now < 15


def test_an_engine_that_cannot_serve_is_not_timed(clock):
    choice = choice_of(clock, {"auto": 1e-6, "openvino": None})
    assert choice == EngineChoice("auto", {}, {"openvino": "no openvino here"})
    choice = choice_of(clock, {"auto": None, "openvino": 1e-6})
    assert choice == EngineChoice("openvino", {}, {"auto": "no auto here"})
    with pytest.raises(CannotServeError, match="no auto"):
        choice_of(clock, {"auto": None, "openvino": None})


def test_answers_that_differ_beyond_tolerance_are_an_error_with_both_values(clock):
    def wrong(x):
        return np.where(x == 2, -2.001, -x).astype(np.float32)

    with pytest.raises(EngineError) as caught:
        choice_of(clock, {"auto": 1e-6, "openvino": 1e-7}, {"openvino": wrong})
    for words in ("row 1 of the trial", "column 'y'", "-2.0 by", "-2.0009", "OpenVINO", "Hint"):
        assert words in str(caught.value)


def floats(*rows):
    return pa.array(rows, pa.list_(pa.float32()))


@pytest.mark.parametrize(
    ("expected", "found", "difference"),
    [
        (pa.array([1.0, None, 3.0]), pa.array([1.0, None, 3.0 + 2e-5]), None),
        (pa.array([1.0, None, 3.0]), pa.array([1.0, 2.0, 3.0]), Difference(1, True)),
        (pa.array([1.0, 3.0]), pa.array([1.0 + 4e-5, 3.0]), Difference(0, True)),
        (pa.array([np.inf, np.nan]), pa.array([np.inf, np.nan]), None),
        (pa.array([np.inf, 1.0]), pa.array([-np.inf, 1.0]), Difference(0, True)),
        (pa.array([1, 2]), pa.array([1, 3]), Difference(1, False)),
        (pa.array(["a", None]), pa.array(["b", None]), Difference(0, False)),
        (floats([0.5, 0.5000001], [1.0, 0.0]), floats([0.5000001, 0.5], [1, 0]), Difference(0, 0)),
        (floats(None, [0.5, 0.5000001]), floats(None, [0.5000001, 0.5]), Difference(1, 0)),
        (floats([0.1, 0.9], None), floats([0.100001, 0.899999], None), None),
        (floats([1.0], [1.0, 2.0]), floats([1.0], [1.0]), Difference(1, True)),
        (floats([1.0], [], [2.0, 3.0]), floats([1.0], [], [2.0, 4.0]), Difference(2, True)),
    ],
)
def test_agreement(expected, found, difference):
    assert first_difference(expected, found) == difference


@pytest.fixture
def handle(tmp_path, monkeypatch):
    monkeypatch.setenv("TFSPARK_CACHE_DIR", str(tmp_path / "cache"))
    return ModelHandle("m", 1, "d" * 64, 1, ("serve",), SIGNATURE, PathSource("m"), EngineOptions())


def test_a_choice_is_remembered_for_the_same_model_and_settings(handle, tmp_path):
    choice = EngineChoice("openvino", {"auto": 1.0, "openvino": 2.0}, {})
    assert remembered(handle, on_gpu=False) is None
    remember(handle, choice, on_gpu=False)
    chosen = handle.with_choice(choice)
    assert [remembered(one, on_gpu=False) for one in (handle, chosen)] == [choice, choice]
    assert remembered(handle, on_gpu=True) is None
    other = replace(handle.options, intra_op_threads=2)
    for changed in (replace(handle, digest="e" * 64), replace(handle, options=other)):
        assert remembered(changed, on_gpu=False) is None
    (file,) = (tmp_path / "cache" / "choices").iterdir()
    for number, content in zip(count(), ("", "[]", json.dumps({"no": 1})), strict=False):
        file.write_text(content)
        assert remembered(handle, on_gpu=False) is None, number


def test_a_choice_that_cannot_be_written_leaves_no_file(handle, tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError("no space left")

    monkeypatch.setattr("tfspark.engine_trial.record.Path.replace", refuse)
    remember(handle, EngineChoice("auto"), on_gpu=False)
    assert "no space left" in caplog.text
    assert list((tmp_path / "cache" / "choices").iterdir()) == []


def test_a_handle_on_another_engine_has_tensorflow_behind_it(handle):
    assert handle.with_choice(EngineChoice("auto")).options == handle.options
    chosen = handle.with_choice(EngineChoice("openvino")).options
    assert (chosen.name, chosen.fallback) == ("openvino", "auto")
