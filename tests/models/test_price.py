import numpy as np
import pytest

from models import price


@pytest.fixture(scope="module")
def trained():
    model = price.build()
    curves = price.train(model, price.dataset())
    return model, curves


def test_gradient_descent_finds_the_line(trained):
    model, curves = trained
    metrics = price.evaluate(model, price.dataset())
    assert list(metrics) == ["mae", "a", "b"]
    np.testing.assert_allclose([metrics["a"], metrics["b"]], [0.97, 0.05], atol=0.01)
    assert metrics["mae"] < 250
    assert len(curves["loss"]) == 10_000
    assert curves["loss"][-1] < curves["loss"][0] / 100


def test_one_step_by_hand():
    model = price.build()
    curves = price.train(model, price.dataset(), epochs=1)

    x, y = np.arange(5) / 4, np.array([0, 2000, 3000, 4500, 5500]) / 5500
    assert curves["loss"] == [pytest.approx((y**2).sum() / 2)]
    assert model.a.numpy() == pytest.approx(1e-3 * (x * y).sum())
    assert model.b.numpy() == pytest.approx(1e-3 * y.sum())


def test_all_steps_are_one_graph():
    model = price.build()
    for epochs in (1, 2):
        price.train(model, price.dataset(), epochs=epochs)
    assert model.descend.experimental_get_tracing_count() == 1


def test_export_takes_years_and_gives_prices(trained, tmp_path, serve, described):
    model, _ = trained
    path = price.export(model, tmp_path)

    assert path.parts[-2:] == ("price", "1")
    assert described(path) == (["year: int64 (None,)"], ["price: float32 (None,)"])
    years = np.array([2013, 2017, 2018, 1999])
    expected = (model.a.numpy() * (years - 2013) / 4 + model.b.numpy()) * 5500 + 12_000
    np.testing.assert_allclose(serve(path, year=years)["price"], expected, rtol=1e-6)
