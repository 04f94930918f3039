"""Compares Python's engine with the bridge: rows, nulls and refusals.

For programs that the tests run with the jar. A `Case` is scored by three APIs: `predict` in Python,
`predict` with `engine="jvm"`, and SQL's `tf_predict`; or with `predict_udf` instead of `predict`.
An `Outcome` contains the parts that can be compared: types and rows, or the reasons of a refusal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

import tfspark
from tfspark.errors import TfsparkError

RELATIVE = 1e-5
# Relative to the largest number of an output, because cancellation leaves no exact digits.
FLOOR = 1e-7

# A mismatch of the binding, or the text after the title of the model when a row or batch fails.
_WHY = re.compile(r"^  - .*|\([0-9a-f]{12}\), .*(?:\n  (?:expected|found): .*)*", re.MULTILINE)

# Spark tells only the JVM which file a row is from.
_FILE = re.compile(r", from \S+(?=: )")


@dataclass(frozen=True)
class Case:
    """A model, its rows, and the options of the call.

    Attributes:
        path: Export dir or base path.
        rows: A query for the rows, or a Parquet file of them.
        feed: Input → column; by default the column with its name.
        fetch: Output → column; by default all, under their own names.
        narrow: Whether values may be narrowed.
        strings: Type of string outputs.
        signature: Name of the signature.
        batch_size: Rows per run.
        options: More options of all APIs, such as `on_null`.
        call: Whether column functions are called instead of `predict`.
        sql: Whether SQL can score the same case; it fetches every output.
    """

    path: str
    rows: str
    feed: Mapping[str, Any] | None = None
    fetch: Mapping[str, str] | None = None
    narrow: bool = False
    strings: str = "string"
    signature: str = "serving_default"
    batch_size: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    call: bool = False
    sql: bool = True


@dataclass(frozen=True)
class Outcome:
    """Rows with the type of each output, or the reasons of a refusal."""

    types: list[str] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    why: list[str] = field(default_factory=list)


def compare(spark: SparkSession, case: Case) -> dict[str, Any]:
    """Score by all APIs.

    Returns:
        `rows`, `nulls` and `distinct`: numbers of Python's rows. `why`: Python's refusal.
        `relative`: largest relative difference of the bridge's numbers. `differing`: the results of
        the bridge that differ.
    """
    return _compared(*outcomes(spark, case))


def compare_frame(spark: SparkSession, df: DataFrame, path: str) -> dict[str, Any]:
    """Score the column `x` of a DataFrame by both engines and by SQL; see `compare`."""

    def predicted(engine: str) -> DataFrame:
        options: Any = {"feed": {"x": "x"}, "keep": [], "engine": engine}
        return tfspark.predict(df.coalesce(1), path, **options)

    def by_sql() -> DataFrame:
        df.coalesce(1).createOrReplaceTempView("both")
        texts = option_map({"terms": "python"})
        return spark.sql(f"SELECT tf_predict({quoted(path)}, {texts}, x) AS y FROM both")

    asked = (lambda: predicted("native"), lambda: predicted("jvm"), by_sql)
    python, in_jvm, in_sql = map(outcome, asked)
    why = [_named(line, ["x"]) for line in in_sql.why]
    return _compared(python, in_jvm, Outcome(in_sql.types, in_sql.rows, why))


def _compared(python: Outcome, *bridge: Outcome) -> dict[str, Any]:
    wrong = [
        {"python": one, "bridge": other}
        for found in bridge
        for one, other in _differences(python, found)
    ]
    same = [found for found in bridge if not any(_differences(python, found))]
    pairs = [
        pair
        for found in same
        for pair in zip(_leaves(python.rows), _leaves(found.rows), strict=True)
    ]
    return {
        "rows": len(python.rows),
        "nulls": sum(all(value is None for value in row) for row in python.rows),
        "why": python.why,
        "distinct": len({repr(row) for row in python.rows}),
        "relative": max((_relative(*pair) for pair in pairs), default=0.0),
        "differing": wrong[:5],
    }


def outcomes(spark: SparkSession, case: Case) -> Iterator[Outcome]:
    """Yield the outcomes of Python's engine, of `engine="jvm"`, and of SQL."""
    if case.rows.endswith(".parquet"):
        df = spark.read.parquet(case.rows).coalesce(1)
    else:
        df = spark.sql(case.rows).coalesce(1)
    signature = tfspark.load(case.path, signature=case.signature).signature
    given = [(case.feed or {}).get(spec.name, spec.name) for spec in signature.inputs]
    fed = [name for one in given for name in (one if isinstance(one, list) else [one])]
    options: Any = {"narrow": case.narrow, "strings": case.strings, "signature": case.signature}
    options |= {"batch_size": case.batch_size, **case.options}

    arguments = [f"`{one}`" if isinstance(one, str) else str(one) for one in fed]

    def predicted(engine: str) -> DataFrame:
        return tfspark.predict(
            df, case.path, feed=case.feed, fetch=case.fetch, keep=[], engine=engine, **options
        )

    def called(engine: str) -> DataFrame:
        function = tfspark.predict_udf(case.path, fetch=case.fetch, engine=engine, **options)
        return opened(df.select(function(*map(sf.expr, arguments)).alias("y")))

    def by_sql() -> DataFrame:
        df.createOrReplaceTempView("both")
        # Refusals use Python's spelling of the options, so that they can be compared.
        texts = options | {"terms": "python-sql" if case.call else "python", "in_order": True}
        call = ", ".join([quoted(case.path), option_map(texts), *arguments])
        return opened(spark.sql(f"SELECT tf_predict({call}) AS y FROM both"))

    score = called if case.call else predicted
    yield outcome(lambda: score("native"))
    yield outcome(lambda: score("jvm"))
    if case.sql:
        found = outcome(by_sql)
        why = found.why if case.call else [_named(line, list(map(str, fed))) for line in found.why]
        yield Outcome(found.types, found.rows, why)


