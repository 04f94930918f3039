"""Recognises models of other formats, and SavedModels in an unexpected place.

Describes what is at a path without a SavedModel, and how to get a SavedModel from it. Driver only;
it looks at names and first bytes, and imports no framework.
"""

from __future__ import annotations

import itertools
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tfspark.errors import did_you_mean, listing
from tfspark.saved_model.graph_file import NAMES

# The most folders and files that are searched below a folder without a model.
_MOST_ENTRIES = 1000
_DEPTH = 4


@dataclass(frozen=True)
class Other:
    """Something other than a SavedModel at the path of a model.

    Attributes:
        what: A description.
        hint: How to get a SavedModel.
    """

    what: str
    hint: str


_FROM_KERAS = (
    "load it with model = keras.models.load_model({path!r}), and write a SavedModel with "
    "model.export({target!r})."
)
_FROM_MLFLOW = (
    "load it with model = mlflow.tensorflow.load_model({path!r}), and write a SavedModel with "
    "model.export({target!r})."
)
_OTHER_FLAVOR = (
    "give the SavedModel of a TensorFlow model; models of other libraries are not scored."
)
_FROM_PYTORCH = (
    "convert it to a SavedModel with a signature: torch.onnx.export, then "
    "onnx2tf -i model.onnx -o {target} -osd (onnx2tf 2 also needs -fdosm)."
)
_FROM_HUGGING_FACE = (
    "with transformers 4, load it with the TensorFlow class of its task, such as "
    "TFAutoModelForSequenceClassification.from_pretrained(…), call "
    "save_pretrained(…, saved_model=True), and give the folder saved_model/1 in it."
)
_UNPACK = "unpack it, and give the folder in it that holds saved_model.pb."
_FROM_GRAPH = (
    "import the graph into a session of tf.compat.v1, and write a SavedModel with its inputs and "
    "outputs with tf.compat.v1.saved_model.simple_save."
)

_KERAS = Other("a model in Keras's own format", _FROM_KERAS)
_HDF5 = Other("a Keras model in HDF5", _FROM_KERAS)
_TFLITE = Other(
    "a TensorFlow Lite model",
    "give the SavedModel that it was converted from; for a Keras model, model.export(…) writes it.",
)
_PYTORCH = Other("a PyTorch model", _FROM_PYTORCH)
_ARCHIVE = Other("an archive", _UNPACK)
_GRAPH = Other("a graph without signatures", _FROM_GRAPH)
_PICKLE = Other("a pickled object", "load it, and export it from there.")
_CHECKPOINT = Other(
    "a checkpoint, which contains only variables",
    "restore it in the program that made it, and export the model from there.",
)
_ONNX = Other(
    "an ONNX model",
    "convert it to a SavedModel with a signature: onnx2tf -i {path} -o {target} -osd (onnx2tf 2 "
    "also needs -fdosm).",
)
_WEIGHTS = Other(
    "weights without a graph", "load them in the program that knows the model, and export it there."
)

# The flavors of MLflow's file `MLmodel`, one key each.
_FLAVORS = re.compile(r"^flavors:\n((?:[ ].*\n?)*)", re.M)
_MOST_TEXT = 1 << 20
_FLAVOR = re.compile(r"^  (\w+):", re.M)
_OF_TENSORFLOW = {"keras", "tensorflow"}

_HUGGING_FACE = {"tf_model.h5", "pytorch_model.bin", "model.safetensors"}

_BY_SUFFIX = {
    ".keras": _KERAS,
    ".h5": _HDF5,
    ".hdf5": _HDF5,
    ".tflite": _TFLITE,
    ".onnx": _ONNX,
    ".pt": _PYTORCH,
    ".pth": _PYTORCH,
    ".pb": _GRAPH,
    ".pbtxt": _GRAPH,
    ".meta": _GRAPH,
    ".index": _CHECKPOINT,
    ".safetensors": _WEIGHTS,
    ".pkl": _PICKLE,
    ".pickle": _PICKLE,
    ".joblib": _PICKLE,
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz"), _ARCHIVE),
}


def other_format(path: Path) -> Other | None:
    """Return what is at a path without a SavedModel; `None` when it is not recognised."""
    if not path.is_dir():
        return _with_paths(_file(path), path)
    return _saved_model_inside(path) or _folder(path)


