import pickle
import shutil
from dataclasses import dataclass

import pytest

from tfspark import handle, node_folder
from tfspark.cache import EngineCache
from tfspark.engine import EngineOptions
from tfspark.errors import InvalidModelError, ModelNotFoundError
from tfspark.handle import ModelHandle, PathSource
from tfspark.package import load
from tfspark.testing import FakeEngine


@pytest.fixture
def loads(monkeypatch):
    """The export dirs that fake engines loaded, in a separate cache for the test."""
    seen = []

    def load_engine(export_dir, tags, signature, options):
        seen.append((export_dir, tags, signature.name, options))
        return FakeEngine(dict)

    monkeypatch.setattr(handle, "ENGINES", EngineCache())
    monkeypatch.setattr(handle, "load_engine", load_engine)
    return seen


def test_a_handle_opens_the_model_once(make_model, loads):
    path = make_model()
    one = ModelHandle.of(load(path))
    engine = one.open()
    shutil.rmtree(path)
    again = pickle.loads(pickle.dumps(one))
    assert again == one
    assert again.open() is engine
    options = EngineOptions(digest=one.digest)
    assert loads == [(str(path), ("serve",), "serving_default", options)]


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


def test_a_model_that_is_open_is_not_hashed_again(make_model, tmp_path, loads, monkeypatch):
    monkeypatch.setenv("TFSPARK_CACHE_DIR", str(tmp_path / "cache"))
    packed = load(make_model())

    @dataclass(frozen=True)
    class PackedSource:
        def locate(self, digest, size):
            return node_folder.unpacked(digest, size, [packed.pack_bytes()])

    one = ModelHandle.of(packed, PackedSource())
    engine = one.open()
    monkeypatch.setattr(node_folder, "digest_of", lambda *_, **__: pytest.fail("hashed again"))
    assert one.open() is engine
