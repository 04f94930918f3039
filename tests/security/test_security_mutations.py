"""Damaged files of a real model: the driver reads them to a typed error or to a model.

Models that the driver accepts are loaded by TensorFlow's C library in separate processes. A crash
of the library is only printed, because we cannot fix it; our code may raise only typed errors.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from google.protobuf import text_format
from mutations import mutated

from tfspark.errors import TfsparkError
from tfspark.package import load
from tfspark.saved_model_pb2 import SavedModel

INDEX = "variables/variables.index"
DATA = "variables/variables.data-00000-of-00001"
ASSET = "assets/vocabulary.txt"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def bases(linear, tmp_path_factory):
    """A real model with an asset: as it is, with open shapes, and both as text."""
    where = tmp_path_factory.mktemp("bases")
    for name in ("stated", "open", "text", "open-text"):
        path = Path(shutil.copytree(linear / "1", where / name))
        (path / "assets").mkdir(exist_ok=True)
        (path / ASSET).write_text("one\ntwo\n")
        file = path / "saved_model.pb"
        model = SavedModel.FromString(file.read_bytes())
        model.meta_graphs[0].asset_file_def.add(filename="vocabulary.txt")
        if "open" in name:
            leave_shapes_to_the_graph(model)
        file.write_bytes(model.SerializeToString())
        if "text" in name:
            file.unlink()
            file.with_suffix(".pbtxt").write_text(text_format.MessageToString(model))
    return where


def leave_shapes_to_the_graph(model):
    (graph,) = model.meta_graphs
    for signature in graph.signature_def.values():
        for info in (*signature.inputs.values(), *signature.outputs.values()):
            info.ClearField("tensor_shape")
    for nodes in (
        graph.graph_def.node,
        *(one.node_def for one in graph.graph_def.library.function),
    ):
        for node in nodes:
            if "_output_shapes" in node.attr:
                del node.attr["_output_shapes"]


@pytest.mark.parametrize(
    ("base", "file", "seeds"),
    [
        ("stated", "saved_model.pb", 60),
        ("open", "saved_model.pb", 60),
        ("text", "saved_model.pbtxt", 24),
        ("open-text", "saved_model.pbtxt", 16),
        ("stated", INDEX, 16),
        ("stated", DATA, 12),
        ("stated", ASSET, 12),
    ],
)
def test_a_damaged_file_ends_in_a_typed_error_or_a_model(bases, tmp_path, base, file, seeds):
    path = Path(shutil.copytree(bases / base, tmp_path / "1"))
    content, before = (path / file).read_bytes(), load(path).digest
    tracemalloc.start()
    try:
        for seed in range(seeds):
            damaged = mutated(content, seed)
            (path / file).write_bytes(damaged)
            try:
                assert (load(path).digest == before) == (damaged == content)
            except TfsparkError:
                continue
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def unseen_by_the_driver(bases, path):
    """The first seeds with damage that only TensorFlow can detect."""
    file = Path(shutil.copytree(bases / "stated", path)) / "saved_model.pb"
    content, seeds = file.read_bytes(), []
    for seed in range(400):
        file.write_bytes(mutated(content, seed))
        with contextlib.suppress(TfsparkError):
            load(path)
            seeds.append(seed)
    return seeds[:8]


def test_the_native_engine_ends_in_a_typed_error_or_an_answer(bases, tmp_path, record_property):
    cases = [f"saved_model.pb:{seed}" for seed in unseen_by_the_driver(bases, tmp_path / "1")]
    cases += [f"{file}:{seed}" for file in (INDEX, DATA, ASSET) for seed in range(2)]
    command = [sys.executable, str(Path(__file__).with_name("native_child.py"))]
    done = subprocess.run(
        [*command, str(bases / "stated"), str(tmp_path), *cases],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    ends = dict(line.split("\t") for line in done.stdout.splitlines())
    assert list(ends) == cases
    crashes = {case: end for case, end in ends.items() if end.startswith("killed")}
    print("crashes of TensorFlow's C library:", crashes or "none")
    record_property("crashes of TensorFlow's C library", str(crashes))
    assert set(ends.values()) - set(crashes.values()) <= {"ran", "a typed error"}, done.stderr
    assert "killed by SIGALRM" not in ends.values(), "a model hangs"
