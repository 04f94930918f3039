"""Score any TensorFlow SavedModel on Spark, from Python, SQL or Scala, without losing a row.

Each public name is imported on first use, so importing this package loads nothing else. Only
workers import TensorFlow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfspark.errors import TfsparkError
    from tfspark.package import ModelPackage, lint, load
    from tfspark.signature import Signature, TensorSpec
    from tfspark.spark.dataframe import predict
    from tfspark.spark.functions import predict_udf
    from tfspark.spark.rdd import predict_rdd
    from tfspark.spark.sql import register
    from tfspark.spark.tfrecord import register_tfrecord

__all__ = [
    "ModelPackage",
    "Signature",
    "TensorSpec",
    "TfsparkError",
    "lint",
    "load",
    "predict",
    "predict_rdd",
    "predict_udf",
    "register",
    "register_tfrecord",
]

__version__ = "0.1.0"

_HOMES = {
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
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
