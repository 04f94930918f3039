"""Shortens the garbage collection between two tasks of a worker. Executor.

Spark's daemon calls `gc.collect()` in a worker after each task, before the worker takes the next
one (`pyspark/daemon.py`). It visits the objects of all imported modules: 25 ms with pyarrow, 250 ms
with TensorFlow. `gc.freeze()` hides the objects of that moment from it.

Invariant: the objects are visible again in a task that loads a model, so the collection after that
task frees whatever the new model replaced.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass


@dataclass
class Freeze:
    """The frozen objects of this process.

    Attributes:
        loads: Models loaded before the last task.
        is_on: Whether objects are frozen.
    """

    loads: int = 0
    is_on: bool = False

    def update(self, loads: int) -> None:
        """Freeze all objects in the first task that loads no model; end the freeze in others.

        Args:
            loads: Models that this process has loaded so far.
        """
        if loads != self.loads:
            self.loads = loads
            if self.is_on:
                gc.unfreeze()
                self.is_on = False
        elif not self.is_on:
            gc.freeze()
            self.is_on = True


FREEZE = Freeze()
