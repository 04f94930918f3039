import keras
import numpy as np
import tensorflow as tf

from models.training.events import Events


def events(folder):
    """Return {tag: values} of the one file in a folder, and the names of the plugins."""
    [file] = folder.iterdir()
    values = [
        value
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
        for value in tf.compat.v1.Event.FromString(record).summary.value
    ]
    curves = {}
    for value in values:
        curves.setdefault(value.tag, []).append(float(tf.make_ndarray(value.tensor)))
    return curves, {value.metadata.plugin_data.plugin_name for value in values}


def test_every_curve_is_written_where_tensorboard_looks(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    x = np.float32([[1], [2]])

    history = model.fit(
        x, x, validation_data=(x, x), epochs=3, verbose=0, callbacks=[Events(tmp_path / "new")]
    ).history

    for folder, prefix in (("train", ""), ("validation", "val_")):
        curves, plugins = events(tmp_path / "new" / folder)
        assert plugins == {"scalars"}
        assert curves.keys() == {"epoch_loss", "epoch_mae"}
        for name in ("loss", "mae"):
            np.testing.assert_allclose(curves[f"epoch_{name}"], history[prefix + name], rtol=1e-6)


def test_without_held_out_data_there_is_one_folder(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((1, 1)), np.ones((1, 1)), verbose=0, callbacks=[Events(tmp_path)])
    assert [entry.name for entry in tmp_path.iterdir()] == ["train"]
