"""The engines of a job for its report: timed while planning, used while scoring. Driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from tfspark.bound_models import NamedModel
from tfspark.engine_choice import EngineChoice


def timed_engines(models: Sequence[NamedModel]) -> dict[str, Any]:
    """Return the engine that was chosen and its figures, or those of each key."""
    found = {model.key: asdict(model.choice) for model in models if model.choice is not None}
    return found.get("", found)


def used_engines(models: Sequence[NamedModel], used: Sequence[EngineChoice]) -> dict[str, Any]:
    """Return the engine that scored and the figures of its timing, or those of each key.

    Args:
        models: The models.
        used: The engine of each model in a worker; empty if no row was scored.
    """
    pairs = zip(models, used, strict=False)
    found = {model.key: asdict(_with_timing(model.choice, one)) for model, one in pairs}
    return found.get("", found)


def _with_timing(timed: EngineChoice | None, used: EngineChoice) -> EngineChoice:
    """Add the figures and the reasons of a timing to the engine that scored."""
    if timed is None:
        return used
    return replace(timed, engine=used.engine, refused={**timed.refused, **used.refused})
