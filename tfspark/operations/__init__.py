"""What the operations of a model touch besides its tensors.

A model is a program. This package reads the graph of a SavedModel, without running it, and finds
the operations that reach files, the network, other processes or Python. Driver only; no TensorFlow.
"""

from __future__ import annotations

from tfspark.operations.lint import Finding, findings_of

__all__ = ["Finding", "findings_of"]
