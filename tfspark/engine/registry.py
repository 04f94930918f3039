"""The engines that run a model in a Python worker: one entry for each.

A new engine is a module with a `load`, an entry here, and its name in `tfspark.options.EngineName`.
The driver looks up which package the workers need; the worker opens models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tfspark.engine import native, tensorflow
from tfspark.engine.protocol import Engine, EngineOptions
from tfspark.options import AnyEngine, EngineName
from tfspark.signature import Signature

Load: TypeAlias = Callable[[str, tuple[str, ...], Signature, EngineOptions], Engine]
Check: TypeAlias = Callable[[str, tuple[str, ...], Signature], object]


@dataclass(frozen=True)
class EngineEntry:
    """The facts about an engine that are known before it opens a model.

    Attributes:
        title: Its name in log lines.
        load: Opens an export dir with a tag set, a signature and options.
        package: The Python module that the workers need.
        cannot_serve: The models that it cannot run, as text.
        check: Refuses an unsupported signature from the files of the model alone; the driver calls
            it before the job. `None` when only loading the model can show this.
    """

    title: str
    load: Load
    package: str
    cannot_serve: str
    check: Check | None = None


# The modules of `engine.openvino` take 20 ms to import, and most workers do not need them.


def _load_openvino(
    export_dir: str, tags: tuple[str, ...], signature: Signature, options: EngineOptions
) -> Engine:
    from tfspark.engine import openvino

    return openvino.load(export_dir, tags, signature, options)


def _check_openvino(export_dir: str, tags: tuple[str, ...], signature: Signature) -> object:
    from tfspark.engine import openvino

    return openvino.check(export_dir, tags, signature)


ENGINES: Mapping[EngineName, EngineEntry] = {
    "native": EngineEntry(
        title="The native engine",
        load=native.load,
        package="tensorflow",
        cannot_serve="models whose variables or tables only TensorFlow's Python loader "
        "restores; tensors that are not dense",
    ),
    "tensorflow": EngineEntry(
        title="TensorFlow's Python",
        load=tensorflow.load,
        package="tensorflow",
        cannot_serve="models with operations of other packages, or with Python functions",
    ),
    "openvino": EngineEntry(
        title="OpenVINO",
        load=_load_openvino,
        package="openvino",
        cannot_serve="models with operations or types whose results may differ from TensorFlow's: "
        "strings, tables, assertions, control flow, 64-bit floats; rows with NaN or infinity",
        check=_check_openvino,
    ),
}

# The engines of `auto`: the second one runs the models that the first one cannot serve.
AUTO: tuple[EngineName, EngineName] = ("native", "tensorflow")


def packages_of(name: AnyEngine) -> frozenset[str]:
    """Return the Python modules that the workers need for an engine; none for the bridge."""
    names = AUTO if name == "auto" else (name,)
    return frozenset(entry.package for key, entry in ENGINES.items() if key in names)


def check_model(
    name: AnyEngine, export_dir: str, tags: tuple[str, ...], signature: Signature
) -> None:
    """Refuse a signature if its graph shows that the named engine cannot run it.

    Raises:
        CannotServeError: The message has the reason.
    """
    for key, entry in ENGINES.items():
        if key == name and entry.check is not None:
            entry.check(export_dir, tags, signature)
