"""Checks before any row is read: memory, space, versions."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark.sql import SparkSession

from tfspark.bound_models import NamedModel
from tfspark.data_files.listing import DataFile
from tfspark.engine import EngineOptions
from tfspark.errors import EngineError, NoSpaceError, UsageError
from tfspark.options import DEFAULTS, AnyEngine
from tfspark.scoring import preflight
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.job import BatchJob
from tfspark.scoring.preflight import check_settings, check_space
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.worker_versions import _check_versions

MIB = 1 << 20


def session(**settings: str) -> Any:
    found = {f"spark.executor.{name.replace('_', '.')}": one for name, one in settings.items()}
    return SimpleNamespace(conf=SimpleNamespace(get=found.get))


@pytest.mark.parametrize(
    "settings",
    [
        {"pyspark_memory": "900m"},
        {"pyspark_memory": "1023"},
        {"pyspark_memory": "3g", "cores": "4"},
    ],
)
@pytest.mark.parametrize("engine", ["auto", "fastest"])
def test_too_little_memory_for_tensorflow_is_refused(
    settings: dict[str, str], engine: AnyEngine
) -> None:
    with pytest.raises(UsageError) as caught:
        check_settings(session(**settings), engine)
    assert f"spark.executor.pyspark.memory={settings['pyspark_memory']}" in str(caught.value)
    assert f"at least {settings.get('cores', 1)}g" in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [{}, {"pyspark_memory": "1g"}, {"pyspark_memory": "4 GB", "cores": "4"}, {"cores": "4"}],
)
def test_enough_memory_passes(settings: dict[str, str]) -> None:
    check_settings(session(**settings))


def test_an_engine_without_tensorflow_needs_less_memory() -> None:
    check_settings(session(pyspark_memory="900m"), "openvino")


def plan_of(size: int) -> Any:
    return SimpleNamespace(snapshot=["uri", DataFile("a", size // 2), DataFile("b", size // 2)])


JOB = BatchJob("m", Dataset("in"), Dataset("out"))


@pytest.mark.parametrize(
    ("free", "size", "keep"),
    [(MIB - 1, 2, None), (99 * MIB, 2000 * MIB, None), (MIB // 2, 0, ["a"])],
)
def test_an_output_without_space_is_refused(
    free: int, size: int, keep: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "_free_bytes", lambda spark, path: free)
    job = BatchJob("m", Dataset("in"), Dataset("out"), keep=keep)
    with pytest.raises(NoSpaceError, match="There is no space for the output"):
        check_space(session(), job, plan_of(size))


def test_an_output_that_may_not_fit_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(preflight, "_free_bytes", lambda spark, path: 900 * MIB)
    check_space(session(), JOB, plan_of(1000 * MIB))
    (record,) = caplog.records
    assert record.getMessage() == (
        "the input has 1000.0 MiB, but only 900.0 MiB are free for the output"
    )


def test_an_output_that_fits_passes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for free in (None, 1 << 60):
        monkeypatch.setattr(preflight, "_free_bytes", lambda spark, path, free=free: free)
        check_space(session(), JOB, plan_of(1000 * MIB))
    check_space(session(), BatchJob("m", Dataset("in"), Dataset(table="t")), plan_of(1 << 60))
    assert not caplog.records


def test_free_space_is_that_of_the_first_folder_above(spark: SparkSession, tmp_path: Path) -> None:
    free = HadoopFiles(spark, str(tmp_path)).free_bytes(str(tmp_path / "a" / "b" / "c"))
    assert free > MIB


VERSIONS = {"python": "3.11.1", "tfspark": "1", "pyarrow": "20", "tensorflow": "2.21"}


@pytest.mark.parametrize(
    ("worker", "words"),
    [
        ({"tensorflow": None}, "The workers have no tensorflow."),
        ({"tfspark": "2"}, "tfspark 1 on the driver, tfspark 2 on the workers"),
        ({"python": "3.12.1"}, "python 3.11.1 on the driver, python 3.12.1 on the workers"),
    ],
)
def test_versions_with_which_no_job_can_run_are_refused(
    worker: dict[str, str | None], words: str
) -> None:
    found = {name: one for name, one in {**VERSIONS, **worker}.items() if one is not None}
    with pytest.raises(EngineError) as caught:
        _check_versions(VERSIONS, found, "auto")
    assert words in str(caught.value)
    assert "Hint: " in str(caught.value)


def test_other_versions_that_differ_are_warnings(caplog: pytest.LogCaptureFixture) -> None:
    _check_versions(VERSIONS, {**VERSIONS, "pyarrow": "21", "python": "3.11.9"}, "auto")
    (record,) = caplog.records
    assert record.getMessage().startswith("pyarrow 20 on the driver, pyarrow 21 on the workers: ")


def test_a_driver_needs_no_tensorflow(caplog: pytest.LogCaptureFixture) -> None:
    driver = {name: one for name, one in VERSIONS.items() if name != "tensorflow"}
    _check_versions(driver, VERSIONS, "auto")
    assert not caplog.records


def test_a_session_opens_the_same_models_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[Any]()

    def answer(spark: Any, probe: Any, **_: Any) -> dict[str, str]:
        asked.append((spark, probe))
        return {"python": "3"}

    def handle(spark: Any, package: str, options: Any, _choice: object) -> Any:
        return SimpleNamespace(digest=package, tags=(), signature="s", options=EngineOptions())

    monkeypatch.setattr(preflight, "worker_versions", answer)
    monkeypatch.setattr(preflight, "handle_of", handle)
    monkeypatch.setattr(preflight, "title_of", str)
    one, other = (cast("SparkSession", type("Session", (), {})()) for _ in range(2))
    for spark, models in [(one, "ab"), (one, "ab"), (one, "a"), (other, "a")]:
        found: Any = [NamedModel("", cast("Any", package), DEFAULTS, {}) for package in models]
        assert preflight.open_models(spark, found) == {"python": "3"}
    assert [
        (spark is one, [handle.digest for handle in probe.handles]) for spark, probe in asked
    ] == [
        (True, ["a", "b"]),
        (True, ["a"]),
        (False, ["a"]),
    ]
