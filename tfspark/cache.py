"""One live engine per model and process.

Returns the engine of a key (digest, tag set, signature, engine options), and loads it on first use.
Lives in a Python worker, which Spark reuses from task to task and query to query.

Invariants: one load per key and process, also when threads ask at once; at most `LIMIT` engines are
kept: the least recently used engine is evicted, and is freed once no task uses it. This is the only
mutable state of the package; it never crosses a fork, because models load on first use.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from tfspark.engine import Engine, EngineOptions
from tfspark.signature import Signature

Key: TypeAlias = tuple[str, tuple[str, ...], Signature, EngineOptions]

LIMIT = 8


@dataclass
class EngineCache:
    """A bounded map from key to live engine.

    Attributes:
        limit: Engines kept at most.
        loads: How many engines were loaded; for reports and tests.
    """

    limit: int = LIMIT
    loads: int = 0
    _engines: OrderedDict[Key, Engine] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Key, load: Callable[[], Engine]) -> Engine:
        """Return the engine of a key, loading it when it is not there."""
        with self._lock:
            if key not in self._engines:
                self._engines[key] = load()
                self.loads += 1
                if len(self._engines) > self.limit:
                    self._engines.popitem(last=False)
            self._engines.move_to_end(key)
            return self._engines[key]

    def clear(self) -> None:
        """Forget every engine."""
        with self._lock:
            self._engines.clear()


ENGINES = EngineCache()
