"""Checks a worker: its versions, memory, cache folder, TensorFlow, and a model. Executor.

`spark.executor_checkup` runs it in tasks on all executors. Problems are returned as advice instead
of raised, so that one problem does not hide the others.
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tfspark.engine.libtensorflow import open_library
from tfspark.errors import TfsparkError
from tfspark.handle import ModelHandle
from tfspark.node_folder import cache_root
from tfspark.spark.worker.probe import Probe
from tfspark.versions import installed_versions

# TensorFlow's library needs this much address space.
LEAST_MEMORY = 1 << 30
_GIB = 1 << 30


class Fact(NamedTuple):
    """The result of one check in one process. A result with advice is a problem."""

    check: str
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Checkup:
    """The checks of one process.

    Attributes:
        packages: The packages that the engine needs.
        handle: A model to open; `None` to check the process and its packages.
        timeout: Seconds in which the model has to load.
    """

    packages: Collection[str]
    handle: ModelHandle | None = None
    timeout: float | None = None

    def __call__(self) -> list[Fact]:
        """Return one fact for each check."""
        if self.handle is not None:
            return [self._model(self.handle)]
        versions = [Fact(name, version) for name, version in installed_versions().items()]
        return [*versions, *_machine(needs_tensorflow="tensorflow" in self.packages)]

    def _model(self, handle: ModelHandle) -> Fact:
        try:
            Probe([handle], self.timeout)()
        except TfsparkError as error:
            return Fact("model", "does not open", str(error))
        return Fact("model", "opens")


def place() -> str:
    """Return the executor of this worker: its host and the process id of its daemon."""
    return f"{socket.gethostname()} {os.getppid()}"


def _machine(*, needs_tensorflow: bool) -> Iterator[Fact]:
    """Yield the facts about this machine: memory limit, cache folder, TensorFlow if needed."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        yield Fact("memory limit", "none")
    else:
        advice = "give spark.executor.pyspark.memory 1g or more for each core of an executor."
        few = needs_tensorflow and limit < LEAST_MEMORY
        yield Fact("memory limit", f"{limit / _GIB:.1f} GiB", advice if few else "")
    try:
        free = shutil.disk_usage(cache_root()).free
        yield Fact("cache folder", f"{free / _GIB:.0f} GiB free")
    except TfsparkError as error:
        yield Fact("cache folder", "unusable", str(error))
    if not needs_tensorflow:
        return
    try:
        open_library()
        yield Fact("TensorFlow library", "opens")
    except TfsparkError as error:
        yield Fact("TensorFlow library", "does not open", str(error))
