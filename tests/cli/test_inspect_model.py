"""`tfspark inspect`: text and JSON of a model, and lines to copy that are valid."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SAMPLE
from tfspark import load
from tfspark.inspection import inspect
from tfspark.saved_model_pb2 import SavedModel

MODEL = SAMPLE / "model"


def test_the_page_shows_what_saved_model_cli_shows(run: Any) -> None:
    ended = run("inspect", MODEL)
    assert ended.code == 0, ended.error
    package = load(MODEL)
    for text in (
        f"digest  {package.digest}",
        f"{package.size:,} bytes in 3 files",
        "tag set serve",
        "signature 'serving_default'",
        "area: float32 (None,), in Spark float",
        "band: string (None,), in Spark string",
        "all of them only compute",
        "SELECT *, tfpredict(struct(area, city, rooms)) AS prediction FROM your_table",
    ):
        assert text in ended.stdout


def test_json_has_everything(run: Any) -> None:
    found = json.loads(run("inspect", MODEL, "--json").stdout)
    assert found["digest"] == load(MODEL).digest
    (graph,) = found["graphs"]
    assert graph["tags"] == ["serve"]
    assert graph["operations"]["Sum"] == 2
    (signature,) = graph["signatures"]
    first = signature["inputs"][0]
    assert (first["name"], first["dtype"], first["shape"], first["spark"]) == (
        "area",
        "float32",
        [None],
        "float",
    )
    assert ast.parse(found["python"])
    assert found["sql"].startswith("SELECT *, tfpredict(")


def test_every_tag_set_is_shown_even_without_a_signature(tmp_path: Path) -> None:
    pb = MODEL / "1" / "saved_model.pb"
    model = SavedModel.FromString(pb.read_bytes())
    other = model.meta_graphs.add()
    other.CopyFrom(model.meta_graphs[0])
    other.meta_info_def.tags[:] = ["serve", "gpu"]
    other.signature_def.clear()
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    found = inspect(str(tmp_path))
    assert [(one.tags, len(one.signatures)) for one in found.graphs] == [
        (("serve",), 1),
        (("gpu", "serve"), 0),
    ]
    assert found.usual_signature is not None


@pytest.mark.parametrize("name", ["a b", "select", "`"])
def test_names_are_quoted_in_sql(name: str) -> None:
    from tfspark.model_page import sql_to_copy
    from tfspark.signature import Signature, TensorSpec

    signature = Signature("s", (TensorSpec(name, "float32", (None,)),), ())
    quoted = name if name == "select" else "`" + name.replace("`", "``") + "`"
    assert sql_to_copy("f", signature) == f"SELECT *, f({quoted}) AS prediction FROM your_table"
