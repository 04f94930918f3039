"""For every signature of every reference model, the bridge gives Python's rows and nulls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tfspark
from models import MODELS, reference
from tests.bridge.session import Session
from tfspark import dtypes
from tfspark.signature import TensorSpec

ROWS = 40
# The last row has null in every input, the one before in the first.
NULLS = 2

COMPARE = """
from tests.bridge.both import Case, compare
answer([compare(spark, Case(**case)) for case in CASES])
"""

Columns = Mapping[str, Sequence[Any]]
# Signature → values of its inputs, from a model's module and its folder of synthetic data.
Read = Callable[[Any, Path], Mapping[str, Columns]]


def of_data(**fields: str) -> Read:
    """Feed inputs with fields of the model's data."""

    def read(module: Any, folder: Path) -> Mapping[str, Columns]:
        data = module.dataset(folder=folder) if folder.exists() else module.dataset()
        return {"serving_default": {name: getattr(data, one) for name, one in fields.items()}}

    return read


def of_titanic(module: Any, folder: Path) -> Mapping[str, Columns]:
    table = pd.read_csv(folder / "test.csv")
    return {
        "serving_default": {"features": module.features(table)},
        "raw": module.raw_columns(table),
    }


def of_heart(module: Any, folder: Path) -> Mapping[str, Columns]:
    table = pd.read_csv(folder / module.FILE)
    return {"serving_default": {name: table[name] for name in module.INPUTS}}


def pictures(folder: Path, most: int) -> list[bytes]:
    files = sorted(folder.rglob("*.jpg"))
    return [file.read_bytes() for file in islice(files, 0, None, max(len(files) // most, 1))]


def of_cifar2(module: Any, folder: Path) -> Mapping[str, Columns]:
    return {
        "serving_default": {"images": module.dataset(folder=folder).test_x},
        "encoded": {"content": pictures(folder / "test", ROWS)},
    }


def of_flowers(_: Any, folder: Path) -> Mapping[str, Columns]:
    return {"serving_default": {"content": pictures(folder, 6)}}


def of_reuters(_: Any, folder: Path) -> Mapping[str, Columns]:
    """Token lists of different lengths."""
    tokens = np.load(folder / "reuters.npz", allow_pickle=True)["x"]
    return {"serving_default": {"tokens": tokens}}


def of_covid(module: Any, folder: Path) -> Mapping[str, Columns]:
    """Up to eight last days, as at the beginning of a series."""
    days = module.dataset(folder=folder).days
    windows = {"window": [days[max(day - 8, 0) : day] for day in range(1, len(days))]}
    return {"serving_default": windows, "forecast": windows}


def of_module(module: Any, _: Path) -> Mapping[str, Columns]:
    pair = module.dataset()
    return {"serving_default": {"a": pair.a, "b": pair.b}, "count": {"a": pair.a}}


READERS: Mapping[str, Read] = {
    "cifar2": of_cifar2,
    "covid": of_covid,
    "demo_module": of_module,
    "digits": of_data(pixels="test_x"),
    "flowers": of_flowers,
    "heart": of_heart,
    "imdb": of_data(text="test_text"),
    "linear": of_data(inputs="test_x"),
    "mnist": of_data(image="test_x"),
    "neighbours": of_data(query="queries"),
    "price": of_data(year="years"),
    "reuters": of_reuters,
    "ring": of_data(points="test_points"),
    "titanic": of_titanic,
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Each signature and its rows; models are trained only if untrained rows would be equal."""
    base = tmp_path_factory.mktemp("models")
    return {
        f"{name} {signature}": {
            "path": path,
            "signature": signature,
            "rows": rows,
            "narrow": True,  # uint8 bytes of a picture are smallint
            "sql": signature != "count",  # it would count on, in the JVM's one session
        }
        for name in MODELS
        for path, signature, rows in exported(name, base)
    }


def exported(name: str, base: Path) -> list[tuple[str, str, str]]:
    """Write a model and the rows of each of its signatures."""
    module: Any = reference(name)
    folder = base / "data" / name
    if MODELS[name].layout:
        module.write_data(folder)
    model = module.build()
    if name == "imdb":
        model.words.adapt(module.dataset(folder=folder).text)
    if name == "price":
        module.train(model, module.dataset(), epochs=100)
    if name == "flowers":
        wake(model.get_layer(module.BASE))
    path = str(module.export(model, base))
    written = []
    for signature, columns in READERS[name](module, folder).items():
        file = base / f"{name}-{signature}.parquet"
        inputs = tfspark.load(path, signature=signature).signature.inputs
        pq.write_table(table(inputs, columns), file)
        written.append((path, signature, str(file)))
    return written


def wake(base: Any) -> None:
    """Adapt the normalisations of a random base, which otherwise gives every picture one result."""
    for layer in base.layers:
        if hasattr(layer, "moving_mean"):
            layer.momentum = 0.0
    base.trainable = True
    base(np.random.default_rng(0).uniform(-1, 1, (2, *base.input_shape[1:])), training=True)
    base.trainable = False


def table(specs: Sequence[TensorSpec], columns: Columns) -> pa.Table:
    """The first rows of some columns, in the types of the inputs, and two rows with nulls."""
    first = specs[0].name
    return pa.table(
        {
            spec.name: pa.array(
                [*rows, None if spec.name == first else rows[0], None], arrow_type(spec, rows[0])
            )
            for spec in specs
            for rows in [[plain(one) for one in columns[spec.name][:ROWS]]]
        }
    )


def plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def arrow_type(spec: TensorSpec, value: Any) -> pa.DataType:
    if isinstance(value, bytes):
        return pa.binary()
    return dtypes.nested(dtypes.by_name(spec.dtype).arrow, len(spec.row_shape or ()))


@pytest.mark.slow
def test_every_reference_model_gives_the_same_rows(session: Session, cases: Any) -> None:
    found = session.ask(f"CASES = {list(cases.values())!r}\n{COMPARE}")
    for title, result in zip(cases, found, strict=True):
        assert not result["differing"], title
        assert not result["why"], title
        rows = pq.read_metadata(cases[title]["rows"]).num_rows
        assert (result["rows"], result["nulls"]) == (rows, NULLS), title
        assert result["distinct"] > 0.7 * rows, "what is all the same compares nothing"
    assert {title.split()[0] for title in cases} == set(MODELS)
