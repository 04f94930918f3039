"""The benchmark of a GPU, on the processor; no test depends on a time."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import gpu, gpu_task
from benchmarks.gpu_task import Plan
from tfspark.testing import save_linear

ROWS = 64


@pytest.fixture
def data(tmp_path, monkeypatch):
    save_linear(tmp_path / "models" / "linear" / "1")
    monkeypatch.setitem(gpu.AMOUNTS, "linear", gpu.Amount(ROWS, (8, 16, 32), ROWS, (16,)))
    return tmp_path


@pytest.fixture
def case(data):
    figures = gpu.Figures(data / "out.json")
    return gpu.Case("linear", data / "models" / "linear", figures, data, 0.01)


def test_the_processor_is_measured_without_a_gpu(data, monkeypatch, capsys):
    arguments = ["--device", "cpu", "--case", "linear", "--seconds", "0.01"]
    out = data / "out.json"
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr("sys.argv", ["", "--data", str(data), *arguments, "--out", str(out)])
    gpu.main()
    assert "| linear | cpu, threads: 1 | 16 |" in capsys.readouterr().out
    found = json.loads(out.read_text())["cases"]["linear"]["cpu, threads: 1"]
    assert [one["batch"] for one in found["calls"]] == [16]
    assert found["runner"]["sizes"] == {"64": 1}
    assert found["given"]["sizes"] == {"16": 4}
    assert set(found["files"]) == {"runner", "floor", "read"}


def test_two_tasks_run_at_the_same_time(case):
    plan = Plan(str(case.model), ROWS, seconds=0.01, runner=True)
    found = gpu.together([plan, plan])
    assert len(found["rates"]) == 2
    assert min(found["rates"]) > 0


def test_a_gpu_is_measured_in_four_ways(case, monkeypatch):
    ran = []

    def run(plan, settings=None):
        ran.append((plan, settings))
        if plan.answers:
            np.save(plan.answers, [[1.0 if settings else 1.5], [-2.0]])
        return {}

    monkeypatch.setattr(gpu, "run", run)
    monkeypatch.setattr(gpu, "together", lambda plans: {"rates": [plan.gpu for plan in plans]})
    case.on_gpu("1")
    assert {plan.gpu for plan, _ in ran} == {"1"}
    assert [settings for _, settings in ran] == [None, gpu._TF32_OFF, gpu._AUTOTUNE_OFF]
    case.on_cpu(is_only=False)
    found = json.loads(case.figures.out.read_text())["cases"]["linear"]
    assert found["two tasks"] == {"rates": ["1", "1"]}
    assert found["difference"] == {"TF32": 0.0, "without TF32": pytest.approx(0.25)}


def test_a_process_that_fails_is_named(case):
    with pytest.raises(RuntimeError, match="ended with 1"):
        gpu.run(Plan(str(case.model / "none"), ROWS))


def test_integers_are_below_the_vocabulary(case):
    spec = gpu_task.package.load(case.model).signature.inputs[0]
    words = gpu_task.replace(spec, dtype="int32")
    drawn = gpu_task.drawn(words, Plan("", 1000, vocabulary=7))
    assert (drawn.dtype, drawn.shape, drawn.min(), drawn.max()) == (np.int32, (1000, 2), 0, 6)
