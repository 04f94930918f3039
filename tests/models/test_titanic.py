import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from models import titanic
from models.refusal import DataError
from tfspark.errors import InputNotFoundError

ROWS = pd.DataFrame(
    {
        "Pclass": [3, 1, 2, 4],
        "Sex": ["male", "female", "female", "other"],
        "Age": [22.0, 38.5, np.nan, 0.42],
        "SibSp": [1, 0, 3, 0],
        "Parch": [0, 2, 0, 0],
        "Fare": [7.25, 71.2833, np.nan, 512.3292],
        "Cabin": [np.nan, "C85", "", "B96 B98"],
        "Embarked": ["S", "C", np.nan, "X"],
    }
)
FEATURES = np.array(
    [
        [0, 0, 1, 0, 1, 22, 0, 1, 0, 7.25, 1, 1, 0, 0, 0],
        [1, 0, 0, 1, 0, 38.5, 0, 0, 2, 71.2833, 0, 0, 1, 0, 0],
        [0, 1, 0, 1, 0, 0, 1, 3, 0, 0, 1, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0.42, 0, 0, 0, 512.3292, 0, 0, 0, 0, 0],
    ],
    np.float32,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return titanic.write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def data(folder):
    return titanic.dataset(folder=folder)


@pytest.fixture(scope="module")
def trained(data):
    model = titanic.build()
    return model, titanic.train(model, data, epochs=12)


@pytest.fixture(scope="module")
def path(trained, tmp_path_factory):
    return titanic.export(trained[0], tmp_path_factory.mktemp("base"))


def test_features_of_rows_made_by_hand():
    np.testing.assert_array_equal(titanic.features(ROWS), FEATURES)
    assert len(titanic.FEATURES) == 15
    assert titanic.FEATURES[5:7] == ("Age", "Age_null")
    assert titanic.FEATURES[10:] == (
        *("Cabin_null", "Embarked_S", "Embarked_C", "Embarked_Q", "Embarked_null"),
    )


def test_synthetic_files_have_the_layout_of_the_original(folder):
    train, test = (pd.read_csv(folder / name) for name in ("train.csv", "test.csv"))
    assert (
        list(train.columns)
        == list(test.columns)
        == [
            *("PassengerId", "Survived", "Pclass", "Name", "Sex", "Age"),
            *("SibSp", "Parch", "Ticket", "Fare", "Cabin", "Embarked"),
        ]
    )
    assert set(train.columns[train.isna().any()]) == {"Age", "Cabin", "Embarked"}
    assert (len(train), len(test)) == (3_000, 750)


def test_data_follow_the_seed(data):
    np.testing.assert_array_equal(data.x, titanic.dataset(0).x)
    assert not np.array_equal(data.x, titanic.dataset(1).x)


@pytest.mark.parametrize("name", ["titanic.csv", "train.csv"])
def test_of_one_file_alone_a_fifth_is_held_out(name, folder, tmp_path):
    table = pd.read_csv(folder / "train.csv").drop(columns=["PassengerId", "Name", "Ticket"])
    table.head(101).to_csv(tmp_path / name, index=False)

    first, other = (titanic.dataset(seed, tmp_path) for seed in (0, 1))

    assert (len(first.x), len(first.test_x)) == (80, 21)
    together = np.concatenate([first.x, first.test_x])
    everyone = titanic.features(table.head(101))
    np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(everyone, axis=0))
    assert not np.array_equal(first.test_x, other.test_x)


def test_network_has_541_parameters():
    model = titanic.build()
    units = [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert units == [20, 10, 1]
    assert model.count_params() == 541


def test_training_learns_and_follows_a_fifth(trained, data):
    model, curves = trained
    assert set(curves) == {
        *("loss", "accuracy", "auc", "val_loss", "val_accuracy", "val_auc"),
    }
    assert all(len(curve) == 12 for curve in curves.values())
    metrics = titanic.evaluate(model, data)
    assert list(metrics) == ["auc", "accuracy", "loss"]
    assert metrics["auc"] > 0.8


def test_both_signatures_answer_as_the_live_model(path, trained, data, folder):
    signatures = tf.saved_model.load(str(path)).signatures
    everyone = pd.concat([pd.read_csv(folder / "test.csv"), ROWS])
    rows = titanic.features(everyone)
    live = trained[0](rows, training=False).numpy()

    by_features = signatures["serving_default"](features=rows)["survived"]
    columns = {name: tf.constant(v) for name, v in titanic.raw_columns(everyone).items()}
    by_columns = signatures["raw"](**columns)["survived"]

    assert path.parts[-2:] == ("titanic", "1")
    np.testing.assert_array_equal(rows[:-4], data.test_x)
    np.testing.assert_allclose(by_features, live, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(by_columns, live, rtol=1e-5, atol=1e-7)
    assert by_columns.shape == (754, 1)


def test_the_graph_computes_the_same_features(folder):
    everyone = pd.concat([pd.read_csv(folder / "train.csv"), ROWS])
    columns = {name: tf.constant(v) for name, v in titanic.raw_columns(everyone).items()}
    found = tf.function(titanic.raw_features)(columns)
    np.testing.assert_array_equal(found, titanic.features(everyone))


def test_raw_columns_take_what_spark_infers_from_csv(path):
    specs = tf.saved_model.load(str(path)).signatures["raw"].structured_input_signature[1]
    assert {name: (spec.dtype.name, spec.shape.as_list()) for name, spec in specs.items()} == {
        "Pclass": ("int64", [None]),
        "Sex": ("string", [None]),
        "Age": ("float64", [None]),
        "SibSp": ("int64", [None]),
        "Parch": ("int64", [None]),
        "Fare": ("float64", [None]),
        "Cabin": ("string", [None]),
        "Embarked": ("string", [None]),
    }


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("Sex", "femal", "column 'Sex': expected one of 'female', 'male', found 'femal' in row 2"),
        ("Sex", None, "column 'Sex'"),
        ("Pclass", 4, "column 'Pclass'"),
        ("Age", "old", "column 'Age': expected numbers, found 'old'"),
        ("SibSp", 0.5, "column 'SibSp': expected whole numbers"),
        ("Embarked", "X", "column 'Embarked'"),
        ("Survived", 2, "column 'Survived'"),
    ],
)
def test_values_that_cannot_be_learned_from_are_said(column, value, words, folder, tmp_path):
    table = pd.read_csv(folder / "test.csv").astype({column: object})
    table.loc[1, column] = value
    table.to_csv(tmp_path / "titanic.csv", index=False)
    with pytest.raises(DataError) as refusal:
        titanic.dataset(folder=tmp_path)
    assert words in str(refusal.value)


def test_missing_files_and_columns_are_said(folder, tmp_path):
    with pytest.raises(InputNotFoundError, match=r"No file train\.csv"):
        titanic.dataset(folder=tmp_path)
    table = pd.read_csv(folder / "test.csv")
    table.to_csv(tmp_path / "train.csv", index=False)
    table.drop(columns="Survived").to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(DataError, match=r"test\.csv lacks columns(.|\n)*'Survived'"):
        titanic.dataset(folder=tmp_path)
    table[table["Survived"] == 1].to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(DataError, match=r"held-out part(.|\n)*one class only"):
        titanic.dataset(folder=tmp_path)
