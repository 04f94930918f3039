"""Three ways to save a trained Keras model and to restore it.

- The architecture, as JSON: layers and their settings, no weights. Restoring gives an untrained
  network, to train or to load weights into.
- The weights alone, `.weights.h5`: small, and only useful with the same architecture.
- The whole model, `.keras`: architecture, weights, and the state of the optimizer, so that `fit`
  continues where it stopped.

Input: a model of layers that Keras knows (a custom class must be registered with Keras first) and a
file. Output: the file, or the model. For serving, use `models.export` instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras

from models.refusal import DataError
from tfspark.errors import InputNotFoundError, UsageError, explain

__all__ = [
    "restore_architecture",
    "restore_model",
    "restore_weights",
    "save_architecture",
    "save_model",
    "save_weights",
]


def save_architecture(model: keras.Model, file: Path) -> Path:
    """Write the layers and their settings as JSON, without weights, and return the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(model.to_json(), encoding="utf-8")
    return file


def restore_architecture(file: Path) -> keras.Model:
    """Return an untrained, uncompiled network of the layers in `file`.

    Raises:
        InputNotFoundError: when the file does not exist.
        DataError: when it does not contain an architecture.
    """
    with _reading(file, "an architecture, as save_architecture writes it"):
        model = keras.models.model_from_json(file.read_text(encoding="utf-8"))
        if not isinstance(model, keras.Model):  # Keras returns other JSON unchanged
            raise TypeError(f"JSON of a {type(model).__name__}")
        return model


def save_weights(model: keras.Model, file: Path) -> Path:
    """Write the weights alone and return the file, whose name must end in `.weights.h5`."""
    _check_suffix(file, ".weights.h5")
    file.parent.mkdir(parents=True, exist_ok=True)
    model.save_weights(file)
    return file


def restore_weights(model: keras.Model, file: Path) -> keras.Model:
    """Load weights into a model of the same architecture, in place, and return it.

    Raises:
        InputNotFoundError: when the file does not exist.
        DataError: when it contains no weights, or weights of another architecture.
    """
    with _reading(file, f"the weights of a model built like {model.name!r}"):
        model.load_weights(file)
    return model


def save_model(model: keras.Model, file: Path) -> Path:
    """Write architecture, weights and optimizer and return the file, which must end in `.keras`."""
    _check_suffix(file, ".keras")
    file.parent.mkdir(parents=True, exist_ok=True)
    model.save(file)
    return file


def restore_model(file: Path) -> keras.Model:
    """Return the whole model, compiled as it was.

    Raises:
        InputNotFoundError: when the file does not exist.
        DataError: when it does not contain a Keras model.
    """
    with _reading(file, "a model, as save_model writes it"):
        return keras.models.load_model(file)


def _check_suffix(file: Path, suffix: str) -> None:
    if not file.name.endswith(suffix):
        problem = "Keras recognises the kind of a file by its name"
        raise UsageError(explain(problem, expected=f"a name in {suffix}", found=file.name))


@contextmanager
def _reading(file: Path, expected: str) -> Iterator[None]:
    """Convert an error to a typed one that names the file."""
    if not file.is_file():
        problem = f"No file {file.name} in {file.parent}"
        hint = "check the path; a relative one begins at the current folder"
        raise InputNotFoundError(explain(problem, expected=expected, hint=hint))
    try:
        yield
    except (KeyError, OSError, TypeError, ValueError) as exc:
        found = f"{type(exc).__name__}: {str(exc).strip()}"
        raise DataError(explain(f"{file} cannot be read", expected=expected, found=found)) from exc
