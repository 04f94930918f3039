import dataclasses
import os
import pickle
import shutil
from pathlib import Path

import pytest

from tfspark.errors import InvalidModelError, ModelNotFoundError, SignatureNotFoundError
from tfspark.package import load
from tfspark.saved_model import file_state, graph_file
from tfspark.saved_model.files import size_of
from tfspark.signature import TensorSpec


def refusal(kind, *args, **options):
    with pytest.raises(kind) as caught:
        load(*args, **options)
    return str(caught.value)


# --- version folders ------------------------------------------------------------------------------


def test_the_newest_version_is_the_largest_number(make_model, tmp_path):
    for version in (9, 10, 2):
        make_model(where=f"model/{version}")
    (tmp_path / "model" / "11").write_text("a file")
    (tmp_path / "model" / "latest").mkdir()
    (tmp_path / "model" / "12.tmp").mkdir()
    found = load(tmp_path / "model")
    assert (found.version, found.name) == (10, "model")
    assert found.path == str(tmp_path / "model" / "10")


def test_a_version_can_be_chosen(make_model, tmp_path):
    make_model(where="model/1")
    make_model(where="model/2")
    assert load(tmp_path / "model", version=1).path == str(tmp_path / "model" / "1")
    text = refusal(ModelNotFoundError, tmp_path / "model", version=3)
    assert "no version 3 of the model" in text
    assert "expected: one of the versions 1, 2" in text


def test_version_folders_may_have_leading_zeros_but_no_twins(make_model, tmp_path):
    make_model(where="model/0007")
    assert load(tmp_path / "model").version == 7
    make_model(where="model/7")
    text = refusal(InvalidModelError, tmp_path / "model")
    assert "Version 7 of the model" in text
    assert "'0007', '7'" in text


@pytest.mark.parametrize("number", ["\uff11", "²", "-1", "1.5", "v1"])
def test_only_ascii_digits_make_a_version(make_model, tmp_path, number):
    make_model(where=f"model/{number}")
    assert "There is no SavedModel in" in refusal(ModelNotFoundError, tmp_path / "model")


def test_an_export_dir_is_loaded_with_its_number(make_model):
    path = make_model(where="model/3")
    for version in (None, 3):
        found = load(str(path), version=version)
        assert (found.version, found.name, found.path) == (3, "model", str(path))
    assert "found:    version 3" in refusal(ModelNotFoundError, path, version=4)


def test_an_export_dir_without_a_number_has_no_version(make_model):
    path = make_model(where="bare")
    found = load(path)
    assert (found.version, found.name) == (None, "bare")
    text = refusal(ModelNotFoundError, path, version=1)
    assert "is one export dir; it has no version 1 inside" in text
    assert "found:    a SavedModel without version folder" in text


def test_a_relative_path_is_made_absolute(make_model, tmp_path, monkeypatch):
    path = make_model(where="model/1")
    monkeypatch.chdir(path)
    for relative in (".", "..", "../../model", "../1"):
        found = load(relative)
        assert (found.path, found.name, found.version) == (str(path), "model", 1)


# --- broken models --------------------------------------------------------------------------------


def test_a_missing_folder(tmp_path):
    text = refusal(ModelNotFoundError, tmp_path / "nothing")
    assert text.splitlines() == [
        f"There is no model folder at {tmp_path / 'nothing'}.",
        "  expected: a folder with saved_model.pb, or with version folders 1, 2, …",
        "  found:    nothing",
        "Hint: give the export dir, or the base path above its version folders.",
    ]


def test_a_file_instead_of_a_folder(make_model):
    path = make_model() / "saved_model.pb"
    assert "found:    a file, the graph of a SavedModel" in refusal(ModelNotFoundError, path)


def test_an_empty_folder(tmp_path):
    assert "found:    none" in refusal(ModelNotFoundError, tmp_path)
    (tmp_path / "model.h5").touch()
    assert "Keras model in HDF5: 'model.h5'" in refusal(ModelNotFoundError, tmp_path)


@pytest.mark.parametrize("kind", ["empty", "cut", "no model"])
def test_a_broken_newest_version_is_an_error(make_model, tmp_path, kind):
    make_model(where="model/1")
    newest = make_model(where="model/2") / "saved_model.pb"
    content = newest.read_bytes()
    newest.unlink()
    if kind != "no model":
        newest.write_bytes(content[:50] if kind == "cut" else b"")
    text = refusal(InvalidModelError, tmp_path / "model")
    assert str(newest) in text
    assert "tfspark never uses an older version" in text
    assert load(tmp_path / "model", version=1).version == 1


