"""Messages when users give something else instead of a SavedModel."""

from __future__ import annotations

import zipfile

import pytest

from tfspark.errors import ModelNotFoundError, UsageError
from tfspark.package import load


def refusal(kind, model):
    with pytest.raises(kind) as caught:
        load(model)
    return str(caught.value)


def live(module, name="Model"):
    """Make an object whose class has the name and module of another package's class."""
    base = type(name, (), {"__module__": module})
    return type("Mine", (base,), {"__module__": "mine"})()


# --- objects and addresses ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "what", "hint"),
    [
        (live("keras.src.models.model"), "a live Keras model", "model.export("),
        (live("tf_keras.src.engine.training"), "a live Keras model", "model.export("),
        (live("tensorflow.python.keras.engine"), "a live Keras model", "model.export("),
        (live("tensorflow.python.module.module"), "a live TensorFlow", "tf.saved_model.save("),
        (live("torch.nn.modules.module"), "a live PyTorch object", "onnx2tf"),
        (live("sklearn.base"), "an object of type mine.Mine", "export the model to a folder"),
        (b"/models/price", "an object of type builtins.bytes", "give the path"),
    ],
)
def test_a_live_object(model, what, hint):
    text = refusal(UsageError, model)
    assert text.startswith("A model is given by its path.\n  expected: the path of a SavedModel")
    assert what in text
    assert hint in text


def test_a_real_module_and_a_loaded_model(linear_model):
    import tensorflow as tf

    for model in (tf.Module(), tf.saved_model.load(linear_model)):
        assert "a live TensorFlow object" in refusal(UsageError, model)


@pytest.mark.parametrize("model", [None, ""])
def test_nothing(model):
    text = refusal(UsageError, model)
    assert text.splitlines()[0] == "No model was given."
    assert f"found:    {model!r}" in text


@pytest.mark.parametrize(
    ("model", "what", "hint"),
    [
        ("https://example.com/m.tar.gz", "a web address", "download the model to a folder"),
        ("HTTP://example.com/m", "a web address", "download"),
        ("models:/price/3", "a model in MLflow's registry", "'models:/price/3'"),
        ("models:/price@champion", "a model in MLflow's registry", "download_artifacts("),
        ("runs:/0a1b/model", "an artifact of an MLflow run", "data/model"),
        ("mlflow-artifacts:/1/2/model", "an artifact of MLflow", "download_artifacts("),
        ("hf://org/model", "a repository of Hugging Face", "download"),
    ],
)
def test_an_address_that_is_no_file(model, what, hint):
    text = refusal(ModelNotFoundError, model)
    assert text.startswith(f"{model} is {what}, not the path of a SavedModel.")
    assert hint in text


# --- files and folders ----------------------------------------------------------------------------


def zipped(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return path


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        (
            "m.keras",
            "a model in Keras's own format",
            "keras.models.load_model('{path}'), and write a",
        ),
        ("m.h5", "a Keras model in HDF5", "keras.models.load_model('{path}'), and write a"),
        ("m.HDF5", "a Keras model in HDF5", "/m_saved_model/1"),
        ("m.tflite", "a TensorFlow Lite model", "the SavedModel that it was converted from"),
        ("m.onnx", "an ONNX model", "onnx2tf -i {path}"),
        ("m.pt", "a PyTorch model", "convert it"),
        ("frozen.pb", "a graph without signatures", "simple_save"),
        ("m.index", "a checkpoint, which contains only variables", "export the model"),
        ("m.safetensors", "weights without a graph", "export it there"),
        ("m.pkl", "a pickled object", "export it from there"),
        ("m.tar.gz", "an archive", "unpack it"),
        ("saved_model.pb", "the graph of a SavedModel", "give the export dir, {folder}."),
        ("saved_model.pbtxt", "the graph of a SavedModel", "give the export dir, {folder}."),
    ],
)
def test_a_file_of_another_format(tmp_path, name, what, hint):
    path = tmp_path / name
    path.touch()
    text = refusal(ModelNotFoundError, path)
    assert f"There is no model folder at {path}." in text
    assert f"found:    a file, {what}\n" in text
    assert hint.format(path=path, folder=tmp_path) in text


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x89HDF\r\n\x1a\nrest", "a Keras model in HDF5"),
        (b"\x1c\x00\x00\x00TFL3", "a TensorFlow Lite model"),
        (("config.json", "model.weights.h5"), "a model in Keras's own format"),
        (("model/data.pkl",), "a PyTorch model"),
        (("a.txt",), "an archive"),
        (b"", ""),
        (b"some text", ""),
    ],
)
def test_a_file_is_known_by_its_content(tmp_path, content, what):
    path = tmp_path / "model"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        zipped(path, *content)
    found = f"a file, {what}" if what else "a file"
    assert f"found:    {found}\n" in refusal(ModelNotFoundError, path)


