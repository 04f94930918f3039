"""Models of MLflow, with a fake registry; `tests/compat/mlflow_registry.py` has a real one."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import tfspark
from tfspark import mlflow_models
from tfspark.errors import InvalidModelError, ModelNotFoundError, TimeLimitError, UsageError
from tfspark.testing import save_linear


class MlflowError(Exception):
    """Stands for MlflowException."""


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The artifacts of version 3 of `price`, whose alias is `champion`, in a fake MLflow."""
    folder = tmp_path / "artifacts"
    folder.mkdir()

    def version(name: str, number: str) -> Any:
        if (name, number) != ("price", "3"):
            raise MlflowError(f"no version {number} of {name}")
        return SimpleNamespace(version=3)

    def alias(name: str, alias: str) -> Any:
        return version(name, "3" if alias == "champion" else alias)

    def download(artifact_uri: str, dst_path: str) -> None:
        assert artifact_uri in ("models:/price/3", "runs:/12ab/model")
        shutil.copytree(folder, dst_path, dirs_exist_ok=True)

    def run(run_id: str) -> None:
        if run_id != "12ab":
            raise MlflowError(f"no run {run_id}")

    client = SimpleNamespace(
        get_model_version=version, get_model_version_by_alias=alias, get_run=run
    )
    modules: dict[str, dict[str, Any]] = {
        "mlflow": {
            "MlflowClient": lambda: client,
            "artifacts": SimpleNamespace(download_artifacts=download),
        },
        "mlflow.exceptions": {"MlflowException": MlflowError},
    }
    for name, content in modules.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return folder


@pytest.mark.parametrize(
    ("uri", "name", "version", "source"),
    [
        ("models:/price@champion", "price", 3, "models:/price/3"),
        ("models:/price/3", "price", 3, "models:/price/3"),
        ("runs:/12ab/model", "model", None, "runs:/12ab/model"),
    ],
)
def test_a_model_has_the_version_of_the_registry(
    artifacts: Path, uri: str, name: str, version: int | None, source: str
) -> None:
    there = save_linear(artifacts / "data" / "model")
    package = tfspark.load(uri)
    assert (package.name, package.version, package.source) == (name, version, source)
    assert package.digest == tfspark.load(there).digest
    assert tfspark.lint(uri) == []


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("models:/price@challenger", "found:    no version challenger of price"),
        ("models:/price/4", "found:    no version 4 of price"),
        ("runs:/34cd/model", "found:    no run 34cd"),
        ("models:/price", "does not name a version"),
    ],
)
def test_a_model_that_does_not_exist(artifacts: Path, uri: str, message: str) -> None:
    with pytest.raises(ModelNotFoundError, match=message):
        tfspark.load(uri)


def test_a_version_is_given_once(artifacts: Path) -> None:
    with pytest.raises(UsageError, match="leave out the option version"):
        tfspark.load("models:/price@champion", version=3)


def test_artifacts_without_a_model_or_with_several(artifacts: Path) -> None:
    (artifacts / "card.md").touch()
    with pytest.raises(InvalidModelError, match=r"found:    'card\.md'"):
        tfspark.load("models:/price/3")
    for name in ("a", "b"):
        save_linear(artifacts / name)
    with pytest.raises(InvalidModelError, match="found:    'a', 'b'"):
        tfspark.load("models:/price/3")


def test_requests_are_limited_unless_the_user_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    retries, timeout = mlflow_models._LIMITS
    monkeypatch.delenv(retries, raising=False)
    monkeypatch.setenv(timeout, "7")
    with mlflow_models.limited_requests():
        assert (os.environ[retries], os.environ[timeout]) == ("5", "7")
    assert (os.environ.get(retries), os.environ[timeout]) == (None, "7")


def test_a_model_of_another_flavor(artifacts: Path) -> None:
    text = (
        "artifact_path: m\nflavors:\n  python_function:\n    env: {}\n  sklearn:\n    code: null\n"
    )
    (artifacts / "MLmodel").write_text(f"{text}run_id: 12ab\n")
    with pytest.raises(InvalidModelError, match="a model of the flavor 'sklearn' with the files"):
        tfspark.load("models:/price/3")


def test_a_keras_model_is_exported_in_another_process(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = save_linear(tmp_path / "exported")
    (artifacts / "model.keras").touch()
    export = f"import shutil; '{{0}}'; shutil.copytree({str(there)!r}, {{1!r}})"
    monkeypatch.setattr(mlflow_models, "_EXPORT", export)
    assert tfspark.load("models:/price/3").digest == tfspark.load(there).digest


def test_an_export_imports_nothing_from_the_current_folder(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = save_linear(tmp_path / "exported")
    (artifacts / "model.keras").touch()
    (tmp_path / "planted_module.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    export = (
        "import importlib.util, shutil; '{0}'; assert importlib.util.find_spec('planted_module') "
        f"is None; shutil.copytree({str(there)!r}, {{1!r}})"
    )
    monkeypatch.setattr(mlflow_models, "_EXPORT", export)
    assert tfspark.load("models:/price/3").digest == tfspark.load(there).digest


def test_a_pinned_keras_model_is_not_loaded(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (artifacts / "model.keras").touch()
    mark = tmp_path / "mark"
    monkeypatch.setattr(mlflow_models, "_EXPORT", f"open({str(mark)!r}, 'w'), {{0!r}}, {{1!r}}")
    with pytest.raises(InvalidModelError, match="cannot be checked before Keras loads it"):
        tfspark.load("models:/price/3", sha256="0" * 64)
    assert not mark.exists()


def test_without_keras_the_error_has_the_line_that_exports(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (artifacts / "model.keras").touch()
    monkeypatch.setattr(mlflow_models, "_EXPORT", "import keras_is_not_installed, {0!r}, {1!r}")
    with pytest.raises(InvalidModelError, match="cannot export it") as caught:
        tfspark.load("models:/price/3")
    assert "'model.keras', '/path/to/model/1'" in str(caught.value)


def test_an_export_that_does_not_end_is_stopped(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (artifacts / "model.keras").touch()
    monkeypatch.setattr(mlflow_models, "_EXPORT", "'{0}', '{1}'; import signal; signal.pause()")
    monkeypatch.setattr(mlflow_models, "_EXPORT_SECONDS", 0.1)
    with pytest.raises(TimeLimitError, match="did not finish exporting it"):
        tfspark.load("models:/price/3")