def option_map(options: Mapping[str, Any]) -> str:
    """Return options as the map after the model in SQL."""
    given = {name: value for name, value in options.items() if value is not None}
    pairs = (f"{quoted(name)}, {quoted(option_text(value))}" for name, value in given.items())
    return f"map({', '.join(pairs)})"


def option_text(value: Any) -> str:
    """Return the value of an option as text for that map."""
    if isinstance(value, Mapping):
        return ";".join(f"{name}={option_text(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def quoted(text: str) -> str:
    """Return a text as a SQL literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def opened(scored: DataFrame) -> DataFrame:
    """Expand a struct into columns."""
    return scored.select("y.*") if scored.dtypes[0][1].startswith("struct") else scored


def outcome(score: Callable[[], DataFrame]) -> Outcome:
    """Return the rows that an API gives, or the reasons of its refusal."""
    try:
        scored = score()
        rows = [list(row) for row in scored.collect()]
    except (TfsparkError, PySparkException, Py4JJavaError) as error:
        lines = (_FILE.sub("", line.strip()) for line in _WHY.findall(str(error)))
        why = list(dict.fromkeys(lines))
        return Outcome(why=why or [f"in other words: {error}"])
    return Outcome([kind for _, kind in scored.dtypes], rows)


def _named(line: str, columns: Sequence[str]) -> str:
    """Replace argument numbers in a message by the names of their columns."""
    return re.sub(r"argument (\d+)", lambda found: columns[int(found[1]) - 1], line)


# The two sides write values and suggest names differently.
_OWN_WORDS = (
    (re.compile(r" Did you mean .*?\?(?= |$)"), ""),
    (re.compile(r"\S+ does not fit "), "… does not fit "),
    (re.compile(r"on_null is .*?, which"), "on_null is …, which"),
    (re.compile(r"output bytes .* are not UTF-8"), "output bytes … are not UTF-8"),
    (re.compile(r": .* is not a constant of type"), ": … is not a constant of type"),
    (re.compile(r" \(row \{.*\}\)"), " (row …)"),
)


def same_problem(python: Sequence[str], bridge: Sequence[str]) -> bool:
    """Whether two refusals are of the same kind and name the same place."""
    return [_without_own_words(line) for line in python] == [
        _without_own_words(line) for line in bridge
    ]


def _without_own_words(line: str) -> str:
    for pattern, words in _OWN_WORDS:
        line = pattern.sub(words, line)
    return line.replace('"', "'")


def _differences(python: Outcome, bridge: Outcome) -> Iterator[tuple[Any, Any]]:
    """Yield the differences; for rows with their number."""
    if python.types != bridge.types or not same_problem(python.why, bridge.why):
        yield asdict(python) | {"rows": len(python.rows)}, asdict(bridge) | {"rows": None}
        return
    if len(python.rows) != len(bridge.rows):
        yield len(python.rows), len(bridge.rows)
        return
    largest = [
        max((abs(leaf) for leaf in _leaves(column) if _is_finite(leaf)), default=0.0)
        for column in zip(*python.rows, strict=True)
    ]
    for number, rows in enumerate(zip(python.rows, bridge.rows, strict=True)):
        pairs = zip(*rows, largest, strict=True)
        if not all(is_close(one, other, floor * FLOOR) for one, other, floor in pairs):
            one, other = (repr(row)[:200] for row in rows)
            yield f"row {number}: {one}", f"row {number}: {other}"


def is_close(one: Any, other: Any, floor: float) -> bool:
    """Whether two values are equal: floats within a tolerance, everything else exactly."""
    if isinstance(one, list):
        return (
            isinstance(other, list)
            and len(one) == len(other)
            and all(is_close(*pair, floor) for pair in zip(one, other, strict=True))
        )
    if isinstance(one, float) and isinstance(other, float):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=floor)
    return type(one) is type(other) and bool(one == other)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


def _is_finite(leaf: Any) -> bool:
    return isinstance(leaf, float) and math.isfinite(leaf)


def _relative(one: Any, other: Any) -> float:
    if not (_is_finite(one) and _is_finite(other)):
        return 0.0
    return abs(one - other) / max(abs(one), abs(other), 1e-300)
