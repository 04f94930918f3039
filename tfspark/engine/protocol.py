"""The contract between the runner and whatever runs a model.

An engine is opened on an executor for one export dir and one signature, is fed tensors by input
name, and returns tensors by output name. It knows no Arrow schema, no Spark and no bad rows. A
`CannotServeError` says that the batch is not the reason: `select` answers it with another engine,
and the runner blames no row for it. Any other `EngineError` of a run is about the batch.

Invariants: `run` neither keeps nor writes fed memory after it returned; what it returns does not
share memory with what was fed unless that memory stays alive with it; an engine is never pickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tfspark.errors import EngineError
from tfspark.foreign_text import quoted_lines
from tfspark.options import EngineName
from tfspark.tensors import Tensor


class CannotServeError(EngineError):
    """This engine cannot run this model here, whatever the batch; another may."""


class OutOfMemoryError(EngineError):
    """A batch needs more memory than there is; half of it may not."""


@dataclass(frozen=True)
class EngineOptions:
    """How a model is run; part of the cache key.

    Attributes:
        name: Which engine; `auto` takes `native`, and `tensorflow` where that cannot serve.
        intra_op_threads: Threads inside one operation; 0 lets TensorFlow take every core.
        inter_op_threads: Threads across operations; 1 is the caller's own, 0 leaves it open.
        gpu: Whether the model has to run on a GPU; without, TensorFlow takes what it sees.
    """

    name: EngineName = "auto"
    intra_op_threads: int = 1
    inter_op_threads: int = 1
    gpu: bool = False


@runtime_checkable
class Engine(Protocol):
    """A live model of one process."""

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run one batch.

        Args:
            inputs: Input name → tensor (rows, …), all inputs of the signature.

        Returns:
            Output name → tensor, for every output of the signature that has a type of the table.

        Raises:
            CannotServeError: When the engine, not the batch, is the reason.
            OutOfMemoryError: When the batch is too large.
            EngineError: When the model refuses the batch.
        """

    def close(self) -> None:
        """Release the model; safe to call twice."""


def first_lines(message: str) -> str:
    """Return what an error of TensorFlow's says, without its listing of the whole graph."""
    return quoted_lines("\n".join(message.strip().splitlines()[:6]))
