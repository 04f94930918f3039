"""Chooses the engine that runs a model, and opens it. Executor only.

Invariant: an engine that was asked for by name is that engine or an error. `auto` is the first of
`registry.AUTO`, and the second from the moment that the first says it cannot serve: at the load or,
where only a run can tell, at the first run. One log line names the reason.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial

from tfspark.engine.protocol import CannotServeError, Engine, EngineOptions
from tfspark.engine.registry import AUTO, ENGINES
from tfspark.options import EngineName
from tfspark.signature import Signature
from tfspark.tensors import Tensor

_log = logging.getLogger(__name__)


def load_engine(
    export_dir: str, tags: tuple[str, ...], signature: Signature, options: EngineOptions
) -> Engine:
    """Load a model with the engine that `options.name` asks for.

    Raises:
        EngineError: When that engine cannot load the model.
        InvalidModelError: When the variables are damaged.
    """

    def load(name: EngineName) -> Engine:
        return ENGINES[name].load(export_dir, tags, signature, options)

    if options.name != "auto":
        return load(options.name)
    first, other = AUTO
    load_other = partial(load, other)
    try:
        engine = load(first)
    except CannotServeError as reason:
        return _instead(load_other, reason)
    return AutoEngine(engine, load_other)


class AutoEngine:
    """An engine that is replaced by another when it finds at a run that it cannot serve.

    A SavedModel whose variables or tables only Python's loader restores loads into a session
    without a complaint and fails at its first run; no input is changed by then, so it runs again.
    """

    def __init__(self, engine: Engine, load_other: Callable[[], Engine]) -> None:
        self._engine = engine
        self._load_other = load_other
        self._lock = threading.Lock()

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run one batch; see `Engine.run`."""
        engine = self._engine
        try:
            return engine.run(inputs)
        except CannotServeError as reason:
            return self._other(engine, reason).run(inputs)

    def close(self) -> None:
        """Release the model; safe to call twice."""
        self._engine.close()

    def _other(self, failed: Engine, reason: CannotServeError) -> Engine:
        """Return the other engine, loaded by the first thread that failed."""
        with self._lock:
            if self._engine is failed:
                self._engine = _instead(self._load_other, reason)
            return self._engine


def _instead(load: Callable[[], Engine], reason: CannotServeError) -> Engine:
    first, other = (ENGINES[name].title for name in AUTO)
    line = " ".join(str(reason).split())
    _log.warning("%s cannot serve, %s runs the model: %s", first, other, line)
    return load()
