"""Which engine runs a model here.

In comes an export dir with its signature and options, out goes a live `Engine`. Executor only.
"""

from __future__ import annotations

from tfspark.engine.protocol import Engine, EngineOptions
from tfspark.signature import Signature


def load_engine(export_dir: str, tags: tuple[str, ...], signature: Signature, options: EngineOptions) -> Engine:
    """Load a model with the engine that `options.name` asks for.

    Raises:
        EngineError: When that engine cannot load the model.
    """
    from tfspark.engine import tensorflow

    return tensorflow.load(export_dir, tags, signature, options)
