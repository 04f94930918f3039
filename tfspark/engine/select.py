"""Chooses the engine that runs a model, and opens it.

Takes an export dir with its signature and options; returns a live `Engine`. Executor only.

Invariant: if the options name an engine, that engine runs the model or raises an error. `auto`
starts with the native engine, and changes to TensorFlow's Python when the native engine cannot
serve. This shows at the load or at the first run. One log record gives the reason.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from tfspark.engine import native, tensorflow
from tfspark.engine.protocol import CannotServeError, Engine, EngineOptions
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

    def load_tensorflow() -> Engine:
        return tensorflow.load(export_dir, tags, signature, options)

    if options.name == "tensorflow":
        return load_tensorflow()
    try:
        engine = native.load(export_dir, tags, signature, options)
    except CannotServeError as reason:
        if options.name == "native":
            raise
        return _instead(load_tensorflow, reason)
    return engine if options.name == "native" else AutoEngine(engine, load_tensorflow)


class AutoEngine:
    """An engine that is replaced by another when a run shows that it cannot serve.

    A few SavedModels need TensorFlow's Python loader to restore their variables or tables. They
    load into a session without an error, and the first run fails. Inputs are unchanged then, so the
    other engine runs the same batch.
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
        """Return the other engine; the first thread that fails loads it."""
        with self._lock:
            if self._engine is failed:
                self._engine = _instead(self._load_other, reason)
            return self._engine


def _instead(load: Callable[[], Engine], reason: CannotServeError) -> Engine:
    line = " ".join(str(reason).split())
    _log.warning("The native engine cannot serve, TensorFlow's Python runs the model: %s", line)
    return load()
