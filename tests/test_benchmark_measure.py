"""How a case is measured: the search for settings, the rounds, and peers that fail."""

import json
import sys
from math import inf

import pytest

from benchmarks import measure
from benchmarks.cases import BY_NAME
from benchmarks.client import Process, SideError
from benchmarks.measure import Settings, measure_case, reason_of
from benchmarks.roster import PEERS
from benchmarks.search import changed, fastest, settings_of
from benchmarks.task import Task

TASK = Task("linear", "/data", "/out", "/model", 8, ("features",), (2,), batch=2)
LINEAR = BY_NAME["linear"]
SIDES = {side.name: side for side in PEERS}
LOG = "python -m benchmarks.x ended:\nTraceback:\n  File\nValueError: no such operation\nshutdown"


class FakeProcesses:
    """Runs nothing: a run takes a tenth of a second, or fails."""

    def __init__(self, failing=lambda side, task: False):
        self.failing = failing
        self.runs = []

    def run(self, group, side, task):
        self.runs.append((side, task))
        if self.failing(side, task):
            raise SideError(LOG)
        return 0.1 + (0.1 if task.batch == LINEAR.batches[0] else 0.0)


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Measure the linear case with fake processes."""
    monkeypatch.setattr(measure, "busy_share", lambda: 0.0)
    monkeypatch.setattr(measure, "facts", lambda side, task: {"rows": task.rows})

    def run(names, processes, unable=None, **settings):
        chosen = Settings(data=tmp_path, **{"repeat": 3, "cold": 0, "warm_up": 0.0, **settings})
        sides = [SIDES[name] for name in names]
        return measure_case(LINEAR, sides, chosen, processes, unable)

    return run


def test_slow_sides_have_half_of_the_rounds_beside_the_job(measured):
    processes = FakeProcesses()
    sides = measured(["job_fastest", "daft_threads", "daft"], processes)["sides"]
    assert {name: len(side["warm"]) for name, side in sides.items()} == {
        "job_fastest": 3,
        "daft_threads": 3,
        "daft": 2,
    }
    assert len(sides["job_fastest"]["beside"]) == 2
    assert [side for side, _ in processes.runs][-4:] == ["job_fastest", "daft"] * 2


def test_a_side_that_was_idle_runs_for_some_time_before_the_run_that_counts(measured, monkeypatch):
    clock = iter(range(0, 10_000, 50))
    monkeypatch.setattr(measure, "monotonic", lambda: next(clock))
    monkeypatch.setattr(measure, "REWARM_SECONDS", 0.25)
    processes = FakeProcesses()
    found = measured(["job"], processes)
    assert len(found["sides"]["job"]["warm"]) == 3
    # The warm-up; in each round, three runs of a tenth of a second, and the run that counts.
    assert len(processes.runs) == 1 + (3 + 1) * 3


def test_processes_of_daft_take_the_batch_size_of_its_threads(measured):
    sides = measured(["daft_threads", "daft"], FakeProcesses())["sides"]
    assert sides["daft"]["batch"] == sides["daft_threads"]["batch"]
    assert sides["daft"]["batch"] != LINEAR.batches[0]


def test_a_peer_that_fails_is_left_out_with_the_reason(measured):
    processes = FakeProcesses(failing=lambda side, task: side == "onnx_udf")
    found = measured(["job", "onnx_udf", "daft_threads"], processes)
    assert list(found["sides"]) == ["job", "daft_threads"]
    assert found["left_out"] == {
        "onnx_udf": {
            "title": SIDES["onnx_udf"].title,
            "reason": "ValueError: no such operation",
        }
    }


def test_a_side_that_cannot_load_the_model_does_not_run(measured):
    processes = FakeProcesses()
    found = measured(["job", "onnx_udf"], processes, {"onnx_udf": "no such operation"})
    assert found["left_out"]["onnx_udf"]["reason"] == "no such operation"
    assert {side for side, _ in processes.runs} == {"job"}


def test_a_failure_of_tfspark_ends_the_run(measured):
    with pytest.raises(SideError):
        measured(["job"], FakeProcesses(failing=lambda side, task: True))


def test_the_settings_of_ray_are_searched_once_and_kept(measured, tmp_path):
    def fails(side, task):
        return dict(task.settings)["format"] == "numpy"

    first = measured(["ray"], FakeProcesses(fails))["sides"]["ray"]
    (file,) = (tmp_path / "searches").iterdir()
    assert json.loads(file.read_text())["fastest"] == {"batch": first["batch"], **first["settings"]}
    assert [one["seconds"] for one in first["search"] if one["format"] == "numpy"] == [None]
    again = FakeProcesses(fails)
    assert measured(["ray"], again)["sides"]["ray"]["settings"] == first["settings"]
    assert len(again.runs) == 1 + 2  # the warm-up and the rounds


def test_the_reason_is_the_line_about_the_operations():
    lines = [
        "RuntimeError: Exception from core.cpp:84:",
        "-- No conversion rule found: StringLower",
    ]
    error = SideError("\n".join([*lines, "", "To facilitate the conversion, refer to …"]))
    assert reason_of(error) == "No conversion rule found: StringLower"


def test_a_reason_without_a_named_error_is_the_last_line():
    assert reason_of(SideError("gave no answer in 1200 s:\nwaiting\n\n")) == "waiting"
    assert reason_of(AssertionError()) == "AssertionError"


@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        ("os.kill(os.getpid(), 11)", "the process was killed by SIGSEGV"),
        ("raise ValueError('no model')", "ValueError: no model"),
        ("sys.exit(3)", "the process ended with 3"),
    ],
)
def test_a_process_that_ends_is_an_error_with_the_reason(tmp_path, ends, reason):
    code = f'import os, sys; print(\'{{"sides": ["a"]}}\', flush=True); input(); {ends}'
    with (
        Process([sys.executable, "-c", code], tmp_path / "log") as process,
        pytest.raises(SideError) as caught,
    ):
        process.run("a", TASK)
    assert reason_of(caught.value) == reason


def test_each_setting_is_tried_with_the_fastest_values_of_those_before_it():
    tried = []

    def run(task):
        found = settings_of(task)
        tried.append(tuple(found.values()))
        return 100 / found["batch"] + 10 * found["actors"]

    start = changed(TASK, {"actors": 1})
    best, seconds = fastest(run, start, {"batch": (1, 2, 4), "actors": (0, 1, 2)})
    assert settings_of(best) == {"batch": 4, "actors": 0}
    assert seconds[best] == 25
    assert list(dict.fromkeys(tried)) == [(2, 1), (1, 1), (4, 1), (4, 0), (4, 2)]


@pytest.mark.parametrize(("second", "expected"), [(9.0, 1), (12.0, 2)])
def test_a_close_try_is_repeated_so_that_one_slow_run_does_not_decide(second, expected):
    runs = {1: iter([11.0, second]), 2: iter([10.0, 10.0])}
    best, _ = fastest(lambda task: next(runs[task.batch]), TASK, {"batch": (1, 2)})
    assert best.batch == expected


def test_settings_that_fail_are_not_chosen():
    best, seconds = fastest(
        lambda task: inf if task.batch == 1 else 5.0, TASK, {"batch": (1, 2, 4)}
    )
    assert best.batch == 2
    assert seconds[changed(TASK, {"batch": 1})] == inf


def test_a_task_keeps_its_settings_as_json():
    task = changed(TASK, {"batch": 7, "format": "numpy", "zero_copy": True})
    assert Task.from_json(task.to_json()) == task
