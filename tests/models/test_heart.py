import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from models import heart
from models.refusal import DataError
from tfspark.errors import InputNotFoundError

AGES = [17, 18, 24, 25, 64, 65, 90]
ROWS = {
    "age": np.array(AGES),
    "trestbps": np.array([110, 120, 130, 140, 150, 160, 170]),
    "chol": np.array([200, 210, 220, 230, 240, 250, 260]),
    "thalach": np.array([200, 190, 180, 170, 160, 150, 140]),
    "oldpeak": np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.1]),
    "slope": np.array([1, 2, 3, 1, 2, 3, 1]),
    "ca": np.array([0, 1, 2, 3, 0, 1, 2]),
    "thal": np.array(["fixed", "normal", "reversible", "normal", "", "2", "fixed"], object),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return heart.write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def data(folder):
    return heart.dataset(folder=folder)


@pytest.fixture(scope="module")
def trained(data):
    model = heart.build()
    return model, heart.train(model, data)


@pytest.fixture(scope="module")
def path(trained, tmp_path_factory):
    return heart.export(trained[0], tmp_path_factory.mktemp("base"))


def gathered(batches):
    """All rows of a pipeline as one table."""
    parts = list(batches.as_numpy_iterator())
    columns = {name: np.concatenate([x[name] for x, _ in parts]) for name in heart.INPUTS}
    target = np.concatenate([y for _, y in parts])
    return pd.DataFrame(columns).assign(target=target[:, 0].astype(int))


def test_every_row_is_either_learned_from_or_held_out(data, folder):
    table = pd.read_csv(folder / "heart.csv")
    train, test = gathered(data.train), gathered(data.test)
    for part in (train, test):
        part["thal"] = part["thal"].str.decode("utf-8")
    assert (len(train), len(test)) == (960, 240)
    assert (len(data.train), len(data.test)) == (30, 8)
    pd.testing.assert_frame_equal(test, table.iloc[::5].reset_index(drop=True))
    columns = list(table.columns)
    together = pd.concat([train, test]).sort_values(columns, ignore_index=True)
    pd.testing.assert_frame_equal(together, table.sort_values(columns, ignore_index=True))


def test_batches_have_the_types_of_the_inputs(data):
    inputs, target = data.train.element_spec
    assert {name: spec.dtype.name for name, spec in inputs.items()} == heart.INPUTS
    assert all(spec.shape.as_list() == [None] for spec in inputs.values())
    assert (target.dtype, target.shape.as_list()) == (tf.float32, [None, 1])


def test_training_rows_are_shuffled_anew_by_the_seed(folder):
    first, again, other = (
        gathered(heart.dataset(seed, folder).train)["chol"].tolist() for seed in (0, 0, 5)
    )
    assert first == again
    assert first != other
    assert sorted(first) == sorted(other)  # seeds 0 and 5 hold out the same fifth


def test_columns_are_prepared_in_the_graph():
    model = heart.build()
    prepared = keras.Model(model.input, model.get_layer("prepared").output)
    found = prepared({name: tf.constant(values) for name, values in ROWS.items()}).numpy()

    numbers, ages, thals, embedded, crossed = np.split(found, [7, 18, 22, 30], axis=1)
    expected = np.stack([ROWS[name] for name in heart.NUMBERS], axis=1).astype(np.float32)
    np.testing.assert_array_equal(numbers, expected)
    np.testing.assert_array_equal(ages.argmax(axis=1), [0, 1, 1, 2, 9, 10, 10])
    np.testing.assert_array_equal(thals.argmax(axis=1), [1, 2, 3, 2, 0, 0, 1])
    for one_hot in (ages, thals, crossed):
        np.testing.assert_array_equal(one_hot.sum(axis=1), 1)
        assert set(one_hot.ravel()) == {0, 1}
    np.testing.assert_array_equal(embedded[1], embedded[3])
    assert not np.array_equal(embedded[0], embedded[1])
    assert crossed.shape == (7, 1_000)
    bins = crossed.argmax(axis=1)
    assert bins[1] != bins[3]  # the same thal in another age bucket


def test_network_is_128_128_1():
    model = heart.build()
    units = [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert units == [128, 128, 1]
    assert model.count_params() == 4 * 8 + 1_031 * 128 + 129 * 128 + 129


def test_training_learns(trained, data):
    model, curves = trained
    assert {name: len(curve) for name, curve in curves.items()} == {
        "loss": 5,
        "accuracy": 5,
        "auc": 5,
    }
    metrics = heart.evaluate(model, data)
    assert list(metrics) == ["auc", "accuracy", "loss"]
    assert metrics["auc"] > 0.85


def test_export_takes_raw_columns(path, trained, data):
    signature = tf.saved_model.load(str(path)).signatures["serving_default"]
    specs = signature.structured_input_signature[1]
    assert path.parts[-2:] == ("heart", "1")
    assert {name: spec.dtype.name for name, spec in specs.items()} == heart.INPUTS
    assert all(spec.shape.as_list() == [None] for spec in specs.values())

    for inputs, _ in [*data.test, (ROWS, None)]:
        columns = {name: tf.constant(values) for name, values in inputs.items()}
        answer = signature(**columns)
        assert list(answer) == ["target"]
        live = trained[0](columns, training=False)
        np.testing.assert_allclose(answer["target"], live, rtol=1e-5, atol=1e-7)


def test_columns_may_come_in_any_order_among_others(data, folder, tmp_path):
    table = pd.read_csv(folder / "heart.csv")
    table["thal"] = table["thal"].mask(table["thal"] == "fixed")  # an empty field
    table["age"] = table["age"].astype(float)
    others = table[sorted(table.columns, reverse=True)].assign(sex='1, "m"')
    others.to_csv(tmp_path / "heart.csv", index=False, lineterminator="\r\n")

    found = gathered(heart.dataset(folder=tmp_path).test)

    expected = gathered(data.test).replace({"thal": {b"fixed": b""}})
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("age", 63.5, "column 'age': expected whole numbers, found '63.5' in row 4"),
        ("oldpeak", "high", "column 'oldpeak': expected numbers, found 'high'"),
        ("chol", None, "column 'chol': expected whole numbers, found nothing"),
        ("target", 3, "column 'target': expected one of '0', '1'"),
    ],
)
def test_values_that_cannot_be_learned_from_are_said(column, value, words, folder, tmp_path):
    table = pd.read_csv(folder / "heart.csv").astype({column: object})
    table.loc[3, column] = value
    table.to_csv(tmp_path / "heart.csv", index=False)
    with pytest.raises(DataError) as refusal:
        heart.dataset(folder=tmp_path)
    assert words in str(refusal.value)


def test_other_layouts_are_said(folder, tmp_path):
    file = tmp_path / "heart.csv"
    with pytest.raises(InputNotFoundError, match=r"No file heart\.csv"):
        heart.dataset(folder=tmp_path)
    table = pd.read_csv(folder / "heart.csv")
    table.rename(columns={"thal": "Thal"}).to_csv(file, index=False)
    with pytest.raises(DataError, match="Did you mean 'Thal'"):
        heart.dataset(folder=tmp_path)
    table[table["target"] == 1].to_csv(file, index=False)
    with pytest.raises(DataError, match="one class only"):
        heart.dataset(folder=tmp_path)
    lines = (folder / "heart.csv").read_text().splitlines()
    file.write_text("\n".join([*lines[:5], "", *lines[5:]]))
    with pytest.raises(DataError, match=r"TensorFlow cannot read(.|\n)*expected: 1200 rows"):
        heart.dataset(folder=tmp_path)
