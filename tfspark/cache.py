"""Keeps one live engine per model and process. Executor.

Returns the engine of a key (digest, tag set, signature, engine options), and loads it on first use.
Spark reuses a Python worker for many tasks and queries, so they share the cache.

Invariants: one load per key and process, also with several threads; at most `LIMIT` engines are
kept. The least recently used engine is evicted; it is freed once no task uses it. Models load
on first use, so no engine exists before a fork.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from tfspark.engine import Engine, EngineOptions
from tfspark.signature import Signature


class Key(NamedTuple):
    """The model that an engine runs, and how."""

    digest: str
    tags: tuple[str, ...]
    signature: Signature
    options: EngineOptions


LIMIT = 8


@dataclass
class EngineCache:
    """A bounded map from key to live engine.

    Attributes:
        limit: The most engines that are kept.
        loads: Number of engines loaded so far; for reports and tests.
        discarded: Number of engines discarded so far.
    """

    limit: int = LIMIT
    loads: int = 0
    discarded: int = 0
    _engines: OrderedDict[Key, Engine] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def changes(self) -> int:
        """A number that grows when an engine is loaded, evicted or discarded."""
        return self.loads + self.discarded

    def get(self, key: Key, load: Callable[[], Engine]) -> Engine:
        """Return the engine of a key; load it if it is not in the cache."""
        with self._lock:
            if key not in self._engines:
                self._engines[key] = load()
                self.loads += 1
                if len(self._engines) > self.limit:
                    self._engines.popitem(last=False)
            self._engines.move_to_end(key)
            return self._engines[key]

    def live(self, key: Key) -> Engine | None:
        """Return the engine of a key if it is loaded."""
        with self._lock:
            return self._engines.get(key)

    def discard(self, engine: Engine) -> None:
        """Remove one engine."""
        with self._lock:
            for key in [key for key, live in self._engines.items() if live is engine]:
                del self._engines[key]
                self.discarded += 1

    def clear(self) -> None:
        """Remove every engine."""
        with self._lock:
            self._engines.clear()


ENGINES = EngineCache()
