import errno
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tfspark import handle
from tfspark.cache import EngineCache
from tfspark.engine import EngineOptions
from tfspark.errors import EngineError, InvalidModelError, ModelNotFoundError
from tfspark.handle import ModelHandle, PathSource, cache_root, unpacked
from tfspark.package import load
from tfspark.saved_model.files import digest_of
from tfspark.testing import FakeEngine


@pytest.fixture
def loads(monkeypatch):
    """The export dirs that were loaded, by fake engines in a cache of the test's own."""
    seen = []

    def load_engine(export_dir, tags, signature, options):
        seen.append((export_dir, tags, signature.name, options))
        return FakeEngine(dict)

    monkeypatch.setattr(handle, "ENGINES", EngineCache())
    monkeypatch.setattr(handle, "load_engine", load_engine)
    return seen


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The cache folder of this node."""
    monkeypatch.setenv("TFSPARK_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def packed(make_model):
    return load(make_model(shards=2))


def bring(package):
    return unpacked(package.digest, package.size, package.pack_bytes)


def never():
    raise AssertionError("asked for the archive")


# --- the handle -----------------------------------------------------------------------------------


def test_a_handle_opens_the_model_once(make_model, loads):
    path = make_model()
    one = ModelHandle.of(load(path))
    engine = one.open()
    shutil.rmtree(path)
    again = pickle.loads(pickle.dumps(one))
    assert again == one
    assert again.open() is engine
    assert loads == [(str(path), ("serve",), "serving_default", EngineOptions())]


def test_graphs_of_one_file_are_told_apart_by_tags(make_model, meta_graph, loads):
    path = make_model(meta_graph(), meta_graph(tags=["serve", "gpu"]))
    plain = ModelHandle.of(load(path))
    gpu = ModelHandle.of(load(path, tags=["serve", "gpu"]))
    assert plain.open() is not gpu.open()
    assert [tags for _, tags, _, _ in loads] == [("serve",), ("serve", "gpu")]


def test_a_handle_pickles_small(make_model):
    path = make_model()
    (path / "variables" / "variables.data-00000-of-00001").write_bytes(bytes(5_000_000))
    assert len(pickle.dumps(ModelHandle.of(load(path)))) < 2_000


@pytest.mark.parametrize(("where", "words"), [("plane/3", "plane version 3"), ("bare", "bare")])
def test_a_handle_has_a_title(make_model, where, words):
    package = load(make_model(where=where))
    assert ModelHandle.of(package).title == f"{words} ({package.digest[:12]})"


def test_a_shared_path_must_hold_the_model_of_the_driver(make_model, loads):
    path = make_model()
    one = ModelHandle.of(load(path))
    (path / "variables" / "variables.index").write_bytes(b"INDEX")
    with pytest.raises(InvalidModelError, match="is not the one that the driver read"):
        one.open()
    assert loads == []


def test_a_shared_path_must_be_there():
    with pytest.raises(ModelNotFoundError, match="A worker does not see the model folder"):
        PathSource("/no/such/folder").locate("digest", 0)


# --- unpacked once per node -----------------------------------------------------------------------


def test_a_model_is_unpacked_once(packed, root):
    folder = bring(packed)
    assert folder == root / packed.digest
    assert digest_of(folder) == packed.digest
    assert unpacked(packed.digest, packed.size, never) == folder


def test_eight_threads_unpack_once(packed, root):
    calls = []

    def archive():
        calls.append(1)
        return packed.pack_bytes()

    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: unpacked(packed.digest, packed.size, archive), range(8)))
    assert folders == {root / packed.digest}
    assert len(calls) == 1


def test_who_waited_for_the_lock_finds_the_model(packed, root, monkeypatch):
    locked = handle._locked

    @contextmanager
    def another_was_faster(path):
        monkeypatch.setattr(handle, "_locked", locked)
        bring(packed)
        with locked(path):
            yield

    monkeypatch.setattr(handle, "_locked", another_was_faster)
    assert unpacked(packed.digest, packed.size, never) == root / packed.digest


PROCESS = """
import sys
from tfspark.handle import unpacked
from tfspark.package import load
package = load(sys.argv[1])
def archive():
    with open(sys.argv[2], "a") as log:
        log.write("unpacked\\n")
    return package.pack_bytes()
print("ready", flush=True)
sys.stdin.readline()
print(load(unpacked(package.digest, package.size, archive)).digest)
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
    assert unpacked(packed.digest, packed.size, never) == root / packed.digest


def test_a_model_that_is_open_is_not_hashed_again(packed, root, loads, monkeypatch):
    @dataclass(frozen=True)
    class PackedSource:
        def locate(self, digest, size):
            return unpacked(digest, size, packed.pack_bytes)

    one = ModelHandle.of(packed, PackedSource())
    engine = one.open()
    monkeypatch.setattr(handle, "digest_of", lambda folder: pytest.fail("hashed again"))
    assert one.open() is engine


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
        unpacked(packed.digest, packed.size, lambda: content)
    assert [path.name for path in root.iterdir()] == [f"{packed.digest}.lock"]
    assert digest_of(bring(packed)) == packed.digest


def test_a_full_disk_is_told_with_the_way_out(packed, root, monkeypatch):
    def full(archive, target, size):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(handle, "unpack", full)
    with pytest.raises(EngineError, match="No space left on device") as caught:
        bring(packed)
    assert f"cannot keep models in its cache folder {root}" in str(caught.value)
    assert "TFSPARK_CACHE_DIR" in str(caught.value)


def test_bytes_that_do_not_arrive_are_not_the_fault_of_the_cache(packed, root):
    def lost():
        raise OSError("broadcast 0 is gone")

    with pytest.raises(EngineError, match=r"did not reach this worker\.\n.*broadcast 0 is gone"):
        unpacked(packed.digest, packed.size, lost)


# --- the cache folder -----------------------------------------------------------------------------


def test_the_cache_folder_is_private(root):
    assert cache_root() == root
    assert root.stat().st_mode & 0o777 == 0o700


def test_by_default_the_cache_is_a_folder_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv("TFSPARK_CACHE_DIR", raising=False)
    monkeypatch.setattr(handle.tempfile, "gettempdir", lambda: str(tmp_path))
    assert cache_root() == tmp_path / f"tfspark-{handle.os.getuid()}"


def test_the_cache_of_another_user_is_refused(root, monkeypatch):
    owner = cache_root().stat().st_uid
    monkeypatch.setattr(handle.os, "getuid", lambda: owner + 1)
    with pytest.raises(EngineError, match=f"of the user with the number {owner}\n"):
        cache_root()


def test_a_file_in_place_of_the_cache_is_refused(root):
    Path(root).write_text("a file")
    with pytest.raises(EngineError, match="File exists"):
        cache_root()
