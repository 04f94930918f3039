"""`saved_model.pbtxt`, the graph as text, beside `saved_model.pb`."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from google.protobuf import text_format

from tfspark.engine import EngineOptions, load_engine
from tfspark.errors import InvalidModelError
from tfspark.package import load
from tfspark.saved_model.files import files
from tfspark.saved_model.graph_file import graph_of, read


def as_text(path, *, shapes=True):
    """Replace the binary file of a model's graph by a text file, as TensorFlow writes it."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    file = path / "saved_model.pb"
    model = SavedModel.FromString(file.read_bytes())
    for signature in model.meta_graphs[0].signature_def.values():
        for info in (*signature.inputs.values(), *signature.outputs.values()):
            if not shapes:
                info.ClearField("tensor_shape")
    file.with_suffix(".pbtxt").write_text(text_format.MessageToString(model))
    file.unlink()
    return path


def graph_in(path):
    return graph_of(read(path, dict(files(path))), ("serve",))


@pytest.fixture
def text_model(linear_model, tmp_path):
    return as_text(shutil.copytree(linear_model, tmp_path / "linear" / "1"))


@pytest.mark.parametrize("engine", ["native", "tensorflow"])
def test_a_model_of_text_is_read_and_run(text_model, linear_model, engine):
    found = load(text_model.parent)
    assert (found.version, found.signature) == (1, load(linear_model).signature)
    assert found.tensorflow_version.startswith("2.")
    live = load_engine(found.path, found.tags, found.signature, EngineOptions(name=engine))
    answer = live.run({"inputs": np.array([[1, 2], [3, 4]], np.float32)})
    assert answer["outputs"].tolist() == [[3.0], [5.0]]


def test_the_text_says_what_the_binary_file_says(text_model, linear_model):
    text, binary = map(graph_in, (text_model, linear_model))
    binary.DiscardUnknownFields()  # of which a text keeps none
    assert text == binary


def test_open_shapes_come_from_the_graph_in_the_text(linear_model, tmp_path):
    path = as_text(shutil.copytree(linear_model, tmp_path / "linear"), shapes=False)
    assert graph_in(path) != graph_in(linear_model)
    assert load(path).signature == load(linear_model).signature


def test_of_both_files_the_binary_one_counts(text_model, linear_model):
    (text_model / "saved_model.pbtxt").write_text("no model")
    shutil.copy(linear_model / "saved_model.pb", text_model)
    assert load(text_model).signature == load(linear_model).signature
    (text_model / "saved_model.pb").write_bytes(b"")
    with pytest.raises(InvalidModelError, match=r"saved_model\.pb holds no graph"):
        load(text_model)


def test_a_newest_version_of_text_is_not_passed_over(text_model, linear_model):
    shutil.copytree(linear_model, text_model.parent / "0")
    assert load(text_model.parent).version == 1
    file = text_model / "saved_model.pbtxt"
    content = file.read_text()
    for length in range(0, len(content) - 3, len(content) // 40):
        file.write_text(content[:length])
        with pytest.raises(InvalidModelError, match=rf"{file}"):
            load(text_model.parent)


@pytest.mark.parametrize(
    "content",
    [b"<html>404</html>", b"\xff\xfe", b"meta_graphs {", b"}", b'meta_graphs { x: "', b"a" * 1000],
)
def test_a_text_that_is_no_model_is_refused(text_model, content):
    (text_model / "saved_model.pbtxt").write_bytes(content)
    with pytest.raises(InvalidModelError, match=f"{len(content)} bytes that do not parse"):
        load(text_model)
