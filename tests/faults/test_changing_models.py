"""The folder of a model changes before or during a job: a typed error, or the old model's rows."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.numbered_rows import NEW
from tests.faults.reader import files_of, rows_of
from tfspark.package import load
from tfspark.scoring import batch

pytestmark = pytest.mark.faults

Change = Callable[[Path, random.Random, Path], None]
MUTATIONS = 50 if os.environ.get("ROUNDS") else 2


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model with the same signature."""
    import tensorflow as tf

    from tfspark.testing import save_function

    spec = tf.TensorSpec((None, 2), tf.float32, name="inputs")
    base = tmp_path_factory.mktemp("another") / "model"
    return save_function(base, lambda inputs: {"outputs": inputs[:, :1] + 100.0}, spec)


def replaced(model: Path, chance: random.Random, another: Path) -> None:
    """Replace the model by another one; for a moment, no model exists."""
    shutil.rmtree(model)
    (model / "assets.extra").mkdir(parents=True)
    (model / "assets.extra" / "note").write_text(str(chance.random()))
    shutil.copytree(next(another.rglob("saved_model.pb")).parent, model, dirs_exist_ok=True)


def truncated(model: Path, chance: random.Random, another: Path) -> None:
    file = _any_file(model, chance)
    content = file.read_bytes()
    file.write_bytes(content[: chance.randrange(len(content))])


def flipped(model: Path, chance: random.Random, another: Path) -> None:
    file = _any_file(model, chance)
    content = bytearray(file.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    file.write_bytes(content)


def removed(model: Path, chance: random.Random, another: Path) -> None:
    _any_file(model, chance).unlink()


def _any_file(model: Path, chance: random.Random) -> Path:
    files = [path for path in sorted(model.rglob("*")) if path.is_file() and path.stat().st_size]
    return chance.choice(files)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("distribute", ["broadcast", "path"])
@pytest.mark.parametrize("change", [replaced, truncated, flipped, removed])
def test_a_model_that_changes_during_the_job(
    change: Change,
    distribute: str,
    job: Any,
    linear: Path,
    another: Path,
    figure: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    execute, ended = batch.execute, Counter[int]()
    for seed in range(MUTATIONS):
        chance, place = random.Random(seed), tmp_path / str(seed)
        model = own_copy(linear, place / "model", f"{change.__name__} {distribute} {seed}")

        def change_and_execute(
            *args: Any, model: Path = model, chance: random.Random = chance
        ) -> Any:
            change(model, chance, another)
            return execute(*args)

        monkeypatch.setattr(batch, "execute", change_and_execute)
        flags = ("--path", "direct", "--distribute", distribute)
        code = job(place / "out", *flags, model=model)
        check(code, place)
        ended[code] += 1
    figure(f"{change.__name__} during, {distribute}: exit codes {dict(ended)}")


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("change", [replaced, truncated, flipped, removed])
def test_a_model_that_changed_before_the_job_is_refused_by_its_digest(
    change: Change, job: Any, linear: Path, another: Path, tmp_path: Path
) -> None:
    for seed in range(MUTATIONS):
        place = tmp_path / str(seed)
        model = own_copy(linear, place / "model", f"{change.__name__} {seed}")
        digest = load(model).digest
        change(model, random.Random(seed), another)
        assert job(place / "out", "--model-sha256", digest, model=model) in (65, 66)
        assert not (place / "out").exists()


def own_copy(linear: Path, model: Path, note: str) -> Path:
    """Copy a model and change its digest, so that no worker has loaded it."""
    shutil.copytree(linear / "1", model)
    (model / "assets.extra").mkdir()
    (model / "assets.extra" / "note").write_text(note)
    return model


def check(code: int, place: Path) -> None:
    """Check that the job ended with a typed error, or with all rows of the old model."""
    assert code in (0, 65, 66)
    if code:
        assert not (place / "out").exists()
        return
    assert rows_of(files_of(place / "out")) == NEW
    assert predictions(place / "out") == [2.0 * one + 3.0 for one in NEW]


def predictions(folder: Path) -> list[float]:
    import pyarrow.parquet as pq

    return pq.read_table(folder).sort_by("id")["outputs"].to_pylist()
