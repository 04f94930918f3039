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
from tfspark.options import EngineName
from tfspark.signature import Signature

Load: TypeAlias = Callable[[str, tuple[str, ...], Signature, EngineOptions], Engine]


@dataclass(frozen=True)
class EngineEntry:
    """What is known of an engine before it opens a model.

    Attributes:
        title: What log lines call it.
        load: Opens an export dir with a tag set, a signature and options.
        package: The Python module that the workers need.
        cannot_serve: Models that it does not run.
    """

    title: str
    load: Load
    package: str
    cannot_serve: str


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
}

# What `auto` tries: the second runs what the first cannot serve.
AUTO: tuple[EngineName, EngineName] = ("native", "tensorflow")


def packages_of(name: EngineName) -> frozenset[str]:
    """Return the Python modules that the workers need for an engine."""
    names = AUTO if name == "auto" else (name,)
    return frozenset(ENGINES[chosen].package for chosen in names)
