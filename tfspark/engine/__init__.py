"""The engines that run a model in an executor process, and their protocol. Executor."""

from tfspark.engine.protocol import Engine, EngineOptions
from tfspark.engine.select import choice_of, load_engine

__all__ = ["Engine", "EngineOptions", "choice_of", "load_engine"]
