"""The two ways to score rows: Python workers, or the Scala bridge in the executors' JVM. Driver.

Options, model and binding are the same for both, and are checked before. An API passes its request
to the backend that `backend_of` chooses.
"""

from __future__ import annotations

from typing import Protocol

from pyspark.sql import DataFrame

from tfspark.bound_models import BoundModels
from tfspark.options import ScoreOptions
from tfspark.spark.cluster.task_sketches import TaskSketches
from tfspark.spark.fed_frame import FedFrame
from tfspark.spark.jvm_backend import JvmBackend
from tfspark.spark.model_function import FunctionRequest, Kind, ModelFunction
from tfspark.spark.python_backend import PythonBackend


class Backend(Protocol):
    """One way to score; it holds no state."""

    def predict(
        self,
        fed: FedFrame,
        bound: BoundModels,
        sketches: TaskSketches | None = None,
        *,
        direct: bool = False,
    ) -> DataFrame:
        """Return the kept columns of a frame, then the columns of the models.

        Args:
            fed: The frame.
            bound: The models, bound to its columns.
            sketches: Receives the statistics of the rows. Only Python workers collect them.
            direct: Whether Python workers may read the files of the frame themselves, if the result
                is the same.
        """

    def function(self, request: FunctionRequest, kind: Kind) -> ModelFunction:
        """Return a function of columns."""

    def register(self, request: FunctionRequest, name: str) -> ModelFunction:
        """Return a function of columns, and register it under a name in SQL."""


def backend_of(options: ScoreOptions) -> Backend:
    """Return the backend that the engine of the options belongs to."""
    return JvmBackend() if options.engine == "jvm" else PythonBackend()
