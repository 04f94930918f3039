"""Finds the operations of a model that do more than compute. Driver.

A model is a program. This package reads the graph of a SavedModel without running it, and lists
operations that use files, the network, other processes or Python, and operations that draw random
numbers. No TensorFlow.
"""

from __future__ import annotations

from tfspark.operations.lint import Finding, findings_of
from tfspark.operations.randomness import random_operations
from tfspark.operations.refusal import refuse_findings

__all__ = ["Finding", "findings_of", "random_operations", "refuse_findings"]
