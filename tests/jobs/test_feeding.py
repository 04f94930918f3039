"""Flags about a model's inputs and outputs: constants, shapes, names, rounding, hints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs.batch_score import main

BOTH = pytest.mark.parametrize("path", ["spark", "direct"])


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`y` = k·x, with a scalar k and a batch x."""
    import tensorflow as tf

    from tfspark.testing import save_function

    specs = [tf.TensorSpec((None,), tf.float32, name="x"), tf.TensorSpec((), tf.float32, name="k")]
    base = tmp_path_factory.mktemp("models") / "scaled"
    return save_function(base, lambda x, k: {"y": k * x}, *specs)


@BOTH
def test_a_constant_feeds_every_row(path: str, end_of: Any, scaled: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": np.array([1, 2], np.float64)}), tmp_path / "in.parquet")
    flags = ("--model", scaled, "--input", tmp_path / "in.parquet", "--constant", "k=3")
    ended = end_of(main, *flags, "--output", tmp_path / "out", "--path", path)
    assert ended.code == 0, ended.error
    assert pq.read_table(tmp_path / "out")["y"].to_pylist() == [3.0, 6.0]
    assert ended.report["rounded"] == ["column 'x' double → float32"]
    dry = end_of(main, *flags, "--output", tmp_path / "dry", "--path", path, "--dry-run")
    assert "rounded column 'x' double → float32" in dry.stdout


def test_hints_are_flags(end_of: Any, scaled: Path, linear: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": np.array([1], np.float32)}), tmp_path / "in.parquet")
    flags = ("--input", tmp_path / "in.parquet", "--output", tmp_path / "out")
    for model, hint in ((scaled, "--constant k=VALUE"), (linear, "--feed inputs=COLUMN")):
        ended = end_of(main, "--model", model, *flags)
        assert ended.code == 65
        assert hint in ended.error
    both = ("--feed", "k=x", "--constant", "k=3")
    assert end_of(main, "--model", scaled, *flags, *both).code == 2


@BOTH
def test_names_may_differ_in_case(path: str, score: Any, tmp_path: Path) -> None:
    features = pa.array([[1.0, 2.0]], pa.list_(pa.float32()))
    pq.write_table(pa.table({"ID": [7], "Features": features}), tmp_path / "in.parquet")
    flags = ("--input", tmp_path / "in.parquet", "--feed", "inputs=features", "--keep", "id")
    score(*flags, "--output", tmp_path / "out", "--path", path)
    assert pq.read_table(tmp_path / "out").to_pylist() == [{"ID": 7, "outputs": 3.0}]


@pytest.mark.parametrize("flags", ["--feed inputs=s.f", "--feed inputs=S.F", ""])
def test_a_field_of_a_struct_feeds(flags: str, score: Any, tmp_path: Path) -> None:
    name = "f" if flags else "inputs"
    kind = pa.struct([(name, pa.list_(pa.float32()))])
    other = pa.array([[9.0, 9.0]], pa.list_(pa.float32()))
    table = pa.table({"s": pa.array([{name: [1.0, 2.0]}], kind), "other": other})
    pq.write_table(table, tmp_path / "in.parquet")
    given = ("--input", tmp_path / "in.parquet", *flags.split(), "--output", tmp_path / "out")
    assert score(*given).report["path"] == "spark"
    assert pq.read_table(tmp_path / "out")["outputs"].to_pylist() == [3.0]


def test_bytes_of_files_do_not_feed_numbers(end_of: Any, linear: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"\x89PNG")
    flags = ("--input", tmp_path / "in", "--input-format", "binaryFile", "--feed", "inputs=content")
    ended = end_of(main, "--model", linear, *flags, "--output", tmp_path / "out")
    assert ended.code == 65
    assert "decode" in ended.error


def test_sql_options_are_of_a_model(
    end_of: Any, linear: Path, spark: SparkSession, tmp_path: Path
) -> None:
    from jobs import sql_score

    flags = ("--register", f"f={linear}", "--tags", "serve", "--fill-null", "f.inputs=5")
    query = "SELECT f(array(1f, CAST(NULL AS FLOAT))) y"
    ended = end_of(sql_score.main, *flags, "--query", query, "--output", tmp_path / "out")
    assert ended.code == 0, ended.error
    assert pq.read_table(tmp_path / "out")["y"].to_pylist() == [0.0]
    strict = ("--register", f"f={linear}", "--on-null", "error", "--query", query)
    assert end_of(sql_score.main, *strict, "--output", tmp_path / "no").code == 65


@BOTH
def test_features_of_examples_are_fed(path: str, end_of: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    from tfspark.testing import save_function

    parsed = {"age": tf.io.FixedLenFeature((), tf.float32), "n": tf.io.FixedLenFeature((), "int64")}

    def score(examples: Any) -> dict[str, Any]:
        found = tf.io.parse_example(examples, parsed)
        return {"y": found["age"] + tf.cast(found["n"], tf.float32)}

    model = save_function(tmp_path / "m", score, tf.TensorSpec((None,), tf.string, "examples"))
    table = pa.table({"years": [1.5, None, 2.5], "n": [1, None, 3]})
    pq.write_table(table, tmp_path / "in.parquet")
    flags = ("--model", model, "--input", tmp_path / "in.parquet", "--path", path)
    named = ("--feed", "examples.age=years", "--output", tmp_path / "out", "--keep", "n")
    ended = end_of(main, *flags, *named)
    assert ended.code == 0, ended.error
    assert ended.report["rounded"] == ["column 'years' double → float32"]
    assert pq.read_table(tmp_path / "out")["y"].to_pylist() == [2.5, None, 5.5]
    wrong = end_of(main, *flags, "--feed", "examples.ages=years", "--output", tmp_path / "no")
    assert wrong.code == 65
    assert "Did you mean 'age'" in wrong.error
