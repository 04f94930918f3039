"""A classifier of flowers: a small head on a frozen MobileNetV2.

Input: a folder of five class folders with a JPEG, PNG, GIF, BMP or WebP file per picture, of which
a fifth is held out; beside them, optionally, one file `mobilenet_v2*.h5` with weights of the base
(input 224×224×3, without its top), as Keras publishes them or as `save_weights` wrote them. Output:
the model, exported to `<base>/flowers/<version>`: `content` (None,) string, the bytes of such
files, to `probabilities` (None, 5) float32, in the sorted order of the folders, and `label` (None,)
string, the name of the folder. Pictures are decoded as `models.pictures` says and resized to
224×224; incomplete or invalid pictures raise an error.

Without a weights file the base keeps its random weights. The activations would then vanish from
layer to layer, so its batch normalisation is set once to the statistics of the pictures.

Invariant: the preprocessing is MobileNetV2's own (-1 to 1) and in the graph.
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
from models.refusal import DataError
from tfspark.errors import explain, listing

__all__ = [
    "CLASSES",
    "NAME",
    "Flowers",
    "build",
    "dataset",
    "draw",
    "evaluate",
    "export",
    "load_base",
    "train",
    "write_data",
]

NAME = "flowers"
BASE = "mobilenet_v2"
WEIGHTS = "mobilenet_v2*.h5"
CLASSES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
"""The folders of the synthetic pictures; other pictures bring their own five names."""
COLOURS = ((245, 245, 245), (240, 220, 40), (200, 20, 40), (240, 140, 20), (170, 60, 190))
SIZE = 224
ROWS = 32
"""Synthetic pictures of each class."""
PARTS = 5
"""The pictures are divided into this many parts, and one part is held out."""

Array = np.ndarray[Any, Any]


class Flowers(NamedTuple):
    """Training and test pictures, decoded on demand.

    Attributes:
        train: a `tf.data.Dataset` of (pictures (n, 224, 224, 3) uint8, labels (n,) int64), 32 per
            batch, shuffled.
        test: the held-out fifth in the same form, in a fixed order.
        classes: the name of each label.
        weights: a file with weights of the base, if there is one.
    """

    train: Any
    test: Any
    classes: tuple[str, ...]
    weights: Path | None


def draw(rng: np.random.Generator, label: int) -> Array:
    """Draw a blossom of the class's colour on a meadow, (h, w, 3) uint8 of varying size.

    Simple, because a base with random weights reacts to every detail as much as to the colour.
    """
    height, width = rng.integers(64, 120, 2)
    picture = np.empty((height, width, 3))
    picture[:] = rng.uniform((45, 110, 35), (55, 120, 45))
    y, x = np.ogrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    middle = rng.uniform(0.45, 0.55, 2)
    picture[np.hypot(y - middle[0], x - middle[1]) < rng.uniform(0.3, 0.5)] = COLOURS[label]
    noisy = picture + rng.normal(0, 2, picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def write_data(folder: Path, seed: int = 0) -> Path:
    """Write 32 JPEG pictures of each of five classes to a folder, and return the folder."""
    rng = np.random.default_rng(seed)
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(ROWS):
            (folder / name / f"{number}.jpg").write_bytes(encode_jpeg(draw(rng, label)))
    return folder


def dataset(seed: int = 0, folder: Path | None = None) -> Flowers:
    """Find the pictures of a folder, or synthetic ones.

    Args:
        seed: decides the synthetic pictures, the held-out fifth and the order of training.
        folder: holds five class folders, and perhaps `mobilenet_v2*.h5`; all must stay there while
            the data are used.

    Raises:
        InputNotFoundError: when the folder does not exist.
        DataError: when there are not five classes, one is empty, a file is not a complete picture,
            or there are several files of weights.
    """
    source = folder or synthetic_folder(write_data, seed)
    weights = _weights(source)
    files, labels, classes = read_folders(source)
    if len(classes) != len(CLASSES):
        problem = f"The model flowers needs {len(CLASSES)} classes"
        expected = f"{len(CLASSES)} folders of pictures in {source}, one a class"
        raise DataError(explain(problem, expected=expected, found=listing(classes)))
    order = np.random.default_rng(seed).permutation(len(files))
    held_out, rest = np.split(order, [(len(files) + PARTS - 1) // PARTS])
    parts = [
        tf.data.Dataset.from_tensor_slices((np.array(files)[i], labels[i]))
        for i in (rest, held_out)
    ]
    # Paths are shuffled, not pixels: 1 024 decoded pictures would fill 150 MB.
    parts[0] = parts[0].shuffle(1_024, seed=seed)
    train, test = (
        part.map(_load, num_parallel_calls=tf.data.AUTOTUNE).batch(32).prefetch(tf.data.AUTOTUNE)
        for part in parts
    )
    return Flowers(train, test, classes, weights)


def _weights(folder: Path) -> Path | None:
    found = sorted(folder.glob(WEIGHTS))
    if len(found) > 1:
        names = listing(file.name for file in found)
        raise DataError(
            explain(f"{folder} has several weights", expected=f"one {WEIGHTS}", found=names)
        )
    return found[0] if found else None


def _load(file: Any, label: Any) -> tuple[Any, Any]:
    return decode(tf.io.read_file(file), SIZE), label


def build(seed: int = 0) -> keras.Model:
    """Return MobileNetV2 without its top, frozen, global average pooling and dense 5, compiled.

    2 264 389 parameters, 6 405 of them to learn; seeds Keras, NumPy and TensorFlow.
    """
    keras.utils.set_random_seed(seed)
    pictures = keras.Input((SIZE, SIZE, 3), name="pictures", dtype="uint8")
    base = keras.applications.MobileNetV2(
        input_shape=(SIZE, SIZE, 3), include_top=False, weights=None, name=BASE
    )
    base.trainable = False
    scaled = keras.layers.Rescaling(1.0 / 127.5, offset=-1.0, name="scaled")(pictures)
    features = keras.layers.GlobalAveragePooling2D()(base(scaled, training=False))
    head = keras.layers.Dense(len(CLASSES), "softmax", name="probabilities")
    model = keras.Model(pictures, head(features), name=NAME)
    optimizer = keras.optimizers.Adam(3e-3)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.classes = CLASSES
    return model


def train(
    model: keras.Model, data: Flowers, *, seed: int = 0, epochs: int = 15
) -> dict[str, list[float]]:
    """Load the weights of the base, set the names of the classes, and fit the head of `model`.

    Raises:
        DataError: when the file of weights does not fit the base.
    """
    keras.utils.set_random_seed(seed)
    model.classes = data.classes
    load_base(model, data)
    history: dict[str, list[float]] = model.fit(
        data.train, epochs=epochs, shuffle=False, verbose=0
    ).history
    return history


def load_base(model: keras.Model, data: Flowers) -> None:
    """Load the weights of the base, or normalise random ones so that they give useful features.

    Raises:
        DataError: when the file of weights does not fit the base.
    """
    if data.weights:
        _load_weights(model.get_layer(BASE), data.weights)
    else:
        _normalise(model, data.train)


def _load_weights(base: keras.Model, file: Path) -> None:
    try:
        base.load_weights(file)
    except (KeyError, OSError, ValueError) as exc:
        expected = "weights of MobileNetV2 for 224×224×3, without its top"
        found = f"{type(exc).__name__}: {str(exc).strip()}"
        raise DataError(
            explain(f"{file} does not fit the base", expected=expected, found=found)
        ) from exc


def _normalise(model: keras.Model, batches: Any) -> None:
    """Set the batch normalisation of the base to one batch, as after training on this batch."""
    base = model.get_layer(BASE)
    norms = [one for one in base.layers if isinstance(one, keras.layers.BatchNormalization)]
    momentum = [one.momentum for one in norms]
    base.trainable = True
    for one in norms:
        one.momentum = 0.0
    for pictures, _ in batches.take(1):
        base(model.get_layer("scaled")(pictures), training=True)
    for one, before in zip(norms, momentum, strict=True):
        one.momentum = before
    base.trainable = False


def evaluate(model: keras.Model, data: Flowers) -> dict[str, float]:
    """Return `accuracy` and `loss` (mean cross-entropy) on the held-out pictures."""
    loss, accuracy = model.evaluate(data.test, verbose=0)
    return {"accuracy": accuracy, "loss": loss}


def export(model: keras.Model, base: Path, *, fold: bool = False) -> Path:
    """Write `<base>/flowers/<next version>` and return it."""

    def flowers(content: Any) -> dict[str, Any]:
        probabilities = model(decode_batch(content, SIZE), training=False)
        label = tf.gather(tf.constant(list(model.classes)), tf.argmax(probabilities, axis=1))
        return {"probabilities": probabilities, "label": label}

    rng = np.random.default_rng(0)
    content = np.array([encode_jpeg(draw(rng, label)) for label in (0, 2)], object)
    spec = tf.TensorSpec((None,), tf.string, "content")
    signatures = {"serving_default": tf.function(flowers, input_signature=[spec])}
    return export_model(
        model, base, name=NAME, fold=fold, signatures=signatures, sample={"content": content}
    )
