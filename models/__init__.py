"""The reference models. Each file builds, trains, evaluates and exports one model.

`MODELS` names every file of this folder that holds a model, so that the command line can list
them without importing TensorFlow. Each such module has the functions of `ReferenceModel`.
`reference()` imports a module when its model is requested by name; nothing runs before that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

__all__ = ["MODELS", "Entry", "ReferenceModel", "reference"]


@dataclass(frozen=True)
class Entry:
    """The description of a model for the command line.

    Attributes:
        summary: one line, without a full stop.
        layout: the files that `--data` must hold; empty for a model that brings its own data.
        logs: whether `train` takes a `log_dir` for TensorBoard's events and for checkpoints.
        spreads: whether `train` goes through `fit`, which can use several devices at once.
    """

    summary: str
    layout: str = ""
    logs: bool = False
    spreads: bool = True


MODELS: Mapping[str, Entry] = {
    "cifar2": Entry(
        "airplane or automobile on 32x32 colour pictures: a convolutional network",
        layout="train/ and test/, each with the folders airplane/ and automobile/ of pictures",
        logs=True,
    ),
    "covid": Entry(
        "how an outbreak continues: recurrent layers, a forecast of 100 days",
        layout="covid.tsv or covid-19.csv (tabs: date, confirmed_num, cured_num, dead_num)",
        logs=True,
    ),
    "demo_module": Entry(
        "two methods and a counter of a tf.Module: several signatures, and state", spreads=False
    ),
    "digits": Entry("which digit 8x8 grey pixels show: a dense network on scikit-learn's digits"),
    "flowers": Entry(
        "which of five flowers a photo shows: a head on MobileNetV2",
        layout="five class folders of pictures, perhaps mobilenet_v2*.h5 beside them",
    ),
    "heart": Entry(
        "heart disease from raw columns: preprocessing layers in a dense network",
        layout="heart.csv",
    ),
    "imdb": Entry(
        "whether a film review is positive: text in, convolutions over its words",
        layout="train.tsv and test.tsv (label 0 or 1, tab, review; no header)",
        spreads=False,
    ),
    # A hundred steps in one call, which Keras cannot distribute.
    "linear": Entry("y = 2*x0 - x1 + 3 from noisy points: one dense unit", spreads=False),
    "mnist": Entry(
        "which digit 28x28 grey pixels show: a convolutional network",
        layout="mnist.npz",
        spreads=False,
    ),
    "neighbours": Entry(
        "which known vectors are nearest: top-k of distances, no network", spreads=False
    ),
    "price": Entry(
        "what a house costs in a year: a line by gradient descent, written by hand", spreads=False
    ),
    "reuters": Entry(
        "which of 46 topics a newswire has: convolutions over token lists of any length",
        layout="reuters.npz (x: token lists, y: topics; a pickle, so only from where you trust)",
    ),
    "ring": Entry(
        "which of two rings a point is on: a tf.Module, layers and loop by hand", spreads=False
    ),
    "titanic": Entry(
        "who survived the Titanic: a dense network on 15 features, or on the raw columns",
        layout="train.csv and test.csv, or titanic.csv alone",
    ),
}


class ReferenceModel(Protocol):
    """The functions of every module in `MODELS`.

    Attributes:
        NAME: the folder of its versions below a base path.
    """

    NAME: str

    def write_data(self, folder: Path, seed: int = ...) -> Path:
        """Write synthetic files of `Entry.layout`; absent if the model has no such layout."""

    def dataset(self, seed: int = ..., **options: Any) -> Any:
        """Return the training and held-out data; `folder=` where `Entry.layout` names one.

        Without a folder, such a model reads what its own `write_data(folder, seed)` has written to
        a temporary one: synthetic files of the same layout.
        """

    def build(self, seed: int = ...) -> Any:
        """Return the untrained model."""

    def train(self, model: Any, data: Any, **options: Any) -> Mapping[str, Sequence[float]]:
        """Fit `model` in place (`seed=`, `epochs=`, perhaps `log_dir=`); return named curves."""

    def evaluate(self, model: Any, data: Any) -> dict[str, float]:
        """Return the metrics on the held-out data, the most important one first."""

    def export(self, model: Any, base: Path, *, fold: bool = ...) -> Path:
        """Write the next version under `base` and return its export dir; see `models.export`."""


def reference(name: str) -> ReferenceModel:
    """Import the model called `name`, and TensorFlow with it.

    Args:
        name: a key of `MODELS`.

    Returns:
        The module, which satisfies `ReferenceModel`.

    Raises:
        KeyError: when no model has that name.
    """
    if name not in MODELS:
        raise KeyError(name)
    return cast(ReferenceModel, import_module(f"models.{name}"))
