"""The features of serialized Examples that feed an input. Driver and executor.

A model that parses Examples has one input of strings. In `feed`, a feature of such an input is
named `INPUT.FEATURE`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

_V = TypeVar("_V")


@dataclass(frozen=True)
class FeatureSpec:
    """A feature that the graph of a model parses.

    Attributes:
        name: Name of the feature.
        dtype: TensorFlow's type name: `float32`, `int64` or `string`.
        row_shape: The shape of its values; `(None,)` for a list of any length.
        is_required: Whether each Example must have it.
    """

    name: str
    dtype: str
    row_shape: tuple[int | None, ...]
    is_required: bool


def key_of(input_name: str, feature: str) -> str:
    """Return the key of a feature in `feed`."""
    return f"{input_name}.{feature}"


def parts_of(key: str, inputs: Collection[str]) -> tuple[str, str]:
    """Split a key of `feed` into the input and the feature.

    Args:
        key: The key.
        inputs: The names of the inputs that may take Examples. Names may have dots.

    Returns:
        Both names; the feature is empty if the key names no feature of an input.
    """
    if key in inputs:
        return key, ""
    owners = [name for name in inputs if key.startswith(key_of(name, ""))]
    owner = max(owners, key=len, default=key)
    feature = key.removeprefix(key_of(owner, "")) if owners else ""
    return (owner, feature) if feature else (key, "")


def features_in(feed: Mapping[str, _V], owner: str, inputs: Collection[str]) -> dict[str, _V]:
    """Return the features of one input that `feed` names: feature → what feeds it."""
    split = {key: parts_of(key, inputs) for key in feed}
    return {
        feature: feed[key] for key, (name, feature) in split.items() if feature and name == owner
    }