def test_a_file_cut_off_anywhere_is_refused(make_model):
    file = make_model() / "saved_model.pb"
    content = file.read_bytes()
    for length in range(len(content)):
        file.write_bytes(content[:length])
        text = refusal(InvalidModelError, file.parent)
        assert f"{length} bytes" in text


def test_a_real_model_cut_off_is_refused(linear_model, tmp_path):
    path = shutil.copytree(linear_model, tmp_path / "1")
    file = path / "saved_model.pb"
    content = file.read_bytes()
    for length in (1, 2, 3, 100, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:length])
        refusal(InvalidModelError, path)


@pytest.mark.parametrize("content", [b"<html>404</html>", bytes(100), b"\xff" * 100])
def test_a_file_that_is_no_model_is_refused(make_model, content):
    file = make_model() / "saved_model.pb"
    file.write_bytes(content)
    refusal(InvalidModelError, file.parent)


@pytest.mark.parametrize(
    ("shards", "name", "listed"),
    [
        (1, "variables.index", ["variables/variables.index"]),
        (1, "variables.data-00000-of-00001", ["variables/variables.data-00000-of-00001"]),
        (3, "variables.data-00001-of-00003", ["variables/variables.data-00001-of-00003"]),
    ],
)
def test_a_missing_file_of_the_variables(make_model, shards, name, listed):
    path = make_model(shards=shards)
    (path / "variables" / name).unlink()
    text = refusal(InvalidModelError, path)
    assert "is incomplete: 1 file is missing." in text
    assert [one in text for one in listed] == [True]


def test_missing_variables_are_listed_whole(make_model):
    path = make_model()
    shutil.rmtree(path / "variables")
    text = refusal(InvalidModelError, path)
    assert "2 files are missing" in text
    assert "'variables/variables.index', 'variables/variables.data-00000-of-00001'" in text


def test_a_graph_with_variables_needs_them_though_nothing_saves_them(make_model, meta_graph):
    graph = meta_graph(variables=False)
    graph.graph_def.node.add(name="w", op="VarHandleOp")
    path = make_model(graph)
    shutil.rmtree(path / "variables")
    assert "2 files are missing" in refusal(InvalidModelError, path)


def test_a_frozen_graph_needs_no_variables(make_model, meta_graph):
    path = make_model(meta_graph(variables=False))
    shutil.rmtree(path / "variables")
    assert load(path).digest


def test_left_over_shards_of_another_checkpoint_do_no_harm(make_model):
    path = make_model(shards=3)
    (path / "variables" / "variables.data-00001-of-00002").write_bytes(b"old")
    assert load(path).digest


def test_a_missing_asset(make_model):
    path = make_model(assets=["vocabulary.txt", "labels.txt"])
    assert load(path).digest
    (path / "assets" / "labels.txt").unlink()
    text = refusal(InvalidModelError, path)
    assert "expected: 'assets/labels.txt'" in text


def test_a_model_that_may_not_be_read(make_model, monkeypatch):
    path = make_model()

    def denied(*args, **options):
        raise PermissionError(13, "Permission denied", "saved_model.pb")

    monkeypatch.setattr(graph_file.Path, "open", denied)
    text = refusal(ModelNotFoundError, path)
    assert f"The model at {path} cannot be read." in text
    assert "Permission denied" in text


# --- tag sets and signatures ----------------------------------------------------------------------


def test_the_tag_set_chooses_the_graph(make_model, meta_graph):
    train = meta_graph(tags=["train"], signatures=["learn"])
    both = meta_graph(tags=["serve", "gpu"], signatures=["on_gpu"])
    path = make_model(train, both, meta_graph())
    assert load(path).signature.name == "serving_default"
    assert load(path, signature="on_gpu", tags=["gpu", "serve"]).tags == ("gpu", "serve")
    assert load(path, signature="learn", tags="train").tags == ("train",)
    text = refusal(SignatureNotFoundError, path, tags=("gpu",))
    assert "no graph with the tag set 'gpu'" in text
    assert "found:    'train'; 'serve', 'gpu'; 'serve'" in text


def test_a_signature_is_chosen_by_name(make_model, meta_graph):
    path = make_model(meta_graph(signatures=["score", "embed", "__saved_model_init_op"]))
    text = refusal(SignatureNotFoundError, path, signature="scores")
    assert "has no signature 'scores'" in text
    assert "found:    'embed', 'score'" in text
    assert "Did you mean 'score'?" in text
    found = load(path, signature="embed")
    assert found.select("score").signature.name == "score"
    assert found.select("score").digest == found.digest
    with pytest.raises(SignatureNotFoundError):
        found.select("serving_default")


