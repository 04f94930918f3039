import numpy as np
import pytest
import tensorflow as tf

from models import linear


@pytest.fixture(scope="module")
def trained():
    model = linear.build()
    linear.train(model, linear.dataset())
    return model


@pytest.fixture(scope="module")
def path(trained, tmp_path_factory):
    return linear.export(trained, tmp_path_factory.mktemp("base"))


@pytest.fixture
def as_is(monkeypatch):
    """Keep the command line from setting the log levels of the test run."""
    monkeypatch.setattr("models.__main__._silence_tensorflow", lambda: None)


def test_data_is_the_noisy_plane():
    data = linear.dataset()
    assert data.x.shape == data.test_x.shape == (800, 2)
    assert data.x.dtype == data.y.dtype == np.float32
    assert -10 <= data.x.min() < -9 < 9 < data.x.max() < 10
    noise = data.y - (data.x @ np.float32([[2], [-1]]) + 3)
    assert abs(noise.mean()) < 0.3
    assert 1.8 < noise.std() < 2.2


def test_data_follow_the_seed():
    first, again, other = linear.dataset(1), linear.dataset(1), linear.dataset(2)
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.y, again.y)
    assert not np.array_equal(first.x, other.x)


def test_training_finds_the_plane(trained):
    metrics = linear.evaluate(trained, linear.dataset())
    assert trained.count_params() == 3
    assert metrics["mae"] < 1.8
    found = [metrics["w0"], metrics["w1"], metrics["b"]]
    np.testing.assert_allclose(found, [2, -1, 3], atol=0.3)


def test_export_has_the_documented_names(path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(path))
        rows = [[1, 2], [3, 5], [6, 7], [8, 3]]
        answer = session.run("StatefulPartitionedCall:0", {"serving_default_inputs:0": rows})
    signature = meta.signature_def["serving_default"]
    assert path.parts[-2:] == ("linear_model", "1")
    assert {name: info.name for name, info in signature.inputs.items()} == {
        "inputs": "serving_default_inputs:0"
    }
    assert {name: info.name for name, info in signature.outputs.items()} == {
        "outputs": "StatefulPartitionedCall:0"
    }
    np.testing.assert_allclose(answer, [[3], [4], [8], [16]], atol=1.0)
