"""`tune`: applies the settings that make scoring faster, where the user has set none. Driver."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from pyspark.sql import SparkSession

from tfspark.errors import UsageError, explain
from tfspark.options import DEFAULTS
from tfspark.spark.cluster.arrow_batches import (
    BYTES_SETTING,
    NO_BOUND,
    ROWS_SETTING,
    row_bytes,
    rows_per_batch,
)
from tfspark.spark.cluster.settings import set_by_user
from tfspark.spark.model_loading import Model, model_of

_SOCKET = "spark.python.unix.domain.socket.enabled"
_DAEMON = "spark.python.daemon.module"

_WHY_BYTES = (
    "otherwise Spark measures the whole batch after every row; the limit on rows bounds the memory"
)
_AT_START = (
    (_SOCKET, "true", "over TCP every Python task of Spark waits 40 ms; on one machine"),
    (
        _DAEMON,
        "tfspark.spark.daemon",
        "workers start with the libraries loaded; tfspark has to be installed on the workers",
    ),
)


class Setting(NamedTuple):
    """A recommended setting, and what `tune` did.

    Attributes:
        name: Its key in Spark.
        value: The recommended value, or the user's own value if one is set.
        state: `applied`, `set before`, `only at start` (add `--conf` to the start of Spark),
            `not known` (this Spark does not have it) or `needs the model`.
        why: The reason for the setting.
    """

    name: str
    value: str
    state: str
    why: str


class Tuning(tuple[Setting, ...]):
    """The report of `tune`: a table that prints as text and shows as HTML in a notebook."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(f"{one.state}: {one.name}={one.value} ({one.why})" for one in self)

    def _repr_html_(self) -> str:
        head = "<tr><th>setting</th><th>value</th><th>state</th><th>why</th></tr>"
        cells = ("".join(f"<td>{escape(text)}</td>" for text in one) for one in self)
        return f"<table>{head}{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def tune(spark: SparkSession, model: Model | None = None) -> Tuning:
    """Apply recommended settings that this session can change and the user has not set.

    Args:
        spark: The session.
        model: The model that will be scored. If its rows have a fixed size, the number of rows in
            an Arrow batch follows from it. Otherwise Spark's default stays.

    Returns:
        Each setting, its value, what was done and why. Settings that Spark reads only when it
        starts are listed, but not changed.

    Raises:
        UsageError: When `spark` is not a session.
        TfsparkError: When the model cannot be loaded.

    Example:
        >>> print(tfspark.tune(spark, "models/linear_model"))  # doctest: +SKIP
    """
    if not hasattr(spark, "conf"):
        found = type(spark).__name__
        problem = "Only a session can be tuned."
        hint = "call tune(spark)."
        raise UsageError(explain(problem, expected="a SparkSession", found=found, hint=hint))
    given = set_by_user(spark)
    size = None if model is None else row_bytes([model_of(spark, model, DEFAULTS).signature], [])
    rows = "" if size is None else str(rows_per_batch(size))
    settings = [
        _applied(spark, given, BYTES_SETTING, NO_BOUND, _WHY_BYTES),
        _applied(
            spark, given, ROWS_SETTING, rows, "batches of 4 MiB make the cost of a batch small"
        ),
        *(_only_at_start(spark, *one) for one in _AT_START),
    ]
    return Tuning(settings)


def _applied(
    spark: SparkSession, given: frozenset[str], name: str, value: str, why: str
) -> Setting:
    if name in given:
        return Setting(name, str(spark.conf.get(name)), "set before", why)
    if not value:
        hint = "tune(spark, model) sets it, if the rows of the model have a fixed size"
        return Setting(name, str(spark.conf.get(name)), "needs the model", hint)
    if not spark.conf.isModifiable(name):
        return Setting(name, value, "not known", why)
    spark.conf.set(name, value)
    return Setting(name, value, "applied", why)


def _only_at_start(spark: SparkSession, name: str, value: str, why: str) -> Setting:
    found = spark.conf.get(name, None)
    if found is not None and found != "false":
        return Setting(name, str(found), "set before", why)
    return Setting(name, value, "only at start", why)
