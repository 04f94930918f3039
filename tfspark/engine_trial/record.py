"""The node's record of the engines that were chosen. Executor.

A trial costs some seconds, so a worker writes its result into the node's private folder. The name
of the file depends on everything that may change the result: the digest of the model, the
signature, the settings, whether there is a GPU, the CPU and the versions of the engines.

Invariant: a file that cannot be read is ignored, and the trial runs again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
from dataclasses import asdict, replace
from pathlib import Path

from tfspark.engine.registry import ENGINES
from tfspark.engine_choice import EngineChoice
from tfspark.errors import TfsparkError
from tfspark.handle import ModelHandle
from tfspark.node_folder import cache_root
from tfspark.versions import installed_versions

_log = logging.getLogger(__name__)

_FOLDER = "choices"
_RULES = 2  # version of the trial, part of the file name; increase it after changes


def remembered(handle: ModelHandle, *, on_gpu: bool) -> EngineChoice | None:
    """Return the choice that a worker of this node made for the same model and settings.

    Args:
        handle: The model and its settings.
        on_gpu: Whether the task has a GPU, which not every engine can use.
    """
    try:
        return EngineChoice(**json.loads(_file(handle, on_gpu).read_text()))
    except FileNotFoundError:
        return None
    except (OSError, TypeError, ValueError, TfsparkError) as error:
        _log.warning("the engines are timed again, because the record cannot be read: %s", error)
        return None


def remember(handle: ModelHandle, choice: EngineChoice, *, on_gpu: bool) -> None:
    """Write a choice for the other workers of this node and for later jobs."""
    try:
        file = _file(handle, on_gpu)
        file.parent.mkdir(mode=0o700, exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}")
        try:
            draft.write_text(json.dumps(asdict(choice)))
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    except (OSError, TfsparkError) as error:
        _log.warning("the choice of the engine is not remembered: %s", error)


def _file(handle: ModelHandle, on_gpu: bool) -> Path:
    versions = installed_versions()
    packages = sorted({entry.package for entry in ENGINES.values()} | {"tfspark", "numpy"})
    facts = (
        _RULES,
        handle.digest,
        handle.tags,
        handle.signature,
        replace(handle.options, digest="", name="auto", fallback=None, gpu=on_gpu),
        _cpu(),
        [versions.get(package) for package in packages],
    )
    return cache_root() / _FOLDER / f"{hashlib.sha256(repr(facts).encode()).hexdigest()}.json"


def _cpu() -> str:
    """Return the model of the CPU and its number of cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(names, platform.processor() or platform.machine())}, {os.cpu_count()}"
