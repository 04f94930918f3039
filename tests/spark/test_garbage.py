"""Objects that the garbage collection after a task of a worker does not visit."""

import gc
import weakref
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from pyspark import TaskContext, daemon

from tfspark.cache import ENGINES
from tfspark.handle import ModelHandle
from tfspark.package import load
from tfspark.spark.worker import daemon as own_daemon
from tfspark.spark.worker import garbage, task
from tfspark.spark.worker.garbage import Freeze


class Cycle:
    """An object that only the collector frees."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thaw() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_the_first_task_without_a_change_freezes_all_objects() -> None:
    freeze = Freeze()
    freeze.update("one model", task=1)
    assert gc.get_freeze_count() == 0
    freeze.update("one model", task=2)
    assert gc.get_freeze_count() > 10_000


def test_a_task_that_loads_one_of_two_models_freezes_nothing() -> None:
    """The collection after it has to free the model that the new one replaced."""
    freeze = Freeze()
    freeze.update("two models", task=1)
    freeze.update("two models", task=2)
    freeze.update("another model", task=3)
    freeze.update("another model", task=3)
    assert gc.get_freeze_count() == 0
    freeze.update("another model", task=4)
    assert gc.get_freeze_count() > 10_000


def test_objects_are_frozen_once() -> None:
    """Otherwise the garbage of each task would stay."""
    freeze = Freeze()
    freeze.update("one model", task=1)
    freeze.update("one model", task=2)
    later = Cycle()
    watched = weakref.ref(later)
    del later
    freeze.update("one model", task=3)
    gc.collect()
    assert watched() is None


def test_a_replaced_model_is_freed() -> None:
    freeze, replaced = Freeze(), Cycle()
    freeze.update("old model", task=1)
    freeze.update("old model", task=2)
    watched = weakref.ref(replaced)
    del replaced
    gc.collect()
    assert watched() is not None
    freeze.update("new model", task=3)
    gc.collect()
    assert watched() is None


def test_the_objects_of_the_daemon_are_frozen_before_it_forks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A collection would copy their pages, which a worker shares with the daemon."""
    frozen = []
    monkeypatch.setattr(own_daemon, "preload", lambda: None)
    monkeypatch.setattr(daemon, "worker", daemon.worker)  # restored after the test
    monkeypatch.setattr(daemon, "manager", lambda: frozen.append(gc.get_freeze_count()))
    own_daemon.main()
    assert frozen[0] > 10_000
    Freeze().update("one model", task=1)
    assert gc.get_freeze_count() >= frozen[0]


def test_each_task_that_opens_a_model_updates_the_freeze(
    pair: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze, handle = Freeze(), ModelHandle.of(load(pair))
    monkeypatch.setattr(garbage, "_FREEZE", freeze)
    found = []

    def open_in(attempt: int) -> None:
        context = SimpleNamespace(taskAttemptId=lambda: attempt, resources=dict)
        monkeypatch.setattr(TaskContext, "get", lambda: context)
        engine = task.open_model(handle)
        found.append(freeze.is_on)
        if attempt == 2:
            ENGINES.discard(engine)

    for attempt in (1, 1, 2, 3, 4):
        open_in(attempt)
    assert found == [False, False, True, False, True]
