"""Helpers for all tests of an export: its names, and its answers in a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

import tfspark


@pytest.fixture(scope="session")
def serve() -> Callable[..., dict[str, Any]]:
    """Answer as a session does, by the names in the SavedModel."""

    def answer(path: Path, signature: str = "serving_default", **feed: Any) -> dict[str, Any]:
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            meta = tf.compat.v1.saved_model.load(session, ["serve"], str(path))
            found = meta.signature_def[signature]
            feeds = {found.inputs[name].name: value for name, value in feed.items()}
            fetches = {name: info.name for name, info in found.outputs.items()}
            return session.run(fetches, feeds)

    return answer


@pytest.fixture(scope="session")
def described() -> Callable[..., tuple[list[str], list[str]]]:
    """Read inputs and outputs as for Spark: `name: dtype shape`, sorted by name."""

    def read(path: Path, signature: str = "serving_default") -> tuple[list[str], list[str]]:
        found = tfspark.load(path, signature=signature).signature
        return [str(spec) for spec in found.inputs], [str(spec) for spec in found.outputs]

    return read
