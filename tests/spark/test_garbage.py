"""Objects that the garbage collection after a task of a worker does not visit."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from tfspark.handle import ModelHandle
from tfspark.package import load
from tfspark.spark.worker import task
from tfspark.spark.worker.garbage import Freeze


class Cycle:
    """An object that only the collector frees."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thaw() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_the_first_task_without_a_load_freezes_all_objects() -> None:
    freeze = Freeze()
    freeze.update(loads=1)
    assert gc.get_freeze_count() == 0
    freeze.update(loads=1)
    assert gc.get_freeze_count() > 10_000


def test_objects_are_frozen_once() -> None:
    """Otherwise the garbage of each task would stay."""
    freeze = Freeze()
    freeze.update(loads=1)
    freeze.update(loads=1)
    later = Cycle()
    watched = weakref.ref(later)
    del later
    freeze.update(loads=1)
    gc.collect()
    assert watched() is None


def test_what_a_new_model_replaces_is_freed() -> None:
    freeze, replaced = Freeze(), Cycle()
    freeze.update(loads=1)
    freeze.update(loads=1)
    watched = weakref.ref(replaced)
    del replaced
    gc.collect()
    assert watched() is not None
    freeze.update(loads=2)
    gc.collect()
    assert watched() is None


def test_the_objects_of_the_daemon_stay_frozen_in_the_first_task() -> None:
    """A collection would copy their pages, which a worker shares with the daemon."""
    gc.freeze()
    Freeze().update(loads=1)
    assert gc.get_freeze_count() > 10_000


def test_each_task_that_opens_a_model_updates_the_freeze(
    pair: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze, handle = Freeze(), ModelHandle.of(load(pair))
    monkeypatch.setattr(task, "FREEZE", freeze)
    found = []
    for _ in range(2):
        task.open_model(handle)
        found.append(freeze.is_on)
    assert found == [False, True]
