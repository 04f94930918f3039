"""Files that another user may have put into the cache folder of a node."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.security.hostile_models import write_model
from tfspark import node_folder
from tfspark.errors import EngineError
from tfspark.node_folder import cache_root, unpacked
from tfspark.package import load
from tfspark.saved_model.files import digest_of


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The cache folder of this node, not made yet."""
    monkeypatch.setenv("TFSPARK_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def packed(tmp_path):
    return load(write_model(tmp_path / "model" / "1"))


def bring(package):
    return unpacked(package.digest, package.size, [package.pack_bytes()])


def refusal(package):
    with pytest.raises(EngineError, match="cannot keep models in its cache folder") as caught:
        bring(package)
    return str(caught.value)


# --- the cache folder -----------------------------------------------------------------------------


def test_a_cache_folder_that_is_a_link_is_refused(packed, root, tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    root.symlink_to(tmp_path / "elsewhere")
    assert "found:    a link\nHint: set the folder itself" in refusal(packed)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_default_folder_planted_as_a_link_is_refused(packed, tmp_path, monkeypatch):
    monkeypatch.delenv("TFSPARK_CACHE_DIR", raising=False)
    monkeypatch.setattr(node_folder.tempfile, "gettempdir", lambda: str(tmp_path))
    shutil.copytree(packed.path, tmp_path / "evil" / packed.digest)
    (tmp_path / f"tfspark-{os.getuid()}").symlink_to("evil")
    assert "a link" in refusal(packed)


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777])
def test_a_cache_folder_that_others_can_write_is_refused(packed, root, mode):
    root.mkdir()
    root.chmod(mode)
    text = refusal(packed)
    assert f"mode {mode:o}, so other users can write to it" in text
    assert f"Hint: run chmod go-w {root}" in text
    root.chmod(mode & ~0o22)
    assert digest_of(bring(packed)) == packed.digest


@pytest.mark.parametrize("levels", [1, 2])
def test_a_folder_above_in_which_anybody_renames_is_refused(packed, tmp_path, monkeypatch, levels):
    above = tmp_path / "shared"
    above.mkdir()
    cache = above.joinpath(*"ab"[:levels])
    monkeypatch.setenv("TFSPARK_CACHE_DIR", str(cache))
    cache_root()
    above.chmod(0o777)
    text = refusal(packed)
    assert f"{above} has mode 777, so every user can replace what is in it" in text
    assert f"chmod o-w {above}, or chmod +t" in text
    above.chmod(0o1777)
    assert digest_of(bring(packed)) == packed.digest


def test_a_folder_above_is_looked_at_behind_its_link(packed, tmp_path, monkeypatch):
    (tmp_path / "open" / "inside").mkdir(parents=True)
    (tmp_path / "link").symlink_to("open/inside")
    monkeypatch.setenv("TFSPARK_CACHE_DIR", str(tmp_path / "link" / "cache"))
    assert digest_of(bring(packed)) == packed.digest
    (tmp_path / "open").chmod(0o777)
    assert "has mode 777" in refusal(packed)


def test_the_folders_that_are_made_are_private_under_any_umask(packed, tmp_path, monkeypatch):
    monkeypatch.setenv("TFSPARK_CACHE_DIR", str(tmp_path / "a" / "b"))
    before = os.umask(0)
    try:
        folder = bring(packed)
    finally:
        os.umask(before)
    for made in (folder.parent.parent, folder.parent, *folder.parent.rglob("*")):
        assert made.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
@pytest.mark.parametrize("kind", ["root", "folder", "inside", "lock"])
def test_what_belongs_to_another_user_is_not_used(packed, root, kind):
    folder = bring(packed)
    lock = root / f"{packed.digest}.lock"
    inside = folder / "variables"
    entry = {"root": root, "folder": folder, "inside": inside, "lock": lock}[kind]
    os.chown(entry, 65534, 65534)
    if entry in (folder, inside):
        bring(packed)
        assert entry.stat().st_uid == os.getuid()
        return
    if kind == "lock":
        shutil.rmtree(folder)
    assert "the id 65534" in (text := refusal(packed)) or "not a regular file of this user" in text


def test_what_belongs_to_another_number_is_not_used(packed, root, monkeypatch):
    bring(packed)
    owner = os.getuid()
    monkeypatch.setattr(node_folder.os, "getuid", lambda: owner + 1)
    assert f"a folder of the user with the id {owner}" in refusal(packed)


# --- its content ----------------------------------------------------------------------------------


def plant_link(folder, tmp_path):
    """Link to the same bytes in a folder that somebody else changes later."""
    folder.rename(tmp_path / "theirs")
    folder.symlink_to(tmp_path / "theirs")


def plant_inner_link(folder, tmp_path):
    (folder / "variables").rename(tmp_path / "theirs")
    (folder / "variables").symlink_to(tmp_path / "theirs")


def plant_file_link(folder, tmp_path):
    (folder / "saved_model.pb").rename(tmp_path / "theirs")
    (folder / "saved_model.pb").symlink_to(tmp_path / "theirs")


def open_to_others(folder, tmp_path):
    folder.chmod(0o777)


def open_a_file_to_others(folder, tmp_path):
    (folder / "saved_model.pb").chmod(0o666)


def open_a_folder_to_others(folder, tmp_path):
    (folder / "variables").chmod(0o770)


def other_content(folder, tmp_path):
    file = folder / "variables" / "variables.index"
    file.write_bytes(b"X" * file.stat().st_size)


def a_file(folder, tmp_path):
    shutil.rmtree(folder)
    folder.write_bytes(b"file")


@pytest.mark.parametrize(
    "plant",
    [
        plant_link,
        plant_inner_link,
        plant_file_link,
        open_to_others,
        open_a_file_to_others,
        open_a_folder_to_others,
        other_content,
        a_file,
    ],
)
def test_a_planted_entry_is_replaced_and_not_followed(packed, root, tmp_path, plant):
    plant(bring(packed), tmp_path)
    folder = bring(packed)
    assert digest_of(folder, private=True) == packed.digest
    assert not folder.is_symlink()
    assert folder.stat().st_mode & 0o777 == 0o700
    if (tmp_path / "theirs").is_dir():
        assert list((tmp_path / "theirs").iterdir())


# --- the lock -------------------------------------------------------------------------------------


@pytest.fixture
def lock(root, packed):
    return cache_root() / f"{packed.digest}.lock"


def test_a_lock_that_is_a_link_is_refused_and_its_target_kept(packed, lock, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    lock.symlink_to(victim)
    assert str(lock) in refusal(packed)
    assert victim.read_text() == "precious"
    victim.unlink()
    refusal(packed)
    assert not victim.exists()


def test_a_hard_link_in_place_of_the_lock_loses_nothing(packed, lock, tmp_path):
    (tmp_path / "victim").write_text("precious")
    lock.hardlink_to(tmp_path / "victim")
    bring(packed)
    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_a_lock_that_is_no_file_is_refused(packed, lock, make):
    make(lock)
    assert str(lock) in refusal(packed)


def test_the_lock_is_not_inherited_by_child_processes(packed, lock, monkeypatch):
    seen = []
    monkeypatch.setattr(
        node_folder.fcntl,
        "flock",
        lambda descriptor, _: seen.append(os.get_inheritable(descriptor)),
    )
    bring(packed)
    assert seen == [False]