def _with_paths(found: Other | None, path: Path) -> Other | None:
    target = str(path.with_name(f"{path.stem}_saved_model") / "1")
    return found and Other(found.what, found.hint.format(path=str(path), target=target))


def _file(path: Path) -> Other | None:
    if not path.is_file():  # reading a pipe would wait for a writer
        return None
    if path.name in NAMES:
        return Other("the graph of a SavedModel", f"give the export dir, {path.parent}.")
    return _BY_SUFFIX.get(path.suffix.lower()) or _by_content(path)


def _by_content(path: Path) -> Other | None:
    """Recognise a file by its first bytes, and a zip file by the names in it."""
    with path.open("rb") as file:
        head = file.read(8)
    if zipfile.is_zipfile(path):
        names = _names_in(path)
        is_pytorch = any(name.endswith("/data.pkl") for name in names)
        return _KERAS if "model.weights.h5" in names else _PYTORCH if is_pytorch else _ARCHIVE
    if head[4:] == b"TFL3":
        return _TFLITE
    return _HDF5 if head == b"\x89HDF\r\n\x1a\n" else None


def _names_in(path: Path) -> list[str]:
    """Return the names in a zip file; an empty list when it is broken."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return []


def _saved_model_inside(folder: Path) -> Other | None:
    """Find SavedModels some levels below a folder."""
    found = {
        path.parent.parent if path.parent.name.isdecimal() else path.parent
        for path in _below(folder)
        if path.name in NAMES
    }
    if not found:
        return None
    kind = "a model of MLflow" if (folder / "MLmodel").is_file() else "a folder"
    shown = " or ".join(map(str, sorted(found)[:3]))
    return Other(f"{kind} with a SavedModel further down", f"give {shown}.")


def _folder(folder: Path) -> Other | None:
    names = {path.name for path in itertools.islice(folder.iterdir(), _MOST_ENTRIES)}
    if "saved_model.cpb" in names:
        return Other("a SavedModel in parts", "save it without experimental_image_format.")
    if {"model.json", "group1-shard1of1.bin"} <= names:
        return Other("a TensorFlow.js model", "give the SavedModel that it was converted from.")
    if "config.json" in names and names & _HUGGING_FACE:
        return Other("a model of Hugging Face", _FROM_HUGGING_FACE)
    if "MLmodel" in names:
        return _of_mlflow(folder)
    if "checkpoint" in names:
        return _CHECKPOINT
    others = [path for path in _below(folder) if path.suffix.lower() in _BY_SUFFIX]
    inside = _with_paths(_file(others[0]), others[0]) if others else None
    return inside and Other(f"a folder with {inside.what}", inside.hint)


def _of_mlflow(folder: Path) -> Other | None:
    flavors = flavors_of(folder / "MLmodel")
    if flavors and not _OF_TENSORFLOW.intersection(flavors):
        return Other(f"a model of MLflow with the flavor {listing(flavors)}", _OTHER_FLAVOR)
    return _with_paths(Other("a model of MLflow without a SavedModel", _FROM_MLFLOW), folder)


def flavors_of(description: Path) -> list[str]:
    """Return the flavors in a file `MLmodel`, but not `python_function`, which all models have."""
    if not description.is_file():
        return []
    with description.open(encoding="utf-8", errors="replace") as file:
        found = _FLAVORS.search(file.read(_MOST_TEXT))
    names = _FLAVOR.findall(found[1]) if found else []
    return [name for name in names if name != "python_function"] or names


def _below(folder: Path) -> Iterator[Path]:
    """Yield at most a thousand files below a folder; links to folders are not followed."""
    return itertools.islice(_walk(folder), _MOST_ENTRIES)


def _walk(folder: Path) -> Iterator[Path]:
    for top, folders, names in itertools.islice(os.walk(folder), _MOST_ENTRIES):
        if len(Path(top).relative_to(folder).parts) >= _DEPTH:
            folders.clear()
        folders.sort()
        yield from (Path(top, name) for name in sorted(names))


def near_names(path: Path) -> str:
    """Return the first missing part of a path, with a similar name that exists."""
    while not path.parent.exists():
        path = path.parent
    if not path.parent.is_dir():
        return f"{path.parent} is a file"
    siblings = [entry.name for entry in itertools.islice(path.parent.iterdir(), _MOST_ENTRIES)]
    near = did_you_mean(path.name, siblings)
    return f"no {path.name!r} in {path.parent}.{near}" if near else ""
