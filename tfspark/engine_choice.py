"""The engine that scores a model, and why: figures or reasons. Driver and executor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tfspark.options import EngineName


@dataclass(frozen=True)
class EngineChoice:
    """The engine that scores a model in a whole job, and why.

    Attributes:
        engine: The chosen engine.
        rows_per_second: Engine → rows per second in one worker, for each engine that was timed.
        refused: Engine → why it cannot run this model, or is not used for it.
    """

    engine: EngineName
    rows_per_second: Mapping[EngineName, float] = field(default_factory=dict)
    refused: Mapping[EngineName, str] = field(default_factory=dict)

    @property
    def otherwise(self) -> EngineName | None:
        """The engine for the batches that the chosen one refuses, such as NaN in OpenVINO."""
        return None if self.engine == "auto" else "auto"

    def __str__(self) -> str:
        rates = [f"{name} {rate:,.0f} rows/s" for name, rate in self.rows_per_second.items()]
        unused = [f"{name} is not used: {reason}" for name, reason in self.refused.items()]
        return f"engine  {self.engine} ({'; '.join([*rates, *unused])})"
