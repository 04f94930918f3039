"""The public Transformer of Spark ML. Driver."""

from __future__ import annotations

from tfspark.spark.ml.transformer import SavedModelTransformer

__all__ = ["SavedModelTransformer"]
