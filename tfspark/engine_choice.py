"""The engine that scores a model, and why: figures or reasons. Driver and executor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tfspark.options import EngineName


@dataclass(frozen=True)
class EngineChoice:
    """The engine that scores a model in a whole job, and why.

    Attributes:
        engine: The chosen engine.
        rows_per_second: Engine → rows per second in one worker, for each engine that was timed.
        refused: Engine → why it cannot run this model, or is not used for it. For the chosen
            engine: why another engine scored some batches.
    """

    engine: EngineName
    rows_per_second: Mapping[EngineName, float] = field(default_factory=dict)
    refused: Mapping[EngineName, str] = field(default_factory=dict)

    @property
    def fallback(self) -> EngineName | None:
        """The engine for the batches that the chosen one refuses, such as NaN in OpenVINO."""
        return None if self.engine == "auto" else "auto"

    def __str__(self) -> str:
        rates = [f"{name} {rate:,.0f} rows/s" for name, rate in self.rows_per_second.items()]
        unused = reasons(self.engine, self.refused)
        return f"engine  {self.engine} ({'; '.join([*rates, *unused])})"


def reasons(chosen: str, refused: Mapping[EngineName, str]) -> list[str]:
    """Return one sentence for each engine that did not score everything."""
    return [
        f"{name} did not score all batches: {reason}"
        if name == chosen
        else f"{name} is not used: {reason}"
        for name, reason in refused.items()
    ]


def merged(one: Sequence[EngineChoice], other: Sequence[EngineChoice]) -> tuple[EngineChoice, ...]:
    """Merge the choices of two tasks: one for each model, none if neither task had rows.

    A model can change its engine in some tasks only. The choice with a reason then counts.
    """
    if not (one and other):
        return tuple(one or other)
    pairs = zip(one, other, strict=True)
    return tuple(
        second if second.refused and not first.refused else first for first, second in pairs
    )
