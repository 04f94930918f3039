"""File systems in memory that are small or read-only, where this user may mount them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """Mount a small file system; skip the test if this is not permitted."""
    folder.mkdir()
    if not _mounts("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)):
        pytest.skip("this user cannot mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def mounted_again(folder: Path, place: Path) -> Iterator[None]:
    """Mount a folder at a second place; skip the test if this is not permitted."""
    place.mkdir()
    if not _mounts("--bind", str(folder), str(place)):
        pytest.skip("this user cannot mount a folder at a second place")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def overlay(folder: Path) -> Iterator[None]:
    """Mount `merged` over `lower` and `upper` in a folder; skip the test if this fails."""
    layers = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
    if not _mounts("-t", "overlay", "-o", layers, "overlay", f"{folder}/merged"):
        pytest.skip("this user cannot mount an overlay")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", f"{folder}/merged"], check=True)


def make_read_only(folder: Path) -> None:
    """Make a mounted file system read-only."""
    assert _mounts("-o", "remount,ro", str(folder))


def _mounts(*words: str) -> bool:
    try:
        return subprocess.run(["mount", *words], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
