import numpy as np
import pytest
import tensorflow as tf

from models import cifar2
from models.pictures import encode_jpeg
from models.refusal import DataError
from models.training.restore import restore_model
from tfspark.errors import InputNotFoundError

EPOCHS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return cifar2.write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def data(folder):
    return cifar2.dataset(folder=folder)


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def trained(data, log_dir):
    model = cifar2.build()
    return model, cifar2.train(model, data, epochs=EPOCHS, log_dir=log_dir)


@pytest.fixture(scope="module")
def path(trained, tmp_path_factory):
    return cifar2.export(trained[0], tmp_path_factory.mktemp("base"))


def test_pictures_are_read_with_their_labels(data, folder):
    assert (data.x.shape, data.x.dtype) == ((400, 32, 32, 3), np.uint8)
    assert (data.y.shape, data.y.dtype) == ((400, 1), np.float32)
    assert data.test_x.shape == (100, 32, 32, 3)
    assert (data.y.sum(), data.test_y.sum()) == (200, 50)
    assert 0.3 < data.y[:100].mean() < 0.7  # mixed, although folders are read one by one
    first = (folder / "test" / "automobile" / "0.jpg").read_bytes()
    np.testing.assert_array_equal(data.test_x[50], tf.io.decode_jpeg(first))


def test_network_has_103425_parameters():
    assert cifar2.build().count_params() == 103_425


def test_training_learns(trained, data):
    model, curves = trained
    assert all(len(curve) == EPOCHS for curve in curves.values())
    assert set(curves) == {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
    np.testing.assert_allclose(curves["learning_rate"], [1e-3, 1e-3, 5e-4], rtol=1e-6)
    metrics = cifar2.evaluate(model, data)
    assert list(metrics) == ["accuracy", "loss"]
    assert metrics["accuracy"] > 0.8


def test_callbacks_leave_events_and_the_best_model(trained, log_dir, data):
    curves = trained[1]
    assert {entry.name for entry in log_dir.iterdir()} == {"best.keras", "train", "validation"}
    [events] = (log_dir / "validation").iterdir()
    written = [
        tf.make_ndarray(value.tensor).item()
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
        if value.tag == "epoch_loss"
    ]
    np.testing.assert_allclose(written, curves["val_loss"], rtol=1e-6)

    best = restore_model(log_dir / "best.keras")
    held_out = len(data.x) // 5
    loss, _ = best.evaluate(data.x[-held_out:], data.y[-held_out:], batch_size=100, verbose=0)
    assert loss == pytest.approx(min(curves["val_loss"]), rel=1e-4)


def test_both_signatures_answer_as_the_live_model(path, trained, data, folder):
    signatures = tf.saved_model.load(str(path)).signatures
    [pixels] = signatures["serving_default"].structured_input_signature[1].values()
    [content] = signatures["encoded"].structured_input_signature[1].values()
    assert path.parts[-2:] == ("cifar2", "1")
    assert (pixels.name, pixels.dtype, pixels.shape.as_list()) == (
        *("images", tf.uint8, [None, 32, 32, 3]),
    )
    assert (content.name, content.dtype, content.shape.as_list()) == ("content", tf.string, [None])

    files = sorted((folder / "test" / "airplane").iterdir())
    files += sorted((folder / "test" / "automobile").iterdir())
    live = trained[0](data.test_x, training=False).numpy()
    by_pixels = signatures["serving_default"](images=data.test_x)
    by_bytes = signatures["encoded"](content=tf.constant([file.read_bytes() for file in files]))

    assert list(by_pixels) == list(by_bytes) == ["automobile"]
    np.testing.assert_allclose(by_pixels["automobile"], live, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(by_bytes["automobile"], live, rtol=1e-4, atol=1e-6)


def test_encoded_takes_other_sizes_and_refuses_broken_bytes(path):
    encoded = tf.saved_model.load(str(path)).signatures["encoded"]
    small = cifar2.draw(np.random.default_rng(1), 1)
    large = encode_jpeg(np.repeat(np.repeat(small, 4, axis=0), 4, axis=1))
    [[near], [exact]] = encoded(content=tf.constant([large, encode_jpeg(small)]))["automobile"]
    assert float(near) == pytest.approx(float(exact), abs=0.2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid JPEG"):
        encoded(content=tf.constant([large, large[:-100]]))


def test_bad_folders_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar2, "ROWS", {"train": 2, "test": 1})
    with pytest.raises(InputNotFoundError, match="No folder train"):
        cifar2.dataset(folder=tmp_path)
    cifar2.write_data(tmp_path)
    broken = tmp_path / "train" / "airplane" / "1.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(DataError, match=r"train/airplane/1\.jpg"):
        cifar2.dataset(folder=tmp_path)
    broken.unlink()
    (tmp_path / "test" / "bird").mkdir()
    with pytest.raises(DataError, match="folder 'bird' is not a class"):
        cifar2.dataset(folder=tmp_path)
