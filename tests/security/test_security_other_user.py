"""Attacks of a second user of a node: runs real processes of that user."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.security.hostile_models import write_model
from tfspark import node_folder
from tfspark.errors import EngineError
from tfspark.node_folder import unpacked
from tfspark.package import ModelPackage, load
from tfspark.saved_model.files import digest_of

OTHER = 65534

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can start a process of a second user"
)

AsOther = Callable[[str], int]


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder of the node that all users can write, like /tmp; it contains the cache.

    pytest's own folder, which only root can enter, must exist before TMPDIR changes.
    """
    assert tmp_path.exists()
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o1777)
    monkeypatch.delenv("TFSPARK_CACHE_DIR", raising=False)
    monkeypatch.setattr(node_folder.tempfile, "gettempdir", lambda: str(folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def as_other(shared: Path) -> AsOther:
    """Run a shell command in the shared folder as the second user; return its exit code."""

    def run(command: str) -> int:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=shared,
            user=OTHER,
            group=OTHER,
            extra_groups=[],
            env={"PATH": os.defpath},
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode

    assert run("touch reachable && rm reachable") == 0
    return run


@pytest.fixture
def packed(tmp_path: Path) -> ModelPackage:
    return load(write_model(tmp_path / "model" / "1"))


def bring(package: ModelPackage) -> Path:
    return unpacked(package.digest, package.size, [package.pack_bytes()])


@pytest.mark.parametrize(
    "plant",
    [
        "mkdir CACHE",
        "mkdir -m 777 CACHE",
        "mkdir theirs && ln -s theirs CACHE",
        "ln -s /nowhere CACHE",
        "touch CACHE",
        "mkfifo CACHE",
    ],
)
def test_a_cache_folder_of_another_user_is_refused(shared, as_other, packed, plant):
    cache = shared / f"tfspark-{os.getuid()}"
    assert as_other(plant.replace("CACHE", cache.name)) == 0
    with pytest.raises(EngineError, match="cannot keep models in its cache folder"):
        bring(packed)
    assert not any(path.name == "saved_model.pb" for path in shared.rglob("*"))
    assert as_other(f"rm -r {cache.name}") == 0  # it has no files of ours
    assert digest_of(bring(packed)) == packed.digest


@pytest.mark.parametrize(
    "attack",
    [
        "ls CACHE",
        "cat CACHE/MODEL/saved_model.pb",
        "echo evil > CACHE/MODEL/saved_model.pb",
        "ln -s /nowhere CACHE/MODEL/assets/link",
        "rm -f CACHE/MODEL.lock",
        "mkdir CACHE/MODEL.abc",
        "mv CACHE theirs",
        "rm -r CACHE",
        "chmod 777 CACHE",
    ],
)
def test_another_user_cannot_reach_into_the_cache(shared, as_other, packed, attack):
    folder = bring(packed)
    names = {"CACHE": folder.parent.name, "MODEL": packed.digest}
    for word, name in names.items():
        attack = attack.replace(word, name)
    assert as_other(attack) != 0
    assert digest_of(bring(packed), private=True) == packed.digest
    assert folder.stat().st_mode & 0o777 == 0o700
