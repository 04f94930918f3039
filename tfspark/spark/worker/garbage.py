"""Shortens the garbage collection between two tasks of a worker. Executor.

After each task, Spark's daemon calls `gc.collect()` in the worker (`pyspark/daemon.py`). The worker
takes the next task only after this collection, which visits the objects of all imported modules: 25
ms with pyarrow, about 200 ms with TensorFlow. `gc.freeze()` hides all current objects from later
collections.

Invariant: when models are loaded or discarded, the freeze ends until the next task, so that the
collection after the task frees the replaced models.
"""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass

from pyspark import TaskContext

from tfspark.cache import ENGINES


@dataclass
class Freeze:
    """The frozen objects of this process.

    Attributes:
        state: The models and modules of the last open; any other value means that they changed.
        changed_in: The task of the last change; `None` outside of a task.
        is_on: Whether objects are frozen.
    """

    state: object = None
    changed_in: int | None = None
    is_on: bool = False

    def update(self, state: object, task: int | None) -> None:
        """End the freeze if the state has changed; freeze all objects in the next task.

        Args:
            state: The models and modules of this process.
            task: The number of the task attempt that opens a model.
        """
        if state != self.state:
            self.state, self.changed_in = state, task
            if self.is_on:
                gc.unfreeze()
                self.is_on = False
        elif task != self.changed_in and not self.is_on:
            gc.freeze()
            self.is_on = True


_FREEZE = Freeze()


def model_opened() -> None:
    """Freeze the objects of this worker, or end the freeze, after a task has opened a model."""
    task = TaskContext.get()
    attempt = None if task is None else task.taskAttemptId()
    # TensorFlow may be imported long after the load, when the first engine refuses a batch.
    _FREEZE.update((ENGINES.changes, len(sys.modules)), attempt)
