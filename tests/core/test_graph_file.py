"""`saved_model.pbtxt`, the graph as text, beside `saved_model.pb`."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from google.protobuf import text_format

from tfspark.engine import EngineOptions, load_engine
from tfspark.errors import InvalidModelError
from tfspark.package import load
from tfspark.saved_model.graph_file import graph_of, whole_graph_of
from tfspark.saved_model.message_text import without


def as_text(path, *, shapes=True):
    """Write a model's graph as text in place of the binary file, as TensorFlow would."""
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
    whole, binary = (whole_graph_of(path, ("serve",)) for path in (text_model, linear_model))
    short = graph_of(text_model, ("serve",))
    assert short.signature_def == whole.signature_def == binary.signature_def
    assert short.HasField("saver_def")
    for graphs in zip(short.graph_def.node, binary.graph_def.node, strict=True):
        assert len({(node.name, node.op, tuple(node.input)) for node in graphs}) == 1
    for ours, theirs in zip(whole.graph_def.node, binary.graph_def.node, strict=True):
        assert ours.attr["_output_shapes"] == theirs.attr["_output_shapes"]
    assert len(whole.graph_def.library.function) == len(binary.graph_def.library.function)


def test_open_shapes_come_from_the_graph_in_the_text(linear_model, tmp_path):
    path = as_text(shutil.copytree(linear_model, tmp_path / "linear"), shapes=False)
    assert graph_of(path, ("serve",)) != graph_of(linear_model, ("serve",))
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


def test_messages_are_left_out_by_name():
    text = """
    keep { a: 1 }  # a { comment
    drop { b { c: "}" } drop { d: 2 } }
    keep < drop: < e: 3 > f: '{' g: "\\"{" >
    attr { key: "T" value { type: DT_FLOAT } }
    dropped { h: 4 }
    """
    left = without(text, {"drop", "attr"})
    assert [line.split("#")[0].strip() for line in left.strip().splitlines()] == [
        "keep { a: 1 }",
        "",
        """keep <  f: '{' g: "\\"{" >""",
        "",
        "dropped { h: 4 }",
    ]
    for broken in ("a {", "a }", "drop {", "drop { b }}"):
        with pytest.raises(ValueError, match="brace"):
            without(broken, {"drop"})
