import shutil

import numpy as np
import pytest
import tensorflow as tf

from models import flowers
from models.refusal import DataError
from tfspark.errors import InputNotFoundError

CLASSES = ("aster", "dandelion", "roses", "sunflowers", "tulips")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Few pictures, one class with an unusual name, and the weights of another base."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flowers, "ROWS", 3)
        flowers.write_data(folder)
    return (folder / "daisy").rename(folder / "aster").parent


@pytest.fixture(scope="module")
def data(folder):
    return flowers.dataset(folder=folder)


@pytest.fixture(scope="module")
def model(data):
    model = flowers.build()
    flowers.train(model, data, epochs=1)
    return model


def weights_of(model):
    return [variable.numpy() for variable in model.get_layer("mobilenet_v2").variables]


def test_a_fifth_is_held_out_and_decoded_to_one_size(data, folder):
    [(x, y)] = data.train.as_numpy_iterator()
    [(test_x, test_y)] = data.test.as_numpy_iterator()
    assert data.classes == CLASSES
    assert (x.shape, x.dtype, test_x.shape) == ((12, 224, 224, 3), np.uint8, (3, 224, 224, 3))
    together = np.concatenate([y, test_y])
    assert np.bincount(together).tolist() == [3] * 5
    assert data.weights is None


def test_network_is_a_frozen_base_and_a_head(model):
    assert model.count_params() == 2_264_389
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == 6_405


def test_base_without_weights_tells_pictures_apart(model, data):
    [(x, y)] = data.train.as_numpy_iterator()
    base, scaled = model.get_layer("mobilenet_v2"), model.get_layer("scaled")
    features = base(scaled(x), training=False).numpy().mean(axis=(1, 2))
    assert 0.01 < features.std(axis=0).mean() < 1.0
    assert not base.trainable
    distance = np.abs(features[:, np.newaxis] - features).mean(axis=-1)
    same = (y[:, np.newaxis] == y) & ~np.eye(len(y), dtype=bool)
    assert distance[same].mean() < distance[y[:, np.newaxis] != y].mean()


def test_export_takes_bytes_and_names_the_flower(model, folder, tmp_path):
    path = flowers.export(model, tmp_path)
    signature = tf.saved_model.load(str(path)).signatures["serving_default"]
    [spec] = signature.structured_input_signature[1].values()
    assert path.parts[-2:] == ("flowers", "1")
    assert (spec.name, spec.dtype, spec.shape.as_list()) == ("content", tf.string, [None])

    contents = [(folder / name / "0.jpg").read_bytes() for name in CLASSES]
    answer = signature(content=tf.constant(contents))
    pixels = tf.stack([flowers.decode(content, 224) for content in contents])
    live = model(pixels, training=False).numpy()
    assert answer.keys() == {"probabilities", "label"}
    np.testing.assert_allclose(answer["probabilities"], live, rtol=1e-3, atol=1e-5)
    expected = [CLASSES[one].encode() for one in live.argmax(axis=1)]
    assert answer["label"].numpy().tolist() == expected
    with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid JPEG"):
        signature(content=tf.constant([contents[0], contents[1][:-50]]))


def test_weights_beside_the_classes_are_loaded(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "mobilenet_v2.weights.h5"
    other = flowers.build(seed=7)
    other.get_layer("mobilenet_v2").save_weights(file)
    model = flowers.build()
    expected = weights_of(other)
    assert not np.array_equal(weights_of(model)[0], expected[0])

    data = flowers.dataset(folder=tmp_path)
    assert data.weights == file
    flowers.load_base(model, data)
    for found, wanted in zip(weights_of(model), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)

    file.write_bytes(b"no weights")
    with pytest.raises(DataError, match="does not fit the base"):
        flowers.train(model, data, epochs=1)
    shutil.copy(file, tmp_path / "mobilenet_v2_more.h5")
    with pytest.raises(DataError, match="several weights"):
        flowers.dataset(folder=tmp_path)


def test_other_layouts_are_said(folder, tmp_path):
    with pytest.raises(InputNotFoundError, match="No folder gone"):
        flowers.dataset(folder=tmp_path / "gone")
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "tulips")
    with pytest.raises(DataError, match=r"needs 5 classes(.|\n)*5 folders"):
        flowers.dataset(folder=tmp_path)
    (tmp_path / "roses" / "0.jpg").write_text("no picture")
    with pytest.raises(DataError, match=r"roses/0\.jpg"):
        flowers.dataset(folder=tmp_path)
