"""Helpers for tests of models and pipelines, for tfspark and its users. Tests.

Tiny models with exact answers, an engine without TensorFlow, answers to REST requests of TensorFlow
Serving in this process, the comparison of a model with the answers recorded at its export, and the
comparison of the engines.
"""

from __future__ import annotations

from tfspark.testing.engine_comparison import compare_engines
from tfspark.testing.fakes import FakeEngine
from tfspark.testing.recorded import check_recorded
from tfspark.testing.rest import rest_predict
from tfspark.testing.saved_models import save_function, save_linear

__all__ = [
    "FakeEngine",
    "check_recorded",
    "compare_engines",
    "rest_predict",
    "save_function",
    "save_linear",
]
