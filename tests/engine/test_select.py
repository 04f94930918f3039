"""The choice of the engine, the fallback to another engine, and its log messages."""

from __future__ import annotations

import logging
import shutil
import sys
import threading
from functools import partial

import numpy as np
import pytest

from tfspark import package
from tfspark.engine import Engine, EngineOptions, libtensorflow, native, select, tensorflow
from tfspark.engine.protocol import CannotServeError, OutOfMemoryError
from tfspark.engine_choice import EngineChoice
from tfspark.errors import EngineError
from tfspark.testing import FakeEngine, save_function

INPUTS = {"inputs": np.array([[1, 2], [3, 4]], dtype=np.float32)}


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, logger=select.__name__)
    return lambda: [
        record.getMessage() for record in caplog.records if record.name == select.__name__
    ]


def test_auto_is_the_native_engine(linear, open_engine, lines, library):
    engine = open_engine(linear, "auto")
    assert engine.run(INPUTS)["outputs"].tolist() == [[3.0], [5.0]]
    assert library.calls["TF_SessionRun"] == 1
    assert lines() == []


@pytest.mark.parametrize(
    ("name", "kind"), [("native", native.NativeEngine), ("tensorflow", tensorflow.TensorFlowEngine)]
)
def test_a_name_is_that_engine(linear, open_engine, name, kind):
    engine = open_engine(linear, name)
    assert isinstance(engine, kind)
    assert isinstance(engine, Engine)
    assert engine.run(INPUTS)["outputs"].tolist() == [[3.0], [5.0]]


def no_platform(monkeypatch, tmp_path):
    monkeypatch.setattr(libtensorflow, "_FILES", {})
    return "not known on the platform"


def no_package(monkeypatch, tmp_path):
    monkeypatch.setattr(libtensorflow.importlib.util, "find_spec", lambda name: None)
    return "no package tensorflow"


def no_library(monkeypatch, tmp_path):
    monkeypatch.setattr(libtensorflow, "_FILES", {libtensorflow.sys.platform: "libother.so.9"})
    return "libother.so.9"


def broken_library(monkeypatch, tmp_path):
    (tmp_path / "broken.so").write_bytes(b"not a library")
    monkeypatch.setattr(libtensorflow, "_library_path", lambda: tmp_path / "broken.so")
    return "cannot be opened"


def older_library(monkeypatch, tmp_path):
    functions = {**libtensorflow._FUNCTIONS, "TF_NotYetInvented": (None, ())}
    monkeypatch.setattr(libtensorflow, "_FUNCTIONS", functions)
    return "TF_NotYetInvented"


@pytest.mark.parametrize(
    "defect", [no_platform, no_package, no_library, broken_library, older_library]
)
def test_without_the_c_api_tensorflow_serves_and_one_line_says_why(
    linear, open_engine, lines, monkeypatch, tmp_path, defect
):
    open_engine(linear, "tensorflow")  # imported before its package seems to be gone
    reason = defect(monkeypatch, tmp_path)
    engine = open_engine(linear, "auto")
    choice = select.choice_of(engine, EngineOptions())
    assert (choice.engine, [*choice.refused]) == ("tensorflow", ["native"])
    assert reason in choice.refused["native"]
    assert engine.run(INPUTS)["outputs"].tolist() == [[3.0], [5.0]]
    (line,) = lines()
    assert reason in line
    assert "\n" not in line
    with pytest.raises(CannotServeError, match=reason):
        open_engine(linear, "native")


@pytest.fixture(scope="session")
def unrestored(linear, models):
    """The linear model in a form that only Python's loader restores: by objects, not by graph."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    folder = models / "unrestored"
    if not folder.exists():
        shutil.copytree(linear.path, folder)
        model = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        model.meta_graphs[0].saver_def.restore_op_name = "NoOp"
        (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    return package.load(folder)


def test_a_model_that_a_session_does_not_restore_moves_to_tensorflow(
    unrestored, open_engine, lines
):
    engine = open_engine(unrestored, "auto")
    for _ in range(3):
        assert engine.run(INPUTS)["outputs"].tolist() == [[3.0], [5.0]]
    (line,) = lines()
    assert "Could not find variable" in line


def test_asked_for_by_name_the_native_engine_says_that_it_cannot(unrestored, open_engine):
    with pytest.raises(CannotServeError, match=r"does not restore its variable(.|\n)*leave it out"):
        open_engine(unrestored, "native").run(INPUTS)


def doubled(inputs):
    if inputs["x"].max() > 9:
        raise ValueError("too large")
    return {"y": 2 * inputs["x"]}


def test_an_engine_behind_another_scores_what_that_refuses(lines):
    """It is loaded once, at the first refusal; its own refusal counts."""
    behind = FakeEngine(doubled)
    loads = []

    def load():
        loads.append(behind)
        return behind

    def only_small(inputs):
        if inputs["x"].max() > 1:
            raise ValueError("not small")
        return {"y": inputs["x"]}

    first = FakeEngine(only_small)
    engine = select.EngineWithFallback(first, load)
    assert isinstance(engine, Engine)
    assert engine.run({"x": np.array([1.0])})["y"].tolist() == [1.0]
    assert (loads, lines()) == ([], [])
    options = EngineOptions("openvino")
    assert select.choice_of(engine, options) == EngineChoice("openvino")
    for _ in range(2):
        assert engine.run({"x": np.array([3.0])})["y"].tolist() == [6.0]
    with pytest.raises(EngineError, match="too large"):
        engine.run({"x": np.array([10.0])})
    assert loads == [behind]
    refused = {"openvino": "not small"}
    assert select.choice_of(engine, options) == EngineChoice("openvino", refused=refused)
    assert lines() == ["the engine refused a batch; the fallback scores it: not small"]
    engine.close()
    assert first.closed
    assert behind.closed


def test_an_engine_behind_another_does_not_take_over_its_lack_of_memory():
    def too_large(inputs):
        raise OutOfMemoryError("no memory")

    engine = select.EngineWithFallback(FakeEngine(too_large), FakeEngine)
    with pytest.raises(OutOfMemoryError):
        engine.run({"x": np.array([1.0])})


def test_a_kernel_that_the_library_lacks_moves_to_tensorflow(models, run_python):
    import tensorflow as tf

    def serve(x):
        doubled = tf.py_function(lambda value: value * 2, [x], tf.float32)
        return {"y": tf.reshape(doubled, tf.shape(x))}

    spec = tf.TensorSpec((None,), tf.float32, name="x")
    folder = save_function(models / "python", serve, spec)
    program = """
