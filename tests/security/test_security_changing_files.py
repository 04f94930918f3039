"""Somebody changes a model while the driver reads it: the checked bytes are the hashed bytes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from google.protobuf import text_format

from tests.security.hostile_models import write_model
from tfspark.errors import InvalidModelError
from tfspark.package import lint, load
from tfspark.saved_model import files as model_files
from tfspark.saved_model.files import digest_of, digest_of_files, files
from tfspark.saved_model_pb2 import SavedModel


def add_forbidden_operation(folder: Path) -> Path:
    file = folder / "saved_model.pb"
    model = SavedModel.FromString(file.read_bytes())
    model.meta_graphs[0].graph_def.node.add(name="write", op="WriteFile")
    file.write_bytes(model.SerializeToString())
    return folder


@pytest.fixture
def harmless(tmp_path: Path) -> Path:
    return write_model(tmp_path / "harmless" / "1")


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    return add_forbidden_operation(write_model(tmp_path / "evil" / "1"))


@pytest.fixture
def changing(
    harmless: Path, evil: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, list[str]]:
    """A model whose graph is replaced by the other one after each time that it is opened."""
    folder = write_model(tmp_path / "changing" / "1")
    graph = folder / "saved_model.pb"
    opened: list[str] = []
    really_open = Path.open

    def open_and_replace(self: Path, *args, **kwargs):
        found = really_open(self, *args, **kwargs)
        if self == graph:
            opened.append(self.name)
            (tmp_path / "next").write_bytes(
                (evil, harmless)[len(opened) % 2].joinpath("saved_model.pb").read_bytes()
            )
            (tmp_path / "next").replace(graph)
        return found

    graph.write_bytes((harmless / "saved_model.pb").read_bytes())
    monkeypatch.setattr(Path, "open", open_and_replace)
    return folder, opened


@pytest.mark.parametrize("is_pinned", [False, True])
def test_the_graph_that_is_judged_is_the_one_that_is_hashed(changing, harmless, evil, is_pinned):
    folder, opened = changing
    pin = digest_of(harmless) if is_pinned else None
    findings = {digest_of(model): tuple(lint(model)) for model in (harmless, evil)}
    assert len(set(findings.values())) == 2
    found = load(folder, sha256=pin)
    assert found.findings == findings[found.digest]
    assert opened == ["saved_model.pb"]


def test_a_graph_file_that_appears_in_between_changes_nothing(harmless, evil, monkeypatch):
    """TensorFlow prefers the binary file, so it would run a graph that was not checked."""

    binary, text = harmless / "saved_model.pb", harmless / "saved_model.pbtxt"
    text.write_text(text_format.MessageToString(SavedModel.FromString(binary.read_bytes())))
    binary.unlink()
    before = digest_of(harmless)

    def list_and_add(folder: Path):
        listed = files(folder)
        binary.write_bytes((evil / "saved_model.pb").read_bytes())
        return listed

    monkeypatch.setattr("tfspark.package.files", list_and_add)
    found = load(harmless)
    assert (found.digest, found.findings) == (before, ())
    assert digest_of(harmless) != before


@pytest.mark.parametrize("change", [b"", b"x" * 100], ids=["shorter", "longer"])
def test_a_file_that_changes_while_it_is_hashed_is_refused(harmless, monkeypatch, change):
    """Two folders could have one digest if a file were longer than its hashed length."""
    index = harmless / "variables" / "variables.index"
    really_stat = model_files.os.fstat

    def write_after_stat(descriptor: int) -> os.stat_result:
        found = really_stat(descriptor)
        if os.path.samestat(found, index.stat()):
            index.write_bytes(change)
        return found

    monkeypatch.setattr(model_files.os, "fstat", write_after_stat)
    with pytest.raises(InvalidModelError, match="changed while it was read"):
        digest_of(harmless)


def test_content_that_was_read_is_not_read_again(harmless):
    listed = files(harmless)
    given = {name: path.read_bytes() for name, path in listed}
    before = digest_of(harmless)
    for _, path in listed:
        path.unlink()
    assert digest_of_files(listed, given) == before
