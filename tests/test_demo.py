"""`make demo` deletes only files of an earlier demo."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import demo


def test_only_files_of_an_earlier_demo_are_deleted(tmp_path: Path) -> None:
    (tmp_path / "models/linear").mkdir(parents=True)
    (tmp_path / "models/linear/file").touch()
    (tmp_path / "digits.parquet").touch()
    demo.clear(tmp_path)
    assert not list(tmp_path.iterdir())
    demo.clear(tmp_path / "missing")


@pytest.mark.parametrize("names", [["letter.txt"], ["models"], ["digits.parquet", "letter.txt"]])
def test_a_folder_with_other_files_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    with pytest.raises(SystemExit, match="has other files"):
        demo.clear(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
