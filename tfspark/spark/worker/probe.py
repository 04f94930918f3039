"""Opens models in a worker before any row is read, and returns its versions. Executor.

Spark pickles a `Probe` into a task. The worker is a separate process, so a model that crashes ends
only that process. Spark keeps the worker with its loaded model for the tasks that read rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfspark.engine.registry import packages_of
from tfspark.handle import ModelHandle
from tfspark.origin import Origin
from tfspark.spark.worker.task import open_model
from tfspark.spark.worker.time_limit import TimeLimit
from tfspark.versions import installed_versions


@dataclass(frozen=True)
class Probe:
    """A task for one worker.

    Attributes:
        handles: The models to open.
        timeout: Seconds for each model to load and to run its warm-up requests.
    """

    handles: Sequence[ModelHandle] = ()
    timeout: float | None = None

    def __call__(self) -> dict[str, str]:
        """Open the models whose engine is installed, and return package → version.

        Raises:
            TfsparkError: From `ModelHandle.open`.
        """
        found = installed_versions()
        for handle in self.handles:
            if not packages_of(handle.options.name) <= found.keys():
                continue  # the driver reports the missing package
            with TimeLimit(self.timeout, Origin(handle.title)) as limit, limit.loading():
                open_model(handle)
        return found
