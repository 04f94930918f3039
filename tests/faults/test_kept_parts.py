"""A part of an earlier run is kept when it has the rows that are planned for its split."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from tfspark.data_files.listing import DataFile
from tfspark.data_files.splits import Piece
from tfspark.scoring.kept_parts import kept_parts
from tfspark.scoring.parts import part_prefix

TASK: Any = SimpleNamespace(chain=SimpleNamespace(watched="y"))


@pytest.mark.parametrize(("planned", "is_kept"), [(3, True), (None, True), (4, False)])
def test_a_part_with_other_rows_is_scored_again(
    planned: int | None, is_kept: bool, tmp_path: Path
) -> None:
    split = (Piece(DataFile("a", 1, 1), 1, (0,), planned),)
    file = tmp_path / f"{part_prefix(0, split)}1.snappy.parquet"
    pq.write_table(pa.table({"y": [1.0, None, 2.0]}), file)
    kept = kept_parts(fs.LocalFileSystem(), str(tmp_path), [split], TASK)
    assert [(part.name, part.rows_out, part.null_rows) for part in kept] == (
        [(file.name, 3, 1)] if is_kept else []
    )
