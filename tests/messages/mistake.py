"""A mistake that users make, the code that makes it, and the necessary message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from tfspark.errors import TfsparkError


@dataclass(frozen=True)
class World:
    """The environment: a session, and a working directory with models and tables.

    Attributes:
        spark: The session.
        points: One row with columns of many types.
    """

    spark: SparkSession
    points: DataFrame
    folder: Path


@dataclass(frozen=True)
class Mistake:
    """One mistake in Python.

    Attributes:
        name: Description of the mistake.
        make: Makes the mistake; returns a DataFrame or RDD if only its rows show it.
        words: Words that the message must have: the mistake, its place, the next step.
        error: The type of the error.
    """

    name: str
    make: Callable[..., Any]
    words: tuple[str, ...]
    error: type[Exception] = TfsparkError


def mistake(
    name: str, make: Callable[..., Any], *words: str, error: type[Exception] = TfsparkError
) -> Mistake:
    """Write a mistake on one line."""
    return Mistake(name, make, words, error)


@dataclass(frozen=True)
class Command:
    """One mistake on a command line.

    Attributes:
        name: Description of the mistake.
        flags: The arguments of the program, as in a shell; `{here}` is the folder and `{out}`
            is a folder to write.
        code: The exit code.
        words: Words that stderr must have.
    """

    name: str
    flags: str
    code: int
    words: tuple[str, ...]


def command(name: str, flags: str, code: int, *words: str) -> Command:
    """Write a mistake on one line."""
    return Command(name, flags, code, words)


def missing(words: tuple[str, ...], said: str) -> list[str]:
    """Return the words that a message lacks."""
    return [word for word in words if word not in said]
