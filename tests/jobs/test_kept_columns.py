"""Kept columns are unchanged on both paths: values, types, comments and metadata."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.ml.functions import array_to_vector
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sf

# A larger number searches further: TFSPARK_EXAMPLES=200 pytest tests/jobs/test_kept_columns.py
EXAMPLES = int(os.environ.get("TFSPARK_EXAMPLES", "2"))

ROWS = 3


@dataclass(frozen=True)
class Kind:
    """A Spark type with two values.

    Attributes:
        name: Shown when a test fails.
        value: Value number 0 or 1 as an expression.
        is_plain: Whether pyarrow and Spark agree on the type, as the direct path requires.
        passes: Whether Spark can pass it to Python.
    """

    name: str
    value: Callable[[int], Column]
    is_plain: bool = True
    passes: bool = True


def atom(name: str, *texts: str, **kind: bool) -> Kind:
    return Kind(name, lambda one: sf.expr(f"CAST('{texts[one]}' AS {name})"), **kind)


def sql(name: str, *expressions: str, **kind: bool) -> Kind:
    return Kind(name, lambda one: sf.expr(expressions[one]), **kind)


ODD = {"is_plain": False}

ATOMS = [
    atom("boolean", "true", "false"),
    atom("tinyint", "-128", "127"),
    atom("smallint", "-32768", "1"),
    atom("int", "-2147483648", "1"),
    atom("bigint", "-9223372036854775808", "1"),
    atom("float", "NaN", "1e-40"),
    atom("double", "-Infinity", "0.1"),
    atom("decimal(5,2)", "-123.45", "0.01"),
    atom("decimal(38,10)", "-1234567890123456789012345678.0123456789", "1"),
    atom("string", "röw", ""),
    sql("binary", "X'00FF'", "X''"),
    atom("date", "2026-01-02", "1950-12-31"),
    atom("timestamp_ntz", "2026-01-02 03:04:05.678901", "1960-01-01 00:00:00"),
    # In a list or struct a timestamp is an INT96, which pyarrow reads in nanoseconds.
    atom("timestamp", "2026-01-02 03:04:05.678901", "1960-01-01 00:00:00", **ODD),
    atom("string collate unicode_ci", "A", "a", **ODD),
    sql("variant", """parse_json('{"a": [1, null]}')""", "parse_json('1')", **ODD),
    sql("interval day to second", "INTERVAL '1 02:03:04' DAY TO SECOND", "INTERVAL '2' DAY", **ODD),
    sql("interval year", "INTERVAL '1' YEAR", "INTERVAL '-3' YEAR", passes=False, **ODD),
    Kind("vector", lambda one: array_to_vector(sf.array(sf.lit(1.0 * one))), **ODD),
]

METADATA: list[dict[str, Any]] = [{}, {}, {"comment": "a key"}, {"ml_attr": {"type": "numeric"}}]


def array_of(element: Kind) -> Kind:
    def value(one: int) -> Column:
        return sf.array(element.value(one), element.value(1 - one), sf.lit(None))

    return Kind(f"array<{element.name}>", value, element.is_plain, element.passes)


def map_of(element: Kind) -> Kind:
    def value(one: int) -> Column:
        return sf.create_map(sf.lit("k"), element.value(one))

    return Kind(f"map<string,{element.name}>", value, element.is_plain, element.passes)


def struct_of(fields: list[tuple[Kind, dict[str, Any]]]) -> Kind:
    def value(one: int) -> Column:
        named = enumerate(fields)
        return sf.struct(
            *(kind.value(one).alias(f"f{at}", metadata=notes) for at, (kind, notes) in named)
        )

    return Kind(
        f"struct<{','.join(f'{kind.name} {notes}' for kind, notes in fields)}>",
        value,
        all(kind.is_plain and not notes for kind, notes in fields),
        all(kind.passes for kind, _ in fields),
    )


def kinds(depth: int) -> st.SearchStrategy[Kind]:
    atoms = st.sampled_from(ATOMS)
    if not depth:
        return atoms
    below = kinds(depth - 1)
    fields = st.lists(st.tuples(below, st.sampled_from(METADATA)), min_size=1, max_size=3)
    return st.one_of(atoms, below.map(array_of), below.map(map_of), fields.map(struct_of))


@dataclass(frozen=True)
class Named:
    """A column of the input."""

    name: str
    kind: Kind
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        return self.kind.is_plain and not self.metadata

    @property
    def column(self) -> Column:
        values = [sf.when(sf.col("id") == one, self.kind.value(one)) for one in (0, 1)]
        return sf.coalesce(*values).alias(self.name, metadata=self.metadata)


def columns() -> st.SearchStrategy[list[Named]]:
    pairs = st.lists(st.tuples(kinds(3), st.sampled_from(METADATA)), min_size=6, max_size=6)
    return pairs.map(lambda drawn: [Named(f"k{at}", *one) for at, one in enumerate(drawn)])


def write(spark: SparkSession, folder: Path, given: list[Named]) -> DataFrame:
    """Write the columns beside the model's input, and return them as Spark reads them."""
    points = spark.range(0, ROWS, 1, 1).selectExpr("id", "array(float(id), 1f) features")
    points.select("id", "features", *(one.column for one in given)).write.parquet(str(folder))
    return spark.read.parquet(str(folder))


