"""Denormal numbers during a run and outside it, compared with TensorFlow's own answers."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from tfspark import package
from tfspark.engine import denormals
from tfspark.engine.denormals import DenormalsAreZero
from tfspark.errors import EngineError
from tfspark.testing import save_function

SMALL, SMALLER = np.float32(1e-30), np.float32(1e-10)


def numpy_keeps_denormals() -> bool:
    """Whether this thread keeps denormal numbers, as results and as operands."""
    denormal = np.full(8, 1e-41, np.float32)
    return bool((np.full(8, SMALL) * SMALLER > 0).all() and (denormal * np.float32(1e5) > 0).all())


@pytest.fixture(scope="session")
def small(models):
    """Operations with a denormal result or operand."""
    import tensorflow as tf

    def serve(x):
        return {
            "times": x * SMALL,
            "matrix": tf.matmul(x[:, None], [[SMALL]]),
            "exp": tf.exp(x * -1e12),
            "double": tf.cast(x, tf.float64) * 1e-310,
            "same": tf.identity(x),
            "operand": tf.identity(x) * 1e5,
        }

    spec = tf.TensorSpec((None,), tf.float32, name="x")
    return package.load(save_function(models / "small", serve, spec))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [1, 7, 300_000])
@pytest.mark.parametrize("value", [SMALLER, np.float32(1e-41)])
def test_denormals_are_zero_as_in_tensorflow(small, open_engine, threads, rows, value):
    fed = {"x": np.full(rows, value, np.float32)}
    wanted = open_engine(small, "tensorflow", intra_op_threads=threads).run(fed)
    found = open_engine(small, "native", intra_op_threads=threads).run(fed)
    for name in wanted:
        assert found[name].tobytes() == wanted[name].tobytes(), name
    assert not found["times"].any()
    assert found["same"].tobytes() == fed["x"].tobytes()
    assert numpy_keeps_denormals()


def test_numpy_keeps_denormals_after_a_run_that_fails(models, open_engine):
    import tensorflow as tf

    def serve(x):
        return {"y": tf.gather([1.0], x)}

    spec = tf.TensorSpec((None,), tf.int32, name="x")
    engine = open_engine(package.load(save_function(models / "gathers", serve, spec)))
    with pytest.raises(EngineError):
        engine.run({"x": np.array([7], np.int32)})
    assert numpy_keeps_denormals()


def test_other_threads_keep_their_mode():
    inside, seen = threading.Barrier(2), []

    def look():
        inside.wait(timeout=60)
        seen.append(numpy_keeps_denormals())
        inside.wait(timeout=60)

    other = threading.Thread(target=look)
    other.start()
    with DenormalsAreZero():
        inside.wait(timeout=60)
        inside.wait(timeout=60)
        seen.append(numpy_keeps_denormals())
    other.join()
    assert seen == [True, False]


def test_a_thread_that_flushes_anyway_goes_on_to():
    with DenormalsAreZero():
        with DenormalsAreZero():
            pass
        assert not numpy_keeps_denormals()
    assert numpy_keeps_denormals()


def test_on_an_unknown_machine_nothing_changes(monkeypatch):
    monkeypatch.setattr(denormals.platform, "machine", lambda: "riscv64")
    monkeypatch.setattr(denormals, "_FLUSHING", denormals._flushing())
    with DenormalsAreZero():
        assert numpy_keeps_denormals()
