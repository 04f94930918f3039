"""Finds the versions of packages without importing them, and compares them. Driver and executor."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata

from tfspark import __version__

_PACKAGES = ("tensorflow", "openvino", "numpy", "pyarrow", "protobuf")
# The wheels that contain the module `tensorflow`.
_TENSORFLOW_WHEELS = ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tf-nightly")

_NONE = "none"


@dataclass(frozen=True)
class Mismatch:
    """A version that is missing on a worker, or differs from the driver's.

    Attributes:
        name: The package, or `python`.
        driver: Its version on the driver; `none` without it.
        worker: Its version on the worker; `none` without it.
        advice: How to fix it.
        is_fatal: Whether no job can run with it.
    """

    name: str
    driver: str
    worker: str
    advice: str
    is_fatal: bool = True

    @property
    def problem(self) -> str:
        """The mismatch as a sentence."""
        if self.worker == _NONE:
            return f"The workers have no {self.name}."
        return f"The versions of {self.name} on the workers and the driver differ."


def installed_versions() -> dict[str, str]:
    """Return the versions of tfspark and of the installed packages, which a process reads once."""
    return dict(_installed())


@cache
def _installed() -> Mapping[str, str]:
    found = {"python": platform.python_version(), "tfspark": __version__}
    for package in _PACKAGES:
        for wheel in _TENSORFLOW_WHEELS if package == "tensorflow" else (package,):
            try:
                found[package] = metadata.version(wheel)
                break
            except metadata.PackageNotFoundError:
                continue
    return found


def mismatches(
    driver: Mapping[str, str], worker: Mapping[str, str], needed: Iterable[str]
) -> Iterator[Mismatch]:
    """Yield the mismatches between a worker and the driver, the worst first.

    Args:
        driver: Package → version on the driver.
        worker: Package → version on the worker.
        needed: The packages that the engine needs on a worker.
    """

    def of(name: str, advice: str, *, is_fatal: bool = True) -> Mismatch:
        versions = driver.get(name, _NONE), worker.get(name, _NONE)
        return Mismatch(name, *versions, advice, is_fatal)

    for name in sorted(set(needed) - worker.keys()):
        wheel = "tensorflow or tensorflow-cpu" if name == "tensorflow" else name
        yield of(
            name,
            f"install {wheel} for the Python of the workers, or set PYSPARK_PYTHON to a Python "
            "that has it.",
        )
    if _minor(driver, "python") != _minor(worker, "python"):
        yield of("python", "set PYSPARK_PYTHON so that driver and workers run the same version.")
    if driver.get("tfspark") != worker.get("tfspark"):
        yield of(
            "tfspark",
            "submit with spark-submit.sh, which sends the driver's package, or install the same "
            "version on the workers.",
        )
    for name in ("pyarrow", "tensorflow"):
        if name in driver and name in worker and _minor(driver, name) != _minor(worker, name):
            advice = "install the same version on driver and workers, or results may differ."
            yield of(name, advice, is_fatal=False)


def _minor(versions: Mapping[str, str], name: str) -> list[str]:
    """Return the first two numbers of a version."""
    return versions.get(name, "").split(".")[:2]