@pytest.mark.parametrize(
    ("names", "what", "hint"),
    [
        (
            ["model.keras"],
            "a folder with a model in Keras's own format",
            "load_model('{path}/model",
        ),
        (["MLmodel", "data/model.keras"], "a model of MLflow without a", "mlflow.tensorflow.load"),
        (["saved_model.cpb", "variables/variables.index"], "a SavedModel in parts", "save it"),
        (["model.json", "group1-shard1of1.bin"], "a TensorFlow.js model", "converted from"),
        (["config.json", "model.safetensors"], "a model of Hugging Face", "saved_model=True"),
        (["checkpoint", "ckpt-1.index", "ckpt-1.data-00000-of-00001"], "a checkpoint", "restore"),
    ],
)
def test_a_folder_of_another_format(tmp_path, names, what, hint):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    text = refusal(ModelNotFoundError, tmp_path)
    assert f"found:    {what}" in text
    assert hint.format(path=tmp_path) in text


def test_a_model_of_mlflow_has_a_flavor(tmp_path):
    flavors = (
        "flavors:\n  python_function:\n    env: {}\n  sklearn:\n    code: null\nrun_id: 12ab\n"
    )
    (tmp_path / "MLmodel").write_text(flavors)
    text = refusal(ModelNotFoundError, tmp_path)
    assert "found:    a model of MLflow with the flavor 'sklearn'" in text
    assert "mlflow.tensorflow" not in text


@pytest.mark.parametrize(
    ("where", "what", "named"),
    [
        ("data/model", "a model of MLflow with a SavedModel", "data/model"),
        ("export/Servo/1234", "a folder with a SavedModel", "export/Servo"),
    ],
)
def test_a_saved_model_further_down_is_named(make_model, tmp_path, where, what, named):
    make_model(where=f"given/{where}")
    if "MLflow" in what:
        (tmp_path / "given" / "MLmodel").touch()
    text = refusal(ModelNotFoundError, tmp_path / "given")
    assert f"found:    {what} further down" in text
    assert text.endswith(f"Hint: give {tmp_path / 'given' / named}.")
    load(tmp_path / "given" / named)


def test_the_search_further_down_has_an_end(make_model, tmp_path):
    make_model(where="given/a/b/c/d/e/f/g")
    (tmp_path / "given" / "round").symlink_to(tmp_path / "given", target_is_directory=True)
    assert "further down" not in refusal(ModelNotFoundError, tmp_path / "given")


# --- nothing there --------------------------------------------------------------------------------


def test_a_path_that_is_almost_right(make_model, tmp_path):
    make_model(where="models/price/1")
    for given in ("models1/price/1", "models1"):
        text = refusal(ModelNotFoundError, tmp_path / given)
        near = f"nothing; no 'models1' in {tmp_path}. Did you mean 'models'?"
        assert f"found:    {near}\n" in text
    text = refusal(ModelNotFoundError, tmp_path / "models" / "Prize" / "1")
    assert f"no 'Prize' in {tmp_path / 'models'}. Did you mean 'price'?" in text


def test_a_relative_path_is_shown_with_the_working_directory(make_model, tmp_path, monkeypatch):
    make_model(where="models/price/1")
    monkeypatch.chdir(tmp_path)
    text = refusal(ModelNotFoundError, "price")
    assert f"There is no model folder at {tmp_path / 'price'}." in text
    assert f"found:    nothing; the working directory is {tmp_path}\n" in text
    assert f"Did you mean 'models'?; the working directory is {tmp_path}" in refusal(
        ModelNotFoundError, "model/price"
    )


def test_the_home_folder_is_written_out():
    assert "Hint: write the whole path instead of ~." in refusal(ModelNotFoundError, "~/model")


@pytest.mark.parametrize("path", ["x" * 300, "a\0b", '{"model": "' + "x" * 5000 + '"}'])
def test_a_path_that_no_file_system_takes(path):
    refusal(ModelNotFoundError, path)


def test_a_path_below_a_file(make_model):
    path = make_model() / "saved_model.pb" / "1"
    assert f"found:    nothing; {path.parent} is a file\n" in refusal(ModelNotFoundError, path)
