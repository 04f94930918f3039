import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tfspark.cache import EngineCache
from tfspark.engine import EngineOptions
from tfspark.errors import EngineError
from tfspark.signature import Signature
from tfspark.testing import FakeEngine

SIGNATURE = Signature("serving_default", (), ())


def key(digest="a", tags=("serve",), signature=SIGNATURE, options=EngineOptions()):  # noqa: B008
    return digest, tags, signature, options


def engine():
    return FakeEngine(dict)


def never():
    raise AssertionError("loaded twice")


def test_a_key_is_loaded_once():
    cache = EngineCache()
    first = cache.get(key(), engine)
    assert cache.get(key(), never) is first
    assert cache.loads == 1


@pytest.mark.parametrize(
    "other",
    [
        key(digest="b"),
        key(tags=("serve", "gpu")),
        key(signature=Signature("other", (), ())),
        key(options=EngineOptions(intra_op_threads=2)),
        key(options=EngineOptions(name="tensorflow")),
    ],
)
def test_whatever_changes_the_engine_is_in_the_key(other):
    cache = EngineCache()
    assert cache.get(key(), engine) is not cache.get(other, engine)
    assert cache.loads == 2


def test_eight_threads_load_once():
    cache = EngineCache()
    ready = threading.Barrier(8)
    loading = threading.Lock()

    def load():
        assert loading.acquire(blocking=False), "two loads at once"
        loading.release()
        return engine()

    def ask(_):
        ready.wait()
        return cache.get(key(), load)

    with ThreadPoolExecutor(8) as pool:
        engines = list(pool.map(ask, range(8)))
    assert len(set(map(id, engines))) == 1
    assert cache.loads == 1


def test_the_least_recently_used_engine_leaves_first():
    cache = EngineCache(limit=2)
    first = cache.get(key("a"), engine)
    cache.get(key("b"), engine)
    assert cache.get(key("a"), never) is first
    cache.get(key("c"), engine)
    assert cache.get(key("a"), never) is first
    cache.get(key("b"), engine)
    assert cache.loads == 4


def test_an_evicted_engine_is_not_closed_under_its_user():
    cache = EngineCache(limit=1)
    first = cache.get(key("a"), engine)
    cache.get(key("b"), engine)
    assert not first.closed


def test_a_failed_load_is_tried_again():
    cache = EngineCache()

    def broken():
        raise EngineError("no")

    with pytest.raises(EngineError):
        cache.get(key(), broken)
    assert cache.get(key(), engine)
    assert cache.loads == 1


def test_clear_forgets_every_engine():
    cache = EngineCache()
    first = cache.get(key(), engine)
    cache.clear()
    assert cache.get(key(), engine) is not first
