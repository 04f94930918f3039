"""Refuses objects that are not the path of a model: live models, web addresses, `None`.

The error says what the object is, and which line of code writes it as a SavedModel. Driver only; no
framework is imported, because classes are recognised by the names of their modules.
"""

from __future__ import annotations

import os
import re

from tfspark.errors import ModelNotFoundError, UsageError, explain

_EXPECTED = "the path of a SavedModel, a URI of a file system that Spark reads, or a ModelPackage"

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):/", re.IGNORECASE)

_DOWNLOAD = "download the model to a folder, and give the path of that folder."
_MLFLOW = (
    "install mlflow-skinny on the driver; or download it with "
    "mlflow.artifacts.download_artifacts({0!r}), and give the downloaded folder "
    "that contains saved_model.pb, such as data/model; if there is none, load the model with "
    "mlflow.tensorflow.load_model({0!r}), and write it with model.export({1!r})."
)

# Schemes that no file system of Spark reads.
_SCHEMES = {
    "http": ("a web address", _DOWNLOAD),
    "https": ("a web address", _DOWNLOAD),
    "models": ("a model in MLflow's registry", _MLFLOW),
    "runs": ("an artifact of an MLflow run", _MLFLOW),
    "mlflow-artifacts": ("an artifact of MLflow", _MLFLOW),
    "hf": ("a repository of Hugging Face", _DOWNLOAD),
}

# Live objects, by the packages of their classes and base classes; the first match counts.
_EXPORT = "write it with model.export({0!r}), and give that path."
_LIVE = {
    "keras": ("a live Keras model", _EXPORT),
    "tf_keras": ("a live Keras model", _EXPORT),
    "tensorflow": (
        "a live TensorFlow object",
        "write it with tf.saved_model.save(module, {0!r}, signatures=module.function), where the "
        "function is a tf.function with an input signature, and give that path; for a model that "
        "tf.saved_model.load returned, give the path that it was loaded from.",
    ),
    "torch": (
        "a live PyTorch object",
        "convert it to a SavedModel with a signature: torch.onnx.export, then onnx2tf -i "
        "model.onnx -o {0!r} -osd (onnx2tf 2 also needs -fdosm).",
    ),
}
_PATH = "/path/to/model/1"


def refuse(model: object) -> None:
    """Refuse an object that cannot be the path of a model, by its type or its scheme.

    Raises:
        UsageError: When it is not a path; the message says what it is, and how to export it.
        ModelNotFoundError: When it is an address of something else.
    """
    if model is None or model == "":
        raise UsageError(explain("No model was given.", expected=_EXPECTED, found=repr(model)))
    if isinstance(model, str):
        scheme = _SCHEME.match(model)
        what, hint = _SCHEMES.get(scheme[1].lower() if scheme else "", ("", ""))
        if what:
            problem = f"{model} is {what}, not the path of a SavedModel."
            hint = hint.format(model, _PATH)
            raise ModelNotFoundError(explain(problem, expected=_EXPECTED, hint=hint))
    elif not isinstance(model, os.PathLike):
        what, hint = _live(model)
        found = f"{what} of type {type(model).__module__}.{type(model).__qualname__}"
        problem = "A model is given by its path."
        raise UsageError(explain(problem, expected=_EXPECTED, found=found, hint=hint))


def _live(model: object) -> tuple[str, str]:
    """Return what a live object is, and how to write it as a SavedModel."""
    for base in type(model).__mro__:
        package, *rest = base.__module__.split(".")
        what, hint = _LIVE.get("keras" if "keras" in rest else package, ("", ""))
        if what:
            return what, hint.format(_PATH)
    return "an object", "export the model to a folder, and give the path of that folder."
