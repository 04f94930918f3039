import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from models import mnist
from models.refusal import DataError
from tfspark.errors import InputNotFoundError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return mnist.write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def data(folder):
    return mnist.dataset(folder=folder)


@pytest.fixture(scope="module")
def few(data):
    return mnist.Digits(data.x[:220], data.y[:220], data.test_x[:50], data.test_y[:50])


def weights_of(model):
    return [variable.numpy() for variable in model.variables]


def assert_equal_weights(one, other):
    for found, wanted in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_digits_are_enlarged_and_a_fifth_is_for_testing(data):
    assert (data.x.shape, data.x.dtype) == ((1438, 28, 28, 1), np.uint8)
    assert (data.y.dtype, data.test_x.shape) == (np.int64, (359, 28, 28, 1))
    assert (data.x.min(), data.x.max()) == (0, 255)
    assert np.bincount(np.concatenate([data.y, data.test_y])).sum() == 1797
    assert not np.array_equal(data.y, mnist.dataset(1).y)


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (mnist.build, 832 + 51_264 + 3_137 * 1_024 + 10_250),
        (mnist.build_mlp, 785 * 100 + 1_010),
        (mnist.build_small, 160 + 2_320 + 170),
    ],
)
def test_networks_have_their_parameters(build, parameters):
    assert build().count_params() == parameters


def test_train_on_batch_learns(data):
    model = mnist.build_mlp()
    curves = mnist.train(model, data, epochs=5)
    assert {name: len(curve) for name, curve in curves.items()} == {"loss": 5, "accuracy": 5}
    assert curves["loss"] == sorted(curves["loss"], reverse=True)
    metrics = mnist.evaluate(model, data)
    assert list(metrics) == ["accuracy", "loss"]
    assert metrics["accuracy"] > 0.9


def test_the_loop_does_what_train_on_batch_does(few):
    first, second = mnist.build_mlp(), mnist.build_mlp()
    curves = mnist.train(first, few, epochs=2)
    by_loop = mnist.train_loop(second, few, epochs=2)
    for name, curve in curves.items():
        np.testing.assert_allclose(by_loop[name], curve, rtol=1e-4)
    for one, other in zip(weights_of(first), weights_of(second), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_the_loop_goes_on_where_it_was_interrupted(few, tmp_path):
    whole, first, second = (mnist.build_small() for _ in range(3))
    curves = mnist.train_loop(whole, few, epochs=5)
    mnist.train_loop(first, few, epochs=4, log_dir=tmp_path)
    rest = mnist.train_loop(second, few, epochs=5, log_dir=tmp_path)

    np.testing.assert_allclose(rest["loss"], curves["loss"][4:], rtol=1e-5)
    for one, other in zip(weights_of(second), weights_of(whole), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoints"]
    kept = {entry.stem for entry in (tmp_path / "checkpoints").glob("*.index")}
    assert kept == {"ckpt-3", "ckpt-4", "ckpt-5"}

    third = mnist.build_small(seed=1)
    assert mnist.train_loop(third, few, epochs=5, log_dir=tmp_path)["loss"] == []
    assert_equal_weights(third, second)


def test_checkpoints_of_another_network_are_refused(few, tmp_path):
    mnist.train_loop(mnist.build_small(), few, epochs=1, log_dir=tmp_path)
    with pytest.raises(DataError, match=r"ckpt-1 cannot be restored(.|\n)*Hint: choose another"):
        mnist.train_loop(mnist.build_mlp(), few, epochs=2, log_dir=tmp_path)


@pytest.mark.parametrize("build", [mnist.build, mnist.build_mlp, mnist.build_small])
def test_export_takes_grey_values_and_gives_both_answers(build, data, tmp_path):
    model = build()
    path = mnist.export(model, tmp_path)
    signature = tf.saved_model.load(str(path)).signatures["serving_default"]
    [spec] = signature.structured_input_signature[1].values()
    assert path.parts[-2:] == ("mnist", "1")
    assert (spec.name, spec.dtype, spec.shape.as_list()) == (
        *("image", tf.float32, [None, 28, 28, 1]),
    )

    images = tf.constant(data.test_x, tf.float32)
    answer = {name: value.numpy() for name, value in signature(image=images).items()}
    assert {name: (value.dtype, value.shape) for name, value in answer.items()} == {
        "probabilities": (np.float32, (359, 10)),
        "digit": (np.int64, (359,)),
    }
    live = model(images, training=False).numpy()
    np.testing.assert_allclose(answer["probabilities"], live, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(answer["digit"], answer["probabilities"].argmax(axis=1))


def test_parquet_holds_the_test_pictures(data, folder, tmp_path):
    file = mnist.write_parquet(tmp_path / "new" / "mnist.parquet", folder=folder)
    table = pq.read_table(file)
    assert table.schema.names == ["id", "image", "label"]
    assert table.schema.types == [pa.int64(), pa.list_(pa.float32()), pa.int32()]
    assert table["id"].to_pylist() == list(range(359))
    assert table["label"].to_pylist() == data.test_y.tolist()
    images = np.array(table["image"].to_pylist()).reshape(-1, 28, 28, 1)
    np.testing.assert_array_equal(images, data.test_x)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("x_train", lambda x: x[:, :8, :8], "array 'x_train': expected numbers of shape"),
        ("x_test", lambda x: x / 255, "expected: uint8\n  found:    float64"),
        ("y_train", lambda y: y[1:], "expected: 1438 labels\n  found:    1437"),
        ("y_test", lambda y: y + 1, "expected: whole numbers from 0 to 9\n  found:    10"),
    ],
)
def test_other_arrays_are_said(name, change, words, folder, tmp_path):
    with np.load(folder / "mnist.npz") as archive:
        arrays = dict(archive)
    arrays[name] = change(arrays[name])
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(DataError) as refusal:
        mnist.dataset(folder=tmp_path)
    assert words in str(refusal.value)


def test_missing_file_is_said(tmp_path):
    with pytest.raises(InputNotFoundError, match=r"No file mnist\.npz"):
        mnist.dataset(folder=tmp_path)
