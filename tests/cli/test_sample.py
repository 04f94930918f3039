"""The sample of `tfspark demo`: small, and equal to what its script makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from tfspark import lint, load
from tfspark.cli.bench_engines import rows_of
from tools import sample


def test_the_rows_are_those_of_the_script() -> None:
    assert pq.read_table(sample.ROWS).equals(sample.table())
    assert sample.table().num_rows == 1000


def test_the_model_is_small_and_only_computes() -> None:
    package = load(sample.MODEL.parent)
    assert package.size < 40_000
    assert [spec.name for spec in package.signature.inputs] == ["area", "city", "rooms"]
    assert lint(package) == []


def test_the_model_has_the_weights_of_the_script() -> None:
    import tensorflow as tf

    rows = sample.table().slice(0, 20)
    area, city, rooms = (rows[name].to_pylist() for name in ("area", "city", "rooms"))
    model = tf.saved_model.load(str(sample.MODEL)).signatures["serving_default"]
    found = model(
        area=tf.constant(area, tf.float32), city=tf.constant(city), rooms=tf.constant(rooms)
    )
    expected = [
        sample.CITIES[at] + sample.PER_SQUARE_METRE * size + sample.PER_ROOM * count
        for at, size, count in zip(city, area, rooms, strict=True)
    ]
    np.testing.assert_allclose(found["price"], expected, rtol=1e-6)
    steps = [sum(price >= limit for limit in sample.LIMITS) for price in expected]
    assert [one.decode() for one in found["band"].numpy()] == [sample.BANDS[one] for one in steps]


def test_rows_for_a_signature_have_its_types_and_shapes() -> None:
    rows = rows_of(load(sample.MODEL.parent).signature, 3)
    assert [len(values) for values in rows.values()] == [3, 3, 3]
    assert rows["city"] == ["text"] * 3


def test_a_folder_with_other_files_is_not_changed(run: Any, tmp_path: Path) -> None:
    (tmp_path / "scored").mkdir()
    ended = run("demo", ".")
    assert ended.code == 2
    assert "has other files" in ended.error
    assert [one.name for one in tmp_path.iterdir()] == ["scored"]
