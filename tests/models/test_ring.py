import numpy as np
import pytest

from models import ring


@pytest.fixture(scope="module")
def data():
    return ring.dataset()


@pytest.fixture(scope="module")
def trained(data):
    model = ring.build()
    return model, ring.train(model, data, epochs=15)


def test_points_are_on_their_rings(data):
    assert data.points.shape == data.test_points.shape == (4000, 2)
    assert data.inner.sum() == data.test_inner.sum() == 2000
    radius = np.linalg.norm(data.points, axis=1)
    for label, middle in ((1, 5), (0, 8)):
        distances = radius[data.inner == label] - middle
        assert 1.9 < np.abs(distances).max() <= 2.001
        assert abs(distances.mean()) < 0.1
    np.testing.assert_array_equal(data.points, ring.dataset(0).points)
    assert not np.array_equal(data.points, ring.dataset(1).points)


def test_network_is_2_4_8_1():
    model = ring.build()
    assert [tuple(weight.shape) for weight in model.weights] == [(2, 4), (4, 8), (8, 1)]
    assert sum(np.size(variable) for variable in model.trainable_variables) == 61
    assert ring.build_keras().count_params() == 61


def test_answer_by_hand(data):
    model, x = ring.build(), data.points[:5]
    for weight in model.weights[:-1]:
        x = np.maximum(x @ weight.numpy(), 0)
    expected = 1 / (1 + np.exp(-(x @ model.weights[-1].numpy())[:, 0]))
    np.testing.assert_allclose(model(data.points[:5]), expected, rtol=1e-5)


def test_loop_learns_the_rings(trained, data):
    model, curves = trained
    assert curves.keys() == {"loss", "accuracy"}
    assert [len(curve) for curve in curves.values()] == [15, 15]
    assert ring.evaluate(model, data)["accuracy"] > 0.9


def test_keras_learns_the_same_rings(data, tmp_path, described):
    model = ring.build_keras()
    curves = ring.train_keras(model, data, epochs=15)
    assert curves.keys() == {"loss", "accuracy"}
    assert ring.evaluate(model, data)["accuracy"] > 0.9
    path = ring.export(model, tmp_path)
    assert described(path) == (["points: float32 (None, 2)"], ["inner: float32 (None, 1)"])


def test_training_follows_the_seed(data):
    first, again = ring.build(), ring.build()
    curves = ring.train(first, data, epochs=1)
    assert ring.train(again, data, epochs=1) == curves
    np.testing.assert_array_equal(first.weights[0], again.weights[0])


def test_export_answers_every_point_as_the_live_network(trained, data, tmp_path, serve, described):
    model, _ = trained
    path = ring.export(model, tmp_path)
    assert path.parts[-2:] == ("ring", "1")
    assert described(path) == (["points: float32 (None, 2)"], ["inner: float32 (None,)"])
    answer = serve(path, points=data.test_points)["inner"]
    np.testing.assert_allclose(answer, model(data.test_points), rtol=1e-5, atol=1e-7)
