import keras
import numpy as np
import pytest

from models import titanic
from models.refusal import DataError
from models.training import restore
from tfspark.errors import InputNotFoundError, UsageError

ROWS = np.random.default_rng(0).normal(size=(200, 15)).astype(np.float32)
TARGET = (ROWS[:, :1] > 0).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    model = titanic.build()
    model.fit(ROWS, TARGET, verbose=0)
    return model


def answers(model: keras.Model):
    return model(ROWS, training=False).numpy()


def test_architecture_and_weights_together_give_the_same_answers(model, tmp_path):
    architecture = restore.save_architecture(model, tmp_path / "new" / "titanic.json")
    weights = restore.save_weights(model, tmp_path / "new" / "titanic.weights.h5")

    bare = restore.restore_architecture(architecture)
    assert bare.count_params() == 541
    assert not np.allclose(answers(bare), answers(model))
    again = restore.restore_weights(bare, weights)
    np.testing.assert_array_equal(answers(again), answers(model))


def test_whole_model_gives_the_same_answers_and_trains_on(model, tmp_path):
    file = restore.save_model(model, tmp_path / "new" / "titanic.keras")
    again = restore.restore_model(file)

    np.testing.assert_array_equal(answers(again), answers(model))
    assert int(again.optimizer.iterations) == int(model.optimizer.iterations) == 7
    twins = [restore.restore_model(file), again]
    for twin in twins:
        twin.fit(ROWS, TARGET, shuffle=False, verbose=0)
    np.testing.assert_array_equal(*map(answers, twins))
    assert not np.array_equal(answers(again), answers(model))


@pytest.mark.parametrize("save", [restore.save_weights, restore.save_model])
def test_names_that_keras_does_not_know_are_refused(save, model, tmp_path):
    with pytest.raises(UsageError, match="expected: a name in"):
        save(model, tmp_path / "titanic.bin")


def test_missing_files_are_said(model, tmp_path):
    for read in (restore.restore_architecture, restore.restore_model):
        with pytest.raises(InputNotFoundError, match="No file gone"):
            read(tmp_path / "gone.keras")
    with pytest.raises(InputNotFoundError, match="No file gone"):
        restore.restore_weights(model, tmp_path / "gone.weights.h5")


@pytest.mark.parametrize("content", [b"", b"{}", b'{"class_name": "Nothing"}', b"\xff\xff"])
def test_files_that_hold_nothing_of_the_kind_are_refused(content, model, tmp_path):
    names = {"a.json": restore.restore_architecture, "a.keras": restore.restore_model}
    for name, read in names.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name} cannot be read"):
            read(tmp_path / name)
    (tmp_path / "a.weights.h5").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        restore.restore_weights(model, tmp_path / "a.weights.h5")


def test_weights_of_another_architecture_are_refused(model, tmp_path):
    other = keras.Sequential([keras.Input((15,)), keras.layers.Dense(3)])
    file = restore.save_weights(other, tmp_path / "other.weights.h5")
    with pytest.raises(DataError, match="built like 'titanic'"):
        restore.restore_weights(titanic.build(), file)
