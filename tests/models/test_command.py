import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

import models
from models import MODELS, reference
from models.__main__ import main


@pytest.fixture
def as_is(monkeypatch):
    """Leave the log levels of this process alone."""
    monkeypatch.setattr("models.__main__._silence_tensorflow", lambda: None)


def test_command_prints_metrics_then_the_export_dir(tmp_path, capsys, as_is):
    assert main(["linear", "--out", str(tmp_path), "--epochs", "1", "--fold"]) == 0
    lines = capsys.readouterr().out.splitlines()
    named = [line.split()[0] for line in lines[:-1]]
    assert named == ["device", "mae", "w0", "w1", "b", "report"]
    assert lines[-1] == str(tmp_path / "linear_model" / "1")
    variables = tf.train.list_variables(f"{lines[-1]}/variables/variables")
    assert [name for name, _ in variables] == ["_CHECKPOINTABLE_OBJECT_GRAPH"]  # it is folded
    report = tmp_path / "linear_model" / "training" / "1"
    assert sorted(file.name for file in report.iterdir()) == [
        "README.md",
        "curves.png",
        "metrics.json",
    ]


def test_a_training_is_logged_only_with_mlflow(tmp_path, capsys, as_is, monkeypatch):
    monkeypatch.setattr("models.training.tracking.find_spec", lambda name: None)
    assert main(["linear", "--out", str(tmp_path), "--log-to-mlflow"]) == 2
    ended = capsys.readouterr()
    assert "pip install mlflow-skinny" in ended.err
    assert not ended.out  # nothing was trained


@pytest.mark.parametrize("option", ["--list", "--help"])
def test_listing_needs_no_tensorflow(option):
    code = (
        "import sys; from models.__main__ import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'tensorflow', 'keras', 'sklearn'} & sys.modules.keys()"
    )
    root = Path(models.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code, option], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in MODELS)


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        ([], 2, "No model is named."),
        (["linea", "--out", "base"], 2, "Did you mean 'linear'?"),
        (["linear"], 2, "--out BASE"),
        (["linear", "--out", "base", "--make-data", "folder"], 2, "either --out BASE or"),
        (["linear", "--out", "base", "--data", "folder"], 2, "takes no data files"),
        (["linear", "--make-data", "folder"], 2, "takes no data files"),
        (["titanic", "--make-data", "folder", "--log-to-mlflow"], 2, "trains no model"),
        (["titanic", "--make-data", "folder", "--fold"], 2, "found:    --fold"),
        (["linear", "--out", __file__], 73, "cannot write the export"),
    ],
)
def test_wrong_commands_end_with_words_and_a_code(argv, code, words, capsys, as_is):
    assert main(argv) == code
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("epochs", ["0", "-1", "many"])
def test_epochs_are_counted_from_one(epochs, capsys):
    with pytest.raises(SystemExit) as end:
        main(["linear", "--out", "base", "--epochs", epochs])
    assert end.value.code == 2
    assert "whole number from 1" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_has_the_same_functions(name):
    module = reference(name)
    for function in ("dataset", "build", "train", "evaluate", "export"):
        assert callable(getattr(module, function))
    assert "fold" in inspect.signature(module.export).parameters
    assert ("log_dir" in inspect.signature(module.train).parameters) == MODELS[name].logs
    assert hasattr(module, "write_data") == bool(MODELS[name].layout)
    assert ("folder" in inspect.signature(module.dataset).parameters) == bool(MODELS[name].layout)


def test_unknown_model_is_a_key_error():
    with pytest.raises(KeyError):
        reference("export")


def test_data_that_cannot_be_read_are_not_taken_for_the_export(
    tmp_path, capsys, as_is, monkeypatch
):
    def refuse(*_, **__):
        raise PermissionError("Permission denied")

    (tmp_path / "train.csv").touch()
    monkeypatch.setattr("models.reading.tables.pd.read_csv", refuse)
    assert main(["titanic", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 65
    assert "train.csv cannot be read as a table" in capsys.readouterr().err
