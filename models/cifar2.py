"""A small convolutional network that classifies pictures of airplanes and automobiles.

Input: the folders `train/airplane`, `train/automobile`, `test/airplane` and `test/automobile` with
a JPEG, PNG, GIF, BMP or WebP file per picture. Output: the model, exported to
`<base>/cifar2/<version>` with two signatures, both with the output `automobile`, a probability
(None, 1) float32: `serving_default` takes `images` (None, 32, 32, 3) uint8, RGB from 0 to 255;
`encoded` takes `content` (None,) string, the bytes of such files, decoded as `models.pictures`
says. Pictures of another size are resized to 32×32; incomplete or invalid pictures raise an error.

Invariant: training decodes files as the graph of `encoded` does, and both signatures agree.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from models.export import export as export_model
from models.pictures import decode, decode_batch, encode_jpeg
from models.reading.images import read_folders
from models.reading.synthetic import synthetic_folder
from models.training.events import Events

__all__ = [
    "CLASSES",
    "NAME",
    "Pictures",
    "build",
    "dataset",
    "draw",
    "evaluate",
    "export",
    "train",
    "write_data",
]

NAME = "cifar2"
CLASSES = ("airplane", "automobile")
SIZE = 32
ROWS = {"train": 200, "test": 50}
"""Synthetic pictures of each class."""
LEARNING_RATE = 1e-3

Array = np.ndarray[Any, Any]


class Pictures(NamedTuple):
    """Training and test pictures.

    Attributes:
        x: (n, 32, 32, 3) uint8, in random order.
        y: (n, 1) float32, 0 for an airplane and 1 for an automobile.
        test_x: other pictures.
        test_y: their classes.
    """

    x: Array
    y: Array
    test_x: Array
    test_y: Array


def draw(rng: np.random.Generator, label: int) -> Array:
    """Draw an airplane (0) in the sky or an automobile (1) on a road, (32, 32, 3) uint8."""
    picture = np.empty((SIZE, SIZE, 3))
    top, left, width = rng.integers(8, 18), rng.integers(2, 8), rng.integers(18, 23)
    if label == 0:
        picture[:] = rng.uniform((90, 140, 190), (170, 200, 250))
        hull = rng.uniform(180, 255, 3)
        picture[top : top + 3, left : left + width] = hull
        wing = left + width // 2
        picture[top - 6 : top + 9, wing - 1 : wing + 2] = hull
        picture[top - 3 : top, left : left + 3] = hull
    else:
        picture[:] = rng.uniform((90, 110, 90), (200, 200, 220))
        picture[top + 8 :] = rng.uniform(60, 120)
        body = rng.uniform(0, 255, 3)
        picture[top : top + 5, left + 4 : left + width - 4] = body
        picture[top + 5 : top + 10, left : left + width] = body
        for wheel in (left + 3, left + width - 7):
            picture[top + 8 : top + 12, wheel : wheel + 4] = 20
    noisy = picture + rng.normal(0, 20, picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def write_data(folder: Path, seed: int = 0) -> Path:
    """Write 200 JPEG pictures of each class to `train` and 50 to `test`, and return the folder."""
    rng = np.random.default_rng(seed)
    for part, rows in ROWS.items():
        for label, name in enumerate(CLASSES):
            inside = folder / part / name
            inside.mkdir(parents=True, exist_ok=True)
            for number in range(rows):
                (inside / f"{number}.jpg").write_bytes(encode_jpeg(draw(rng, label)))
    return folder


def dataset(seed: int = 0, folder: Path | None = None) -> Pictures:
    """Read the pictures of a folder, or synthetic ones.

    Args:
        seed: seed of the synthetic pictures and of the training order.
        folder: holds `train` and `test`, each with `airplane` and `automobile`.

    Raises:
        InputNotFoundError: when `train` or `test` does not exist.
        DataError: when a class is missing, unknown or empty, or a file is not a complete picture.
    """
    source = folder or synthetic_folder(write_data, seed)
    x, y = _read(source / "train")
    order = np.random.default_rng(seed).permutation(len(x))
    return Pictures(x[order], y[order], *_read(source / "test"))


def _read(folder: Path) -> tuple[Array, Array]:
    files, labels, _ = read_folders(folder, CLASSES)
    decoded = tf.data.Dataset.from_tensor_slices(list(files)).map(
        lambda file: decode(tf.io.read_file(file), SIZE), num_parallel_calls=tf.data.AUTOTUNE
    )
    x = np.stack(list(decoded.as_numpy_iterator()))
    return x, labels.astype(np.float32)[:, np.newaxis]


def build(seed: int = 0) -> keras.Model:
    """Return the network (103 425 parameters), compiled; seeds Keras, NumPy and TensorFlow.

    /255, convolutions 32 of 3×3 and 64 of 5×5, each with max pooling, dropout 0.1, dense 32-1.
    """
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    images = keras.Input((SIZE, SIZE, 3), name="images", dtype="uint8")
    x = layers.Rescaling(1.0 / 255)(images)
    x = layers.MaxPooling2D()(layers.Conv2D(32, 3, activation="relu")(x))
    x = layers.MaxPooling2D()(layers.Conv2D(64, 5, activation="relu")(x))
    x = layers.Flatten()(layers.Dropout(0.1)(x))
    x = layers.Dense(32, "relu")(x)
    model = keras.Model(images, layers.Dense(1, "sigmoid", name="automobile")(x), name=NAME)
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    return model


def train(
    model: keras.Model,
    data: Pictures,
    *,
    seed: int = 0,
    epochs: int = 10,
    log_dir: Path | None = None,
) -> dict[str, list[float]]:
    """Fit `model` in place, 100 pictures per step, and validate it on a fifth of the data.

    Args:
        model: the model from `build`.
        data: the pictures from `dataset`.
        seed: seed of Keras, NumPy and TensorFlow.
        epochs: passes over the pictures; in the second half the learning rate is halved.
        log_dir: gets the curves for TensorBoard, and `best.keras`, the model after the epoch with
            the lowest `val_loss`. By default no file is written.

    Returns:
        `loss` and `accuracy`, the same for the validation data as `val_…`, and `learning_rate`.
    """
    keras.utils.set_random_seed(seed)

    def rate(epoch: int) -> float:
        return LEARNING_RATE if epoch < (epochs + 1) // 2 else LEARNING_RATE / 2

    callbacks: list[Any] = [keras.callbacks.LearningRateScheduler(rate)]
    if log_dir:
        best = str(log_dir / "best.keras")
        callbacks += [
            Events(log_dir),
            keras.callbacks.ModelCheckpoint(best, monitor="val_loss", save_best_only=True),
        ]
    history: dict[str, list[float]] = model.fit(
        data.x,
        data.y,
        batch_size=100,
        epochs=epochs,
        validation_split=0.2,
        callbacks=callbacks,
        verbose=0,
    ).history
    return history


def evaluate(model: keras.Model, data: Pictures) -> dict[str, float]:
    """Return `accuracy` and `loss` (mean cross-entropy) on the test pictures."""
    loss, accuracy = model.evaluate(data.test_x, data.test_y, batch_size=100, verbose=0)
    return {"accuracy": accuracy, "loss": loss}


def export(model: keras.Model, base: Path, *, fold: bool = False) -> Path:
    """Write `<base>/cifar2/<next version>` with both signatures and return it."""

    def encoded(content: Any) -> dict[str, Any]:
        return {"automobile": model(decode_batch(content, SIZE), training=False)}

    rng = np.random.default_rng(0)
    images = np.stack([draw(rng, label) for label in (0, 1)])
    content = np.array([encode_jpeg(image) for image in images], object)
    spec = tf.TensorSpec((None,), tf.string, "content")
    from_bytes = tf.function(encoded, input_signature=[spec])
    return export_model(
        model,
        base,
        name=NAME,
        fold=fold,
        signatures={"serving_default": model, "encoded": from_bytes},
        sample={"images": images, "content": content},
    )
