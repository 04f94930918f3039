import numpy as np
import pytest
import tensorflow as tf

from models.export import export
from models.warmup import changes_state
from tfspark.cache import EngineCache
from tfspark.errors import EngineError, InvalidModelError
from tfspark.handle import ModelHandle
from tfspark.package import load
from tfspark.prediction_log_pb2 import PredictionLog
from tfspark.testing import check_recorded, rest_predict
from tfspark.warmup import FILE, requests


class Picky(tf.Module):
    """Adds 1, and refuses numbers that are not positive."""

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, name="x")])
    def __call__(self, x):
        with tf.control_dependencies([tf.debugging.assert_positive(x)]):
            return {"y": x + 1.0}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="s")])
    def shout(self, s):
        return {"loud": tf.strings.upper(s)}


@pytest.fixture
def path(tmp_path):
    module = Picky()
    signatures = {"serving_default": module.__call__, "shout": module.shout}
    sample = {"x": [1.0, 2.0], "s": ["a", "b"]}
    return export(module, tmp_path, name="picky", signatures=signatures, sample=sample)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch):
    monkeypatch.setattr("tfspark.handle.ENGINES", EngineCache())


def rewrite(path, change):
    """Change each recorded request of an export dir."""
    logs = [PredictionLog.FromString(one.numpy()) for one in tf.data.TFRecordDataset(path / FILE)]
    with tf.io.TFRecordWriter(str(path / FILE)) as writer:
        for log in logs:
            change(log.predict_log)
            writer.write(log.SerializeToString())


def test_an_export_brings_its_sample_and_answers_for_every_signature(path):
    [plus] = requests(path, load(path).signature)
    assert plus.inputs["x"].tolist() == [1.0, 2.0]
    assert plus.outputs["y"].tolist() == [2.0, 3.0]
    [loud] = requests(path, load(path, signature="shout").signature)
    assert loud.outputs["loud"].to_objects().tolist() == [b"A", b"B"]


@pytest.mark.parametrize("engine", ["native", "tensorflow"])
def test_the_loaded_model_answers_as_recorded(path, engine):
    assert check_recorded(path, engine=engine) == 1
    assert check_recorded(load(path, signature="shout"), engine=engine) == 1
    assert rest_predict(path, {"instances": [1.0, 2.0]}) == {"predictions": [2.0, 3.0]}


def test_another_answer_is_refused(path):
    def other(log):
        for tensor in log.response.outputs.values():
            tensor.tensor_content = np.array([2.0, 3.1], np.float32).tobytes()

    rewrite(path, other)
    with pytest.raises(InvalidModelError, match=r"request 0, output 'y' differs"):
        check_recorded(path)


def test_requests_without_answers_are_run_and_not_counted(path):
    rewrite(path, lambda log: log.ClearField("response"))
    assert check_recorded(path) == 0


def test_a_worker_runs_the_requests_when_it_loads(path):
    ModelHandle.of(load(path)).open()

    def negative(log):
        for tensor in log.request.inputs.values():
            tensor.tensor_content = np.array([-1.0, 2.0], np.float32).tobytes()

    rewrite(path, negative)
    with pytest.raises(EngineError, match="refuses its own warm-up request 0") as caught:
        ModelHandle.of(load(path)).open()
    assert "remove assets.extra/tf_serving_warmup_requests" in str(caught.value)


def test_a_broken_file_fails_the_load(path):
    (path / FILE).write_bytes(b"broken")
    with pytest.raises(InvalidModelError, match="warm-up requests"):
        ModelHandle.of(load(path)).open()


class Counter(tf.Module):
    """Counts its calls, in a nested function."""

    def __init__(self):
        super().__init__()
        self.calls = tf.Variable(0, dtype=tf.int64)

    @tf.function
    def count(self):
        return self.calls.assign_add(1)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, name="x")])
    def __call__(self, x):
        return {"calls": tf.fill([tf.size(x)], self.count())}


def test_a_signature_that_changes_state_is_not_warmed_up(tmp_path):
    path = export(Counter(), tmp_path, name="counter")
    assert list(requests(path, load(path).signature)) == []
    assert check_recorded(path) == 0
    assert rest_predict(path, {"instances": [0.0]}) == {"predictions": [1]}


def _slice(variable, _, __):
    variable[:1].assign(tf.zeros(1))


def _import(_, table, __):
    tf.raw_ops.LookupTableImportV2(
        table_handle=table.resource_handle, keys=tf.constant(["a"]), values=tf.constant([1.0])
    )


def _remove(_, table, __):
    table.remove(tf.constant(["a"]))


def _draw(_, __, generator):
    generator.normal([1])


def _skip(_, __, generator):
    generator.skip(1)


@pytest.mark.parametrize("change", [_slice, _import, _remove, _draw, _skip])
def test_every_change_of_a_state_is_found(change):
    variable = tf.Variable(tf.ones(2))
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, 0.0)
    generator = tf.random.Generator.from_seed(1)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32)])
    def changing(x):
        change(variable, table, generator)
        return x

    assert changes_state(changing.get_concrete_function())
