import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from models import digits


@pytest.fixture(scope="module")
def data():
    return digits.dataset()


@pytest.fixture(scope="module")
def trained(data):
    model = digits.build()
    digits.train(model, data)
    return model


@pytest.fixture(scope="module")
def path(trained, tmp_path_factory):
    return digits.export(trained, tmp_path_factory.mktemp("base"))


def test_a_fifth_is_held_out_and_nothing_lost(data):
    pixels, labels = digits.full_dataset()
    assert pixels.shape == (1797, 64)
    assert (pixels.min(), pixels.max()) == (0, 16)
    assert (len(data.x), len(data.test_x)) == (1437, 360)
    together = np.concatenate([data.y, data.test_y])
    np.testing.assert_array_equal(np.bincount(together), np.bincount(labels))


def test_data_follow_the_seed(data):
    np.testing.assert_array_equal(data.test_x, digits.dataset(0).test_x)
    assert not np.array_equal(data.test_x, digits.dataset(1).test_x)


def test_network_is_64_128_64_10():
    model = digits.build()
    units = [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert units == [128, 64, 10]
    assert model.count_params() == 65 * 128 + 129 * 64 + 65 * 10


def test_held_out_accuracy(trained, data):
    assert digits.evaluate(trained, data)["accuracy"] >= 0.95


def test_export_takes_raw_pixels_and_gives_both_answers(path, trained, data):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(path))
        signature = meta.signature_def["serving_default"]
        fetches = {name: info.name for name, info in signature.outputs.items()}
        answer = session.run(fetches, {signature.inputs["pixels"].name: data.test_x})

    assert path.parts[-2:] == ("digits", "1")
    assert list(signature.inputs) == ["pixels"]
    assert {name: array.dtype for name, array in answer.items()} == {
        "probabilities": np.float32,
        "digit": np.int64,
    }
    expected = trained(data.test_x, training=False).numpy()
    np.testing.assert_allclose(answer["probabilities"], expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(answer["digit"], answer["probabilities"].argmax(axis=1))
    assert (answer["digit"] == data.test_y).mean() >= 0.95


def test_parquet_holds_every_picture(tmp_path):
    file = digits.write_parquet(tmp_path / "new" / "digits.parquet")

    table = pq.read_table(file)
    assert table.schema.names == ["id", "pixels", "label"]
    assert table.schema.types == [pa.int64(), pa.list_(pa.float32()), pa.int32()]
    pixels, labels = digits.full_dataset()
    assert table["id"].to_pylist() == list(range(1797))
    assert table["label"].to_pylist() == labels.tolist()
    np.testing.assert_array_equal(np.array(table["pixels"].to_pylist()), pixels)
