"""Finds the installed versions of packages without importing them. Driver and executor."""

from __future__ import annotations

import platform
from importlib import metadata

_PACKAGES = ("tensorflow", "openvino", "numpy", "pyarrow", "protobuf")
# The wheels that contain the module `tensorflow`.
_TENSORFLOW_WHEELS = ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tf-nightly")


def installed_versions() -> dict[str, str]:
    """Return the installed versions; a package that is not installed is left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        for wheel in _TENSORFLOW_WHEELS if package == "tensorflow" else (package,):
            try:
                found[package] = metadata.version(wheel)
                break
            except metadata.PackageNotFoundError:
                continue
    return found