def test_a_model_without_signatures_says_how_to_export(make_model, meta_graph):
    text = refusal(SignatureNotFoundError, make_model(meta_graph(signatures=[])))
    assert "found:    none" in text
    assert "Hint: load it with tf.saved_model.load" in text


def test_a_composite_input_is_described_and_harms_no_other_signature(
    make_model, meta_graph, tensor_info
):
    graph = meta_graph(signatures=["dense", "sparse"])
    graph.signature_def["sparse"].inputs["inputs"].CopyFrom(tensor_info(""))
    found = load(make_model(graph), signature="dense")
    assert "inputs: composite (None, 2), in Spark no column" in found.describe()
    assert found.signature.inputs[0].dtype == "float32"
    assert found.select("sparse").signature.inputs[0].dtype == "composite"


def test_a_package_says_what_it_is(make_model):
    found = load(make_model(where="plane/4"))
    assert found.signature.inputs == (TensorSpec("inputs", "float32", (None, 2), "x:0"),)
    assert found.tensorflow_version == "2.21.0"
    assert found.size == size_of(make_model(where="other/4"))
    lines = found.describe().splitlines()
    assert lines[0] == f"plane version 4, {found.size} bytes, digest {found.digest[:12]}"
    assert lines[2] == "signature 'serving_default'"
    assert pickle.loads(pickle.dumps(found)) == found
    assert "version none" in load(make_model(where="bare")).describe()


def test_a_package_takes_shapes_of_its_outputs(make_model, meta_graph, tensor_info):
    graph = meta_graph(signatures=["score", "serving_default"])
    for name in graph.signature_def:
        graph.signature_def[name].outputs["outputs"].CopyFrom(tensor_info("y:0", shape=None))
    before = load(make_model(graph))
    after = before.with_output_shapes({"outputs": (3,)})
    assert after.signature.outputs[0].shape == (None, 3)
    assert "outputs: float32 (None, 3), in Spark array<float>" in after.describe()
    for other in (before, after):
        assert other.select("score").signature.outputs[0].shape is None
    assert (after.digest, after.path) == (before.digest, before.path)


def test_a_real_model_is_read_without_tensorflow(linear_model):
    found = load(linear_model)
    assert found.signature.inputs == (
        TensorSpec("inputs", "float32", (None, 2), "serving_default_inputs:0"),
    )
    (output,) = found.signature.outputs
    assert (output.name, output.shape) == ("outputs", (None, 1))
    assert found.tensorflow_version.startswith("2.")


def test_a_real_model_needs_its_checkpoint(linear_model, tmp_path):
    path = shutil.copytree(linear_model, tmp_path / "1")
    shutil.rmtree(path / "variables")
    assert "variables/variables.index" in refusal(InvalidModelError, path)


def test_a_package_is_frozen(make_model):
    with pytest.raises(dataclasses.FrozenInstanceError):
        load(make_model()).path = "elsewhere"


# --- a model that was read before -----------------------------------------------------------------


@pytest.fixture
def settled(monkeypatch):
    """Treat files that were just written as older than a tick of the file system's clock."""
    monkeypatch.setattr(file_state, "TICK_SECONDS", -60.0)


@pytest.mark.usefixtures("settled")
def test_a_model_is_read_again_only_when_a_file_has_changed(make_model):
    path = make_model()
    first = load(path)
    assert load(path) is first
    assert load(path, sha256=first.digest).digest == first.digest
    assert "digest" in refusal(InvalidModelError, path, sha256="0" * 64)

    asset = path / "assets" / "words.txt"
    asset.write_text("one")
    added = load(path)
    times = asset.stat()
    asset.write_text("two")
    while True:  # until the clock of the file system has moved
        os.utime(asset, ns=(times.st_atime_ns, times.st_mtime_ns))
        if asset.stat().st_ctime_ns != times.st_ctime_ns:
            break
    changed = load(path)
    asset.unlink()
    assert len({first.digest, added.digest, changed.digest}) == 3
    assert load(path).digest == first.digest


@pytest.mark.usefixtures("settled")
def test_the_state_of_a_file_is_that_of_an_open_one(make_model, monkeypatch):
    path = make_model()
    first = load(path)
    stat = Path.stat
    old = {file: file.stat() for file in path.rglob("*")}
    (path / "saved_model.pb").write_bytes((path / "saved_model.pb").read_bytes() + b"\x2a\x00")
    # NFS may answer so for a minute.
    monkeypatch.setattr(Path, "stat", lambda self, **how: old.get(self) or stat(self, **how))
    assert load(path).digest != first.digest


def test_a_model_that_was_just_written_is_always_read(make_model, monkeypatch):
    monkeypatch.setattr(file_state, "TICK_SECONDS", 60.0)
    path = make_model()
    assert load(path) is not load(path)
