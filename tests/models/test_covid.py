import keras
import numpy as np
import pytest
import tensorflow as tf

from models import covid
from models.refusal import DataError
from tfspark.errors import InputNotFoundError

HEADER = "date\tconfirmed_num\tcured_num\tdead_num\n"


def table(days=12, **changes):
    rows = [[f"2020-01-{day + 1:02}", day * day, day, 2 * day] for day in range(days)]
    for place, value in changes.items():
        row, column = map(int, place[1:].split("_"))
        rows[row][column] = value
    return HEADER + "".join("\t".join(map(str, row)) + "\n" for row in rows)


@pytest.fixture(scope="module")
def data():
    return covid.dataset()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def trained(data, home):
    model = covid.build()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        return model, covid.train(model, data, epochs=20, log_dir=home / "logs")


@pytest.fixture(scope="module")
def path(trained, tmp_path_factory):
    return covid.export(trained[0], tmp_path_factory.mktemp("base"))


def test_made_up_days_give_one_batch_of_38_windows(data):
    assert (data.days.shape, data.windows.shape) == ((46, 3), (38, 8, 3))
    assert data.days.min() > 0
    for i in range(38):
        np.testing.assert_array_equal(data.windows[i], data.days[i : i + 8])
        np.testing.assert_array_equal(data.next_days[i], data.days[i + 8])
    assert not np.array_equal(data.days, covid.dataset(1).days)


def test_number_of_parameters():
    assert covid.build().count_params() == 348


def test_block_lets_the_last_day_grow_and_never_goes_below_zero():
    window = np.float32([[[9, 9, 9], [10, 20, 30]]])
    answer = covid.Block()(window, np.float32([[0.5, 0.0, -2.0]]))
    assert answer.numpy().tolist() == [[15.0, 20.0, 0.0]]


def test_loss_by_hand():
    y, found = np.float32([[10, 100, 1], [2, 2, 2]]), np.float32([[11, 90, 1], [2, 2, 3]])
    expected = ((0.1**2 + 0.1**2) / 3 + 0.5**2 / 3) / 2
    assert float(covid.SquaredPercentage()(y, found)) == pytest.approx(expected, rel=1e-5)


def test_loss_of_a_day_without_cases_is_finite():
    none = np.zeros((1, 3), np.float32)
    assert float(covid.SquaredPercentage()(none, none)) == 0.0
    assert np.isfinite(float(covid.SquaredPercentage()(none, none + 1)))


def test_training_returns_curves_and_lowers_the_loss(trained, data):
    model, curves = trained
    assert curves.keys() == {"loss", "learning_rate"}
    assert curves["learning_rate"] == [pytest.approx(0.01)] * 20
    assert curves["loss"][-1] < curves["loss"][0]
    metrics = covid.evaluate(model, data)
    assert list(metrics) == ["mspe", "mspe_same"]
    same = ((data.next_days - data.windows[:, -1]) / data.next_days) ** 2
    assert metrics["mspe_same"] == pytest.approx(same.mean(), rel=1e-4)


def test_rate_that_another_callback_lowers_is_recorded():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    rates, one = covid.LearningRates(), np.ones((1, 1))
    halving = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    model.fit(one, one, epochs=3, verbose=0, callbacks=[halving, rates])
    assert rates.values == pytest.approx([0.005, 0.0025, 0.00125])


def test_files_go_below_the_log_folder_only(trained, home):
    assert [entry.name for entry in home.iterdir()] == ["logs"]
    assert [entry.name for entry in (home / "logs").iterdir()] == ["train"]


def test_forecast_rolls_on_day_by_day(trained, data):
    model, _ = trained
    days = covid.forecast(model, data.days, days=5)
    assert (days.shape, days.dtype) == ((5, 3), np.float32)
    history = data.days
    for day in days:
        next_day = np.floor(model(history[None, -38:]).numpy()[0])
        np.testing.assert_array_equal(day, next_day)
        history = np.concatenate([history, next_day[None]])
    np.testing.assert_array_equal(days, covid.forecast(model, data.days[-38:], days=5))
    assert covid.forecast(model, data.days, days=0).shape == (0, 3)


@pytest.mark.parametrize("history", [np.zeros((0, 3)), np.zeros((5, 2)), np.zeros(3)])
def test_forecast_from_no_history_is_refused_in_words(trained, history):
    with pytest.raises(DataError, match="at least one day"):
        covid.forecast(trained[0], history)


def test_export_has_the_documented_names(path, described):
    window = ["window: float32 (None, None, 3)"]
    assert path.parts[-2:] == ("covid", "1")
    assert described(path) == (window, ["next_day: float32 (None, 3)"])
    assert described(path, "forecast") == (window, ["days: float32 (None, 100, 3)"])


@pytest.mark.parametrize("days", [1, 8, 38, 60])
def test_export_takes_windows_of_any_length(path, serve, trained, data, days):
    window = np.resize(data.days, (2, days, 3))
    answer = serve(path, window=window)["next_day"]
    np.testing.assert_allclose(answer, trained[0](window), rtol=1e-5)


@pytest.mark.parametrize("days", [3, 46])
def test_exported_forecast_is_that_of_the_function(path, serve, trained, data, days):
    history = data.days[:days]
    answer = serve(path, "forecast", window=history[None])["days"]
    np.testing.assert_array_equal(answer[0], covid.forecast(trained[0], history))


@pytest.mark.parametrize("signature", ["serving_default", "forecast"])
def test_export_says_that_a_window_is_empty(path, serve, signature):
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected at least one"):
        serve(path, signature, window=np.zeros((1, 0, 3)))


@pytest.mark.parametrize("name", ["covid.tsv", "covid-19.csv"])
def test_totals_become_daily_differences(tmp_path, name):
    (tmp_path / name).write_text(table())
    data = covid.dataset(folder=tmp_path)
    assert data.days[:3].tolist() == [[1, 1, 2], [3, 1, 2], [5, 1, 2]]
    assert data.windows.shape == (3, 8, 3)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (None, InputNotFoundError, r"No file covid\.tsv"),
        ("", DataError, "cannot be read as a table"),
        (HEADER, DataError, "no rows"),
        (table().replace("cured", "Cured"), DataError, "Did you mean 'Cured_num'"),
        (table().replace("\t", ","), DataError, "4 mismatches"),
        (table(days=9), DataError, r"too short(.|\n)*at least 10 days(.|\n)*9 days"),
        (table(r3_0="soon"), DataError, r"dates such as(.|\n)*row 4: \['soon'"),
        (table(r3_0="2020-01-01"), DataError, r"dates that rise(.|\n)*row 4"),
        (table(r5_2="many"), DataError, r"a number in each count(.|\n)*row 6"),
        (table(r5_2=""), DataError, r"a number in each count(.|\n)*row 6"),
    ],
)
def test_other_files_are_refused_in_words(tmp_path, text, error, words):
    if text is not None:
        (tmp_path / "covid.tsv").write_text(text)
    with pytest.raises(error, match=words):
        covid.dataset(folder=tmp_path)
