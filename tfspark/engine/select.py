"""Chooses the engine that runs a model, and opens it. Executor only.

Invariant: if the options name an engine, that engine runs the model or raises an error. `auto`
starts with the first engine of `registry.AUTO`, and changes to the second when the first cannot
serve. This is detected at the load or at the first run, and one log record gives the reason. If the
options name a fallback, it scores only the batches that the named engine refuses.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from tfspark.engine.protocol import CannotServeError, Engine, EngineOptions, OutOfMemoryError
from tfspark.engine.registry import AUTO, ENGINES
from tfspark.engine_choice import EngineChoice
from tfspark.errors import EngineError
from tfspark.options import EngineName
from tfspark.signature import Signature
from tfspark.tensors import Tensor

_log = logging.getLogger(__name__)

# A report shows at most this many characters of a reason.
_LONGEST = 300


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

    if options.fallback:
        fallback = replace(options, name=options.fallback, fallback=None)
        load_fallback = partial(load_engine, export_dir, tags, signature, fallback)
        return EngineWithFallback(load(options.name), load_fallback)
    if options.name != "auto":
        return load(options.name)
    first, other = AUTO
    load_other = partial(load, other)
    try:
        engine = load(first)
    except CannotServeError as reason:
        return AutoEngine(_replacement(load_other, reason), load_other, reason)
    return AutoEngine(engine, load_other)


def choice_of(engine: Engine, options: EngineOptions) -> EngineChoice:
    """Return the engine that runs a model, and why another one replaced or helped it."""
    if isinstance(engine, AutoEngine):
        return engine.choice
    reason = engine.reason if isinstance(engine, EngineWithFallback) else ""
    return EngineChoice(options.name, refused={options.name: reason} if reason else {})


class EngineWithFallback:
    """An engine, and a fallback that scores the batches that the engine refuses.

    OpenVINO refuses values that it would compute differently from TensorFlow, such as NaN. If the
    caller did not choose OpenVINO, TensorFlow scores such batches, and only TensorFlow decides
    whether they are refused.

    Attributes:
        reason: Why the first batch was refused; empty while the engine scores all batches.
    """

    def __init__(self, engine: Engine, load_fallback: Callable[[], Engine]) -> None:
        self._engine = engine
        self._load_fallback = load_fallback
        self._fallback: Engine | None = None
        self._has_fallback = True
        self._lock = threading.Lock()
        self.reason = ""

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run one batch; see `Engine.run`."""
        try:
            return self._engine.run(inputs)
        except OutOfMemoryError:
            raise
        except EngineError as reason:
            fallback = self._opened_fallback(reason)
            if fallback is None:
                raise
            return fallback.run(inputs)

    def close(self) -> None:
        """Release both models; safe to call twice."""
        self._engine.close()
        if self._fallback is not None:
            self._fallback.close()

    def _opened_fallback(self, reason: EngineError) -> Engine | None:
        """Return the fallback; the first thread that needs it loads it. `None` if it cannot serve.

        A worker may have only OpenVINO. The refusal of the batch then counts.
        """
        with self._lock:
            if self._fallback is None and self._has_fallback:
                try:
                    self._fallback = self._load_fallback()
                except CannotServeError as error:
                    _log.warning("the fallback cannot serve: %s", _line(error))
                    self._has_fallback = False
                    return None
                _log.info("the engine refused a batch; the fallback scores it: %s", _line(reason))
                self.reason = _short(reason)
            return self._fallback


class AutoEngine:
    """An engine that is replaced by another when a run shows that it cannot serve.

    A few SavedModels need TensorFlow's Python loader to restore their variables or tables. They
    load into a session without an error, and the first run fails. The failed run has not changed
    its inputs, so the other engine runs the same batch.
    """

    def __init__(
        self,
        engine: Engine,
        load_other: Callable[[], Engine],
        reason: CannotServeError | None = None,
    ) -> None:
        """Wrap an engine; if there is a reason, `engine` is already the other one."""
        self._engine = engine
        self._load_other = load_other
        self._reason = reason
        self._lock = threading.Lock()

    @property
    def choice(self) -> EngineChoice:
        """The engine that runs the model now, and why the first one does not."""
        first, other = AUTO
        if self._reason is None:
            return EngineChoice(first)
        return EngineChoice(other, refused={first: _short(self._reason)})

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
                if self._reason is not None:  # there is no third engine
                    raise reason
                self._engine = _replacement(self._load_other, reason)
                self._reason = reason
            return self._engine


def _replacement(load: Callable[[], Engine], reason: CannotServeError) -> Engine:
    """Log why the first engine cannot serve, and load the second one."""
    first, other = (ENGINES[name].title for name in AUTO)
    _log.warning("%s cannot serve, %s runs the model: %s", first, other, _line(reason))
    return load()


def _line(reason: EngineError) -> str:
    return " ".join(str(reason).split())


def _short(reason: EngineError) -> str:
    return _line(reason)[:_LONGEST]
