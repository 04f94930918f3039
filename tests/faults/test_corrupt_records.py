"""TFRecord files with a flipped bit, or cut at any byte, end in an error with file and offset."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.core.test_tfrecord import check_corruption

pytestmark = pytest.mark.faults

SEEDS = range(200 if os.environ.get("ROUNDS") else 20)


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_corrupt_files(tmp_path: Path, compression: str | None) -> None:
    for seed in SEEDS:
        check_corruption(tmp_path, seed, compression)
