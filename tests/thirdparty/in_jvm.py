"""Scores every case in the JVM: the differences from TensorFlow's answers, or the refusal.

For a program that a test runs with the jar of the bridge.
"""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

from tests.thirdparty.apis import by_predict
from tests.thirdparty.cases import CASES, write
from tests.thirdparty.equal import differences
from tests.thirdparty.reference import answers

# The JVM uses another build of TensorFlow, whose kernels add in another order.
RELATIVE = 1e-5


def outcomes(spark: SparkSession, folder: Path) -> dict[str, list[str] | str]:
    """Return for each case the differences of its values, or the message of the refusal."""
    found: dict[str, list[str] | str] = {}
    for case in CASES:
        base = write(case, folder)
        try:
            scored = by_predict(spark, case, base, folder, engine="jvm")
        except Exception as refusal:
            found[case.name] = str(refusal)
        else:
            found[case.name] = differences(scored, answers(case, base), RELATIVE)
    return found