def check_same(spark: SparkSession, folder: Path, source: DataFrame, names: list[str]) -> None:
    """Compare fields and values; as text, because Python cannot hold all of them."""
    scored = spark.read.parquet(str(folder))
    assert [scored.schema[name] for name in names] == [source.schema[name] for name in names]
    texts = ["id", *(sf.col(name).cast("string") for name in names)]
    wanted, found = (one.select(*texts).orderBy("id").collect() for one in (source, scored))
    assert found == wanted


@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],  # shrinking a failure would run hundreds of Spark jobs
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(given=columns())
def test_any_column_is_kept_as_it_is(
    given: list[Named], spark: SparkSession, score: Any, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path)
    source = write(spark, tmp_path / "in", given)
    passing = [one.name for one in given if one.kind.passes]
    plain = [one.name for one in given if one.is_plain]
    for names in (passing, plain):
        flags = ("--input", tmp_path / "in", "--keep", ",".join(["id", *names]))
        report = score(*flags, "--output", tmp_path / "out", "--mode", "overwrite").report
        assert report["path"] == ("direct" if names == plain else "spark")
        check_same(spark, tmp_path / "out", source, names)


def test_what_pyarrow_would_change_goes_through_spark(
    spark: SparkSession, score: Any, tmp_path: Path
) -> None:
    odd = [kind for kind in ATOMS if not kind.is_plain and kind.passes]
    given = [Named(f"k{at}", kind) for at, kind in enumerate(odd)]
    given += [Named("noted", ATOMS[0], {"comment": "a key"}), Named("inside", array_of(odd[1]))]
    source = write(spark, tmp_path / "in", given)
    for one in given:
        if one.kind.name == "timestamp":  # alone, not in a list or struct, it is read alike
            continue
        flags = ("--input", tmp_path / "in", "--keep", f"id,{one.name}")
        assert score(*flags, "--output", tmp_path / "o", "--dry-run").stdout.count("path   spark")
    names = [one.name for one in given]
    flags = ("--input", tmp_path / "in", "--output", tmp_path / "out")
    assert score(*flags).report["path"] == "spark"
    check_same(spark, tmp_path / "out", source, names)


def test_a_type_that_spark_cannot_pass_to_python_is_refused(
    spark: SparkSession, end_of: Any, linear: Path, tmp_path: Path
) -> None:
    from jobs.batch_score import main

    years = next(kind for kind in ATOMS if not kind.passes)
    write(spark, tmp_path / "in", [Named("years", years)])
    flags = ("--model", linear, "--input", tmp_path / "in", "--output", tmp_path / "out")
    ended = end_of(main, *flags)
    assert ended.code == 65
    assert "'years' is interval year" in ended.error
    assert not (tmp_path / "out").exists()
