"""Reads the items of Scala collections through py4j. Driver, classic sessions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def items(collection: Any) -> Iterator[Any]:
    """Yield the items of a Scala collection."""
    iterator = collection.iterator()
    while iterator.hasNext():
        yield iterator.next()


def pairs(entries: Any) -> Iterator[tuple[str, str]]:
    """Yield the keys and values of a Scala map, as text."""
    for entry in items(entries):
        yield str(entry._1()), str(entry._2())