import logging, sys
import numpy as np
from tfspark import package
from tfspark.engine import EngineOptions, load_engine
logging.basicConfig(stream=sys.stdout, format="%(name)s %(message)s")
model = package.load(sys.argv[1])
engine = load_engine(model.path, model.tags, model.signature, EngineOptions())
try:
    engine.run({"x": np.array([1, 2], np.float32)})
except Exception as error:  # the function lives in the process that wrote it, and nowhere else
    print(type(error).__name__, "tensorflow" in sys.modules)
"""
    line, end = run_python(program, str(folder))
    assert line.startswith(f"{select.__name__} The native engine cannot serve")
    assert "No OpKernel was registered to support Op 'EagerPyFunc'" in line
    assert end == "CannotServeError True"


def test_an_operation_that_is_not_registered_moves_to_tensorflow(
    models, linear, open_engine, lines
):
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    folder = models / "custom"
    shutil.copytree(linear.path, folder)
    model = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    model.meta_graphs[0].graph_def.node.add(name="custom", op="OperationOfSomeoneElse")
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    engine = open_engine(package.load(folder), "auto")
    assert engine.run(INPUTS)["outputs"].tolist() == [[3.0], [5.0]]
    (line,) = lines()
    assert "OperationOfSomeoneElse" in line


def test_a_model_that_no_engine_loads_is_the_error_of_the_last(linear, tmp_path, lines):
    with pytest.raises(CannotServeError, match=r"^TensorFlow \S+ cannot load the model"):
        select.load_engine(str(tmp_path), linear.tags, linear.signature, EngineOptions())
    assert len(lines()) == 1


def test_a_worker_without_tensorflow_is_no_fault_of_a_row(linear, monkeypatch, lines):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    load = partial(
        select.load_engine, linear.path, linear.tags, linear.signature, EngineOptions("tensorflow")
    )

    def cannot(inputs):
        raise CannotServeError("not here")

    engine = select.AutoEngine(FakeEngine(cannot), load)
    with pytest.raises(CannotServeError, match="TensorFlow is not installed where"):
        engine.run(INPUTS)

    refusing = select.EngineWithFallback(FakeEngine(refuse), load)
    for _ in range(2):
        with pytest.raises(EngineError, match="this batch is bad"):
            refusing.run(INPUTS)
    assert sum("the fallback cannot serve" in line for line in lines()) == 1


def refuse(inputs):
    raise EngineError("this batch is bad")


def test_a_refused_batch_does_not_change_the_engine(lines):
    engine = select.AutoEngine(FakeEngine(refuse), lambda: pytest.fail("another engine was loaded"))
    for _ in range(2):
        with pytest.raises(EngineError, match="this batch is bad"):
            engine.run(INPUTS)
    assert lines() == []


def test_an_engine_that_replaced_another_says_why_and_has_no_third(linear):
    def cannot(inputs):
        raise CannotServeError("not here")

    engine = select.AutoEngine(FakeEngine(cannot), lambda: FakeEngine(cannot))
    assert engine.choice == EngineChoice("native")
    with pytest.raises(CannotServeError):
        engine.run(INPUTS)
    assert engine.choice == EngineChoice("tensorflow", refused={"native": "not here"})
    with pytest.raises(CannotServeError):
        engine.run(INPUTS)
    loaded = select.load_engine(linear.path, linear.tags, linear.signature, EngineOptions())
    assert select.choice_of(loaded, EngineOptions()) == EngineChoice("native")
    assert select.choice_of(FakeEngine(cannot), EngineOptions("openvino")).engine == "openvino"


def test_threads_that_fail_at_once_load_one_other_engine(lines):
    together = threading.Barrier(4)
    others: list[FakeEngine] = []

    def cannot(inputs):
        together.wait(timeout=60)
        raise CannotServeError("not here")

    def load_other():
        others.append(FakeEngine(lambda inputs: {"outputs": inputs["inputs"]}))
        return others[-1]

    engine = select.AutoEngine(FakeEngine(cannot), load_other)
    threads = [threading.Thread(target=engine.run, args=(INPUTS,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (other,) = others
    assert other.calls == [2] * 4
    assert len(lines()) == 1
    engine.close()
    assert other.closed
