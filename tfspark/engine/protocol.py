"""The contract between the runner and the engine that runs a model. Executor.

An engine is opened on an executor for one export dir and one signature. It takes tensors by input
name and returns tensors by output name. It knows no Arrow schema, no Spark and no bad rows. A
`CannotServeError` means that the batch is not the reason: `select` then tries another engine, and
the runner blames no row. Any other `EngineError` of a run is about the batch.

Invariants: after `run` returns, the engine neither keeps nor changes the fed memory; a result that
shares memory with an input keeps that memory alive; an engine is never pickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tfspark.errors import EngineError
from tfspark.foreign_text import quoted_lines
from tfspark.options import EngineName
from tfspark.tensors import Tensor


class MachineError(EngineError):
    """The engine or the machine is the reason of a failure, so no row is blamed for it."""


class CannotServeError(MachineError):
    """This engine cannot run this model on this machine, with any batch; another engine may."""


class OutOfMemoryError(MachineError):
    """A batch needs more memory than the machine has; a smaller batch may fit."""


@dataclass(frozen=True)
class EngineOptions:
    """The engine of a model and its settings; part of the cache key.

    Attributes:
        name: Name of the engine; `auto` is `native`, or `tensorflow` if `native` cannot serve.
        intra_op_threads: Threads inside one operation; with 0 TensorFlow uses every core.
        inter_op_threads: Threads across operations; 1 is the caller's own thread, with 0 TensorFlow
            decides.
        gpu: Whether the model must run on a GPU; if not, TensorFlow uses the devices it sees.
        digest: SHA-256 of the model's files. An engine may use it as the key of a compiled model
            that it keeps on the node. If it is empty, the engine keeps nothing.
        fallback: Engine that scores the batches that the named engine refuses; `None` if no
            other engine tries them.
    """

    name: EngineName = "auto"
    intra_op_threads: int = 1
    inter_op_threads: int = 1
    gpu: bool = False
    digest: str = ""
    fallback: EngineName | None = None


@runtime_checkable
class Engine(Protocol):
    """A live model of one process."""

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run one batch.

        Args:
            inputs: Input name → tensor (rows, …), all inputs of the signature.

        Returns:
            Output name → tensor, for every output of the signature that has a supported type.

        Raises:
            CannotServeError: When the engine, not the batch, is the reason.
            OutOfMemoryError: When the batch is too large.
            EngineError: When the model refuses the batch.
        """

    def close(self) -> None:
        """Release the model; safe to call twice."""


def first_lines(message: str) -> str:
    """Return the message of an error of TensorFlow, without its listing of the graph."""
    return quoted_lines("\n".join(message.strip().splitlines()[:6]))
