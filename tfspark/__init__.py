"""Score any TensorFlow SavedModel on Spark, from Python, SQL or Scala, without losing a row.

Each public name is imported on first use, so importing this package loads nothing else. Only
workers import TensorFlow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfspark import ml, streaming
    from tfspark.errors import TfsparkError
    from tfspark.package import ModelPackage, lint, load
    from tfspark.signature import Signature, TensorSpec
    from tfspark.spark.dataframe import predict
    from tfspark.spark.functions import predict_udf
    from tfspark.spark.model_requests import ConfiguredModel
    from tfspark.spark.rdd import predict_rdd
    from tfspark.spark.sql import register
    from tfspark.spark.tfrecord import register_tfrecord
    from tfspark.spark.tuning import tune
    from tfspark.streaming.score_batches import score_batches

__all__ = [
    "ConfiguredModel",
    "ModelPackage",
    "Signature",
    "TensorSpec",
    "TfsparkError",
    "lint",
    "load",
    "ml",
    "predict",
    "predict_rdd",
    "predict_udf",
    "register",
    "register_tfrecord",
    "score_batches",
    "streaming",
    "tune",
]

__version__ = "0.1.0"

_HOMES = {
    "ConfiguredModel": "tfspark.spark.model_requests",
    "ModelPackage": "tfspark.package",
    "Signature": "tfspark.signature",
    "TensorSpec": "tfspark.signature",
    "TfsparkError": "tfspark.errors",
    "lint": "tfspark.package",
    "load": "tfspark.package",
    "predict": "tfspark.spark.dataframe",
    "predict_rdd": "tfspark.spark.rdd",
    "predict_udf": "tfspark.spark.functions",
    "register": "tfspark.spark.sql",
    "register_tfrecord": "tfspark.spark.tfrecord",
    "score_batches": "tfspark.streaming.score_batches",
    "tune": "tfspark.spark.tuning",
}
_MODULES = ("ml", "streaming")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"tfspark.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
