import os
import shutil

import pytest

from tfspark.errors import InvalidModelError
from tfspark.package import load
from tfspark.saved_model import files as model_files
from tfspark.saved_model.files import digest_of, files, size_of


def test_copies_have_the_same_digest_wherever_they_lie(make_model, tmp_path):
    path = make_model()
    copy = shutil.copytree(path, tmp_path / "elsewhere" / "9")
    os.utime(copy / "saved_model.pb", (0, 0))
    assert digest_of(path) == digest_of(copy) == load(copy).digest


def change_a_byte(path):
    file = path / "variables" / "variables.data-00000-of-00001"
    file.write_bytes(b"\x01" + file.read_bytes()[1:])


def rename(path):
    (path / "assets" / "a").rename(path / "assets" / "b")


def add(path):
    (path / "assets" / "empty").touch()


def move_a_byte(path):
    """Move a byte from the end of one file to the beginning of the next."""
    first, second = path / "assets" / "a", path / "assets" / "c"
    second.write_bytes(first.read_bytes()[-1:] + second.read_bytes())
    first.write_bytes(first.read_bytes()[:-1])


def swallow(path):
    """Append the name and content of a file to the one before it, as when both are written."""
    first, second = path / "assets" / "a", path / "assets" / "c"
    first.write_bytes(first.read_bytes() + b"assets/c\0" + second.read_bytes())
    second.unlink()


@pytest.mark.parametrize("change", [change_a_byte, rename, add, move_a_byte, swallow])
def test_any_change_changes_the_digest(make_model, change):
    path = make_model(assets=["a", "c"])
    before = digest_of(path)
    change(path)
    assert digest_of(path) != before


@pytest.mark.parametrize(
    ("name", "to"), [("a", "."), ("variables/up", ".."), ("assets/round", "../variables")]
)
def test_a_folder_that_contains_itself_is_an_error(make_model, name, to):
    path = make_model()
    (path / "variables" / "back").symlink_to(path / "assets", target_is_directory=True)
    (path / name).symlink_to(to, target_is_directory=True)
    with pytest.raises(InvalidModelError, match="contains itself through a link") as caught:
        load(path)
    assert "Hint: remove links" in str(caught.value)


def test_a_folder_that_is_linked_twice_is_there_twice(make_model, tmp_path):
    path = make_model()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "a").write_text("a")
    for name in ("one", "two"):
        (path / "assets" / name).symlink_to(tmp_path / "store", target_is_directory=True)
    names = [name for name, _ in files(path)]
    assert [name for name in names if name.startswith("assets")] == ["assets/one/a", "assets/two/a"]


def test_a_link_to_nothing_is_no_file(make_model):
    path = make_model()
    before = digest_of(path)
    (path / "assets" / "gone").symlink_to("nowhere")
    assert digest_of(path) == before


def test_a_link_that_leads_out_of_the_model_has_an_end(make_model, monkeypatch):
    monkeypatch.setattr(model_files, "MOST_ENTRIES", 10)
    path = make_model()
    for number in range(10):
        (path / "assets" / str(number)).touch()
    with pytest.raises(InvalidModelError, match="more than 10 entries, including those behind"):
        load(path)


def test_there_is_no_size_without_a_folder(tmp_path):
    assert size_of(tmp_path / "nothing") == 0
