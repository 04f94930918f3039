import errno
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError

import pytest

from tfspark import node_folder
from tfspark.errors import EngineError, InvalidModelError
from tfspark.node_folder import cache_root, unpacked
from tfspark.package import load
from tfspark.saved_model.files import digest_of


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The cache folder of this node."""
    monkeypatch.setenv("TFSPARK_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def packed(make_model):
    return load(make_model(shards=2))


def bring(package):
    return unpacked(package.digest, package.size, [package.pack_bytes()])


class Never:
    def __iter__(self):
        raise AssertionError("asked for the archive")


def test_a_model_is_unpacked_once(packed, root):
    folder = bring(packed)
    assert folder == root / packed.digest
    assert digest_of(folder) == packed.digest
    assert unpacked(packed.digest, packed.size, Never()) == folder


def test_eight_threads_unpack_once(packed, root):
    calls = []

    def archive():
        calls.append(1)
        yield packed.pack_bytes()

    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: unpacked(packed.digest, packed.size, archive()), range(8)))
    assert folders == {root / packed.digest}
    assert len(calls) == 1


def test_who_waited_for_the_lock_finds_the_model(packed, root, monkeypatch):
    locked = node_folder._locked

    @contextmanager
    def another_was_faster(path):
        monkeypatch.setattr(node_folder, "_locked", locked)
        bring(packed)
        with locked(path):
            yield

    monkeypatch.setattr(node_folder, "_locked", another_was_faster)
    assert unpacked(packed.digest, packed.size, Never()) == root / packed.digest


PROCESS = """
import sys
from tfspark.node_folder import unpacked
from tfspark.package import load
package = load(sys.argv[1])
def archive():
    with open(sys.argv[2], "a") as log:
        log.write("unpacked\\n")
    yield package.pack_bytes()
