import os
import shutil

import pytest

from tfspark.package import load
from tfspark.saved_model.files import digest_of


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
    """From the end of one file to the beginning of the next."""
    first, second = path / "assets" / "a", path / "assets" / "c"
    second.write_bytes(first.read_bytes()[-1:] + second.read_bytes())
    first.write_bytes(first.read_bytes()[:-1])


def swallow(path):
    """One file that holds what follows its own content when both are written one after another."""
    first, second = path / "assets" / "a", path / "assets" / "c"
    first.write_bytes(first.read_bytes() + b"assets/c\0" + second.read_bytes())
    second.unlink()


@pytest.mark.parametrize("change", [change_a_byte, rename, add, move_a_byte, swallow])
def test_any_change_changes_the_digest(make_model, change):
    path = make_model(assets=["a", "c"])
    before = digest_of(path)
    change(path)
    assert digest_of(path) != before
