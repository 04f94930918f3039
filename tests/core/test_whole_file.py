"""A file is written as a whole, or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tfspark.scoring.whole_file import write_whole


def test_an_error_keeps_the_old_file(tmp_path: Path) -> None:
    place = tmp_path / "report.json"
    write_whole(place, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(place, "new \ud800")  # fails in the middle of the text
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(place.name, "old")]


def test_a_replaced_file_keeps_its_permissions_and_its_links(tmp_path: Path) -> None:
    place, link = tmp_path / "report.json", tmp_path / "link"
    write_whole(place, "old", is_private=True)
    assert place.stat().st_mode & 0o777 == 0o600
    place.chmod(0o640)
    link.symlink_to(place)
    write_whole(link, "new", is_private=True)
    assert link.is_symlink()
    assert (place.read_text(), place.stat().st_mode & 0o777) == ("new", 0o640)


def test_a_pipe_is_written_directly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, "text")
    reader.join()
    assert read == ["text"]
    assert pipe.is_fifo()