print("ready", flush=True)
sys.stdin.readline()
print(load(unpacked(package.digest, package.size, archive())).digest)
"""


def test_several_processes_unpack_once(packed, root, tmp_path):
    command = [sys.executable, "-c", PROCESS, packed.path, str(tmp_path / "log")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    digests = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert digests == {packed.digest}
    assert (tmp_path / "log").read_text() == "unpacked\n"


def lose_a_file(folder):
    (folder / "variables" / "variables.index").unlink()


def lose_everything(folder):
    shutil.rmtree(folder)


def cut_a_file_off(folder):
    (folder / "saved_model.pb").write_bytes(b"cut")


def edit_a_file(folder):
    (folder / "variables" / "variables.index").write_bytes(b"INDEX")  # as many bytes as before


def swap_files(folder):
    shards = sorted((folder / "variables").glob("variables.data*"))
    one, other = (shard.read_bytes() for shard in shards)
    shards[0].write_bytes(other)
    shards[1].write_bytes(one)


def go_in_circles(folder):
    (folder / "variables" / "up").symlink_to("..")


@pytest.mark.parametrize(
    "damage",
    [lose_a_file, lose_everything, cut_a_file_off, edit_a_file, swap_files, go_in_circles],
)
def test_a_damaged_folder_is_replaced_and_one_line_says_so(packed, root, damage, caplog):
    damage(bring(packed))
    assert caplog.messages == []
    assert digest_of(bring(packed)) == packed.digest
    lines = [f"The model in {root / packed.digest} has changed since it was unpacked"]
    assert [line.split(";")[0] for line in caplog.messages] == lines * (damage != lose_everything)
    assert unpacked(packed.digest, packed.size, Never()) == root / packed.digest


def test_what_a_killed_process_left_is_removed(packed, root):
    left = root / f"{packed.digest}.abc123"
    (left / "variables").mkdir(parents=True)
    other = root / "0123.abc123"
    other.mkdir()
    bring(packed)
    assert sorted(path.name for path in root.iterdir()) == sorted(
        [packed.digest, f"{packed.digest}.lock", other.name]
    )


@pytest.mark.parametrize("kind", ["another model", "cut off"])
def test_bytes_of_another_digest_are_refused_and_leave_nothing(packed, make_model, root, kind):
    content = packed.pack_bytes()[:900]
    if kind == "another model":
        content = load(make_model(where="other/1", assets=["a"])).pack_bytes()
    with pytest.raises(InvalidModelError):
        unpacked(packed.digest, packed.size, [content])
    assert [path.name for path in root.iterdir()] == [f"{packed.digest}.lock"]
    assert digest_of(bring(packed)) == packed.digest


def test_a_full_disk_is_told_with_the_way_out(packed, root, monkeypatch):
    def full(archive, target, size):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(node_folder, "unpack", full)
    with pytest.raises(EngineError, match="No space left on device") as caught:
        bring(packed)
    assert f"cannot keep models in its cache folder {root}" in str(caught.value)
    assert "TFSPARK_CACHE_DIR" in str(caught.value)


@pytest.mark.parametrize(
    "loss",
    [
        OSError("broadcast 7 is gone"),
        EOFError("broadcast 7 is empty"),
        UnpicklingError("broadcast 7 is cut off"),
    ],
)
def test_a_chunk_that_does_not_arrive_is_not_the_fault_of_the_cache(packed, root, loss):
    def chunks():
        yield packed.pack_bytes()[:1000]
        raise loss

    with pytest.raises(EngineError, match=r"did not reach this worker\.\n.*broadcast 7 is"):
        unpacked(packed.digest, packed.size, chunks())
    assert [path.name for path in root.iterdir()] == [f"{packed.digest}.lock"]


# --- the cache folder -----------------------------------------------------------------------------


def test_the_cache_folder_is_private(root):
    assert cache_root() == root
    assert root.stat().st_mode & 0o777 == 0o700


def test_by_default_the_cache_is_a_folder_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv("TFSPARK_CACHE_DIR", raising=False)
    monkeypatch.setattr(node_folder.tempfile, "gettempdir", lambda: str(tmp_path))
    assert cache_root() == tmp_path / f"tfspark-{node_folder.os.getuid()}"


def test_the_cache_of_another_user_is_refused(root, monkeypatch):
    owner = cache_root().stat().st_uid
    monkeypatch.setattr(node_folder.os, "getuid", lambda: owner + 1)
    with pytest.raises(EngineError, match=f"of the user with the id {owner}\n"):
        cache_root()


def test_a_file_in_place_of_the_cache_is_refused(root):
    Path(root).write_text("a file")
    with pytest.raises(EngineError, match="File exists"):
        cache_root()


@pytest.fixture
def three(make_model):
    """Three models with different digests."""
    first = Path(make_model())
    copies = [Path(shutil.copytree(first, first.with_name(f"copy-{n}"))) for n in range(3)]
    for copy in copies:
        (copy / "assets.extra").mkdir()
        (copy / "assets.extra" / "note").write_text(copy.name)
    return [load(copy) for copy in copies]


def test_a_model_that_nobody_opens_is_removed_when_another_one_is_unpacked(three, root):
    old, used, new = three
    for model in (old, used):
        bring(model)
        os.utime(root / f"{model.digest}.lock", (0, 0))
    assert bring(used).is_dir()
    bring(new)
    assert not (root / old.digest).exists()
    assert (root / used.digest).is_dir()
    assert unpacked(old.digest, old.size, [old.pack_bytes()]).is_dir()


def test_an_unused_model_that_another_process_unpacks_stays(three, root):
    old, new, _ = three
    bring(old)
    lock = root / f"{old.digest}.lock"
    os.utime(lock, (0, 0))
    with node_folder._locked(lock):
        bring(new)
    assert (root / old.digest).is_dir()


def test_old_files_that_are_no_models_stay(three, root):
    root.mkdir(mode=0o700)
    lock = root / "poetry.lock"
    for name in ("poetry", "poetry.lock"):
        (root / name).write_text("of a project")
        os.utime(root / name, (0, 0))
    bring(three[0])
    assert lock.read_text() == (root / "poetry").read_text() == "of a project"
