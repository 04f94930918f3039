"""What tests of models and pipelines need, tfspark's own and those of its users.

Tiny models with exact answers, an engine without TensorFlow, the REST form of TensorFlow Serving
answered in this process, and the check of a model against the answers recorded at its export.
"""

from __future__ import annotations

from tfspark.testing.fakes import FakeEngine
from tfspark.testing.recorded import check_recorded
from tfspark.testing.rest import rest_predict
from tfspark.testing.saved_models import save_function, save_linear

__all__ = ["FakeEngine", "check_recorded", "rest_predict", "save_function", "save_linear"]
