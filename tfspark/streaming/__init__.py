"""Scores streams by micro-batch, with a model that may change. Driver."""

from __future__ import annotations

from tfspark.streaming.sinks import DeltaTable, Folder

__all__ = ["DeltaTable", "Folder"]
