"""A task cannot write its file: the error has the reason, and no part exists."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tfspark.scoring import part_file
from tfspark.scoring.part_file import PartFile

ROWS = pa.RecordBatch.from_pydict({"x": np.random.default_rng(1).random(100_000)})


@pytest.fixture
def small_files() -> Iterator[None]:
    """Limit files to 64 KiB, like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("group_bytes", [1, 64 << 20], ids=["while adding", "at the end"])
def test_the_reason_of_a_write_that_failed_is_raised(
    group_bytes: int, small_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_file, "GROUP_BYTES", group_bytes)
    part = PartFile(tmp_path.as_uri(), "part-", "x")
    with pytest.raises(OSError, match="File too large"), part:
        part.add(ROWS)
    assert not list(tmp_path.glob("part-*"))
