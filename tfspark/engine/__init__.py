"""Engines: what runs a model inside an executor process, behind one protocol."""

from tfspark.engine.protocol import Engine, EngineOptions
from tfspark.engine.select import load_engine

__all__ = ["Engine", "EngineOptions", "load_engine"]
