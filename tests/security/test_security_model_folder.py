"""Folders that slow down a reader, or lead it outside the model."""

from __future__ import annotations

import os
import socket

import pytest

from tests.security.hostile_models import write_model
from tfspark.errors import InvalidModelError, ModelNotFoundError
from tfspark.package import load
from tfspark.saved_model import files as model_files
from tfspark.saved_model.files import MOST_LEVELS, digest_of, files

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model" / "1")


def refusal(path, error=InvalidModelError):
    with pytest.raises(error) as caught:
        load(path)
    return str(caught.value)


# --- links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [".", "assets", "variables"])
def test_two_links_to_their_own_folder_end_at_once(model, where):
    for name in "ab":
        (model / where / name).symlink_to(".")
    assert "a folder that contains itself through a link" in refusal(model)


def test_a_tower_of_links_without_any_file_ends(model, tmp_path, monkeypatch):
    """Each level has two links to the level below: 2⁶⁰ paths, no cycle and no file."""
    for level in range(60):
        (tmp_path / f"level{level}").mkdir()
        for name in "ab" if level else "":
            (tmp_path / f"level{level}" / name).symlink_to(tmp_path / f"level{level - 1}")
    (model / "assets" / "top").symlink_to(tmp_path / "level59")
    assert "too many levels of folders" in refusal(model)
    monkeypatch.setattr(model_files, "MOST_ENTRIES", 1000)
    (model / "assets" / "top").unlink()
    (model / "assets" / "top").symlink_to(tmp_path / f"level{MOST_LEVELS - 4}")
    assert "more than 1000 entries" in refusal(model)


def test_links_in_a_circle_are_refused(model):
    (model / "assets" / "a").symlink_to("b")
    (model / "assets" / "b").symlink_to("a")
    assert "a link that leads to itself" in refusal(model)


def test_a_link_inside_is_what_it_leads_to(model, tmp_path):
    """As Kubernetes mounts a ConfigMap: each name is a link through `..data` to a dated folder."""
    mounted = tmp_path / "mounted" / "1"
    (mounted / "..2026_11_25").mkdir(parents=True)
    for entry in model.iterdir():
        entry.rename(mounted / "..2026_11_25" / entry.name)
        (mounted / entry.name).symlink_to(f"..data/{entry.name}")
    (mounted / "..data").symlink_to("..2026_11_25")
    names = [name for name, _ in files(mounted)]
    assert "saved_model.pb" in names
    assert "..data/variables/variables.index" in names
    assert load(mounted.parent).version == 1


def test_a_version_folder_may_be_a_link(model, tmp_path):
    (tmp_path / "model" / "2").symlink_to("1")
    (tmp_path / "model" / "latest").symlink_to("2")
    assert load(tmp_path / "model").version == 2
    assert load(tmp_path / "model" / "latest").digest == load(model).digest


def test_the_digest_pins_what_a_link_outside_led_to(model, tmp_path):
    (tmp_path / "vocabulary").write_text("one")
    (model / "assets" / "vocabulary").symlink_to(tmp_path / "vocabulary")
    before = load(model).digest
    (tmp_path / "vocabulary").write_text("two")
    assert load(model).digest != before
    with pytest.raises(InvalidModelError, match="'assets/vocabulary': a link"):
        digest_of(model, private=True)


# --- no files -------------------------------------------------------------------------------------


def pipe(path):
    os.mkfifo(path)


def bound_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def link_to_a_device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [pipe, bound_socket, link_to_a_device])
def test_what_is_no_regular_file_is_refused(model, make):
    make(model / "assets" / "x")
    assert "'assets/x': a device, a pipe or a socket" in refusal(model)


@pytest.mark.parametrize("make", [pipe, bound_socket, link_to_a_device])
def test_nothing_is_read_from_it(model, make):
    (model / "saved_model.pb").unlink()
    make(model / "saved_model.pb")
    assert "no SavedModel in" in refusal(model, ModelNotFoundError)
    assert "saved_model.pb" in refusal(model.parent)
    make(model.parent / "given")
    assert "found:    a file" in refusal(model.parent / "given", ModelNotFoundError)


def test_a_broken_zip_in_place_of_a_model(tmp_path):
    file = tmp_path / "model"
    end = b"PK\x05\x06" + bytes(6) + b"\xff\xff" + b"\xff\xff\xff\x7f" * 2 + bytes(2)
    file.write_bytes(b"PK\x03\x04" + end)
    assert "an archive" in refusal(file, ModelNotFoundError)


# --- how much -------------------------------------------------------------------------------------


def test_empty_folders_are_counted(model, monkeypatch):
    monkeypatch.setattr(model_files, "MOST_ENTRIES", 500)
    for number in range(500):
        (model / "assets" / str(number)).mkdir()
    assert "more than 500 entries" in refusal(model)


@pytest.mark.parametrize("levels", [MOST_LEVELS + 1, 500])
def test_levels_are_counted(model, levels):
    (model / "/".join(["d"] * levels)).mkdir(parents=True)
    assert "too many levels of folders" in refusal(model)


def test_many_entries_without_a_model_end(tmp_path):
    for number in range(1100):
        (tmp_path / f"folder{number}").mkdir()
    assert "There is no SavedModel in" in refusal(tmp_path, ModelNotFoundError)


@pytest.mark.parametrize("name", ["saved_model.pb", "saved_model.pbtxt"])
def test_a_graph_beyond_what_protobuf_reads_is_not_read(model, name):
    (model / "saved_model.pb").unlink()
    with (model / name).open("wb") as file:
        file.truncate(1 << 40)  # a sparse file
    assert "found:    1099511627776 bytes" in refusal(model)
