"""Tiny models for the tests of the Spark APIs, each written once per run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs import batch_score
from tfspark.testing import save_function

Model = Callable[..., str]


@pytest.fixture(scope="session")
def save(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Write version 1 of a model around a TensorFlow function and return its base path."""
    folder = tmp_path_factory.mktemp("spark-models")

    def write(name: str, function: Any, *specs: Any, **signatures: Any) -> str:
        return str(save_function(folder / name / "1", function, *specs, **signatures).parent)

    return write


@pytest.fixture(scope="session")
def pair(save: Model) -> str:
    """`sum` and `difference` of `a` and `b` (None,) float32; a second signature doubles `x`."""
    import tensorflow as tf

    double = tf.function(
        lambda x: {"twice": x * 2},
        input_signature=[tf.TensorSpec((None,), tf.int64, "x")],
        autograph=False,
    )
    scalar = (None,), tf.float32
    return save(
        "pair",
        lambda a, b: {"sum": a + b, "difference": a - b},
        tf.TensorSpec(*scalar, "a"),
        tf.TensorSpec(*scalar, "b"),
        double=double,
    )


@pytest.fixture(scope="session")
def identity(save: Model) -> Model:
    """Return a model whose `y` is its input `x`, of any type and shape."""
    import tensorflow as tf

    @cache
    def model(dtype: str, shape: tuple[int | None, ...] = (None,)) -> str:
        name = f"{dtype}-{'x'.join(map(str, shape))}"
        return save(name, lambda x: {"y": tf.identity(x)}, tf.TensorSpec(shape, dtype, "x"))

    return model


@pytest.fixture(scope="session")
def odd_keys(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Inputs and outputs `class`, `a-b` and `x/y:0`, two of them the same tensor on both sides.

    TensorFlow's Python API cannot name such inputs; its sessions and old models can.
    """
    import tensorflow as tf

    v1 = tf.compat.v1
    path = tmp_path_factory.mktemp("spark-models") / "odd kéys" / "1"
    with tf.Graph().as_default(), v1.Session() as session:
        one, other = (v1.placeholder(tf.float32, (None,), name) for name in ("one", "in/other"))
        text = v1.placeholder(tf.string, (None,), "text")
        inputs = {"class": one, "a-b": other, "x/y:0": text}
        outputs = {"class": one * 2 + other, "a-b": other, "x/y:0": text}
        v1.saved_model.simple_save(session, str(path), inputs, outputs)
    return str(path.parent)


@pytest.fixture
def conf(spark: SparkSession) -> Any:
    """Set a configuration of the session for a block of code."""

    @contextmanager
    def changed(key: str, value: str) -> Iterator[None]:
        old = spark.conf.get(key, None)
        spark.conf.set(key, value)
        try:
            yield
        finally:
            spark.conf.unset(key) if old is None else spark.conf.set(key, old)

    return changed


@pytest.fixture
def jobs_of(spark: SparkSession) -> Callable[[Callable[[], object]], int]:
    """Count the Spark jobs that a call starts; the test handles the exceptions of the call."""

    def count(call: Callable[[], object]) -> int:
        context, group = spark.sparkContext, uuid4().hex
        context.setJobGroup(group, "counted")
        try:
            call()
        finally:
            context.setLocalProperty("spark.jobGroup.id", None)
        context._jsc.sc().listenerBus().waitUntilEmpty()  # the tracker learns of jobs late
        return len(context.statusTracker().getJobIdsForGroup(group))

    return count


@pytest.fixture
def scored_by_job(
    points: DataFrame, linear: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[float]]:
    """Score the points by the batch job with some flags; return the sorted predictions."""
    monkeypatch.setattr(SparkSession, "stop", lambda self: None)
    points.write.parquet(str(tmp_path / "in"))

    def score(*flags: str) -> list[float]:
        files = ("--input", tmp_path / "in", "--output", tmp_path / "out")
        given = ("--model", linear, "--fetch", "outputs=y", *files, *flags)
        assert batch_score.main([str(flag) for flag in given]) == 0
        return sorted(pq.read_table(tmp_path / "out")["y"].to_pylist())

    return score


@pytest.fixture
def refusal() -> Any:
    """Return the message of a worker's error."""
    from pyspark.errors import PythonException

    def message(df: Any) -> str:
        with pytest.raises(PythonException) as caught:
            df.collect()
        return str(caught.value)

    return message
