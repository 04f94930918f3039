"""The models, the rows and the expected scores of `cluster_soak`.

Version `v` of the model computes 2·x0 − x1 + v, which is exact for small integers.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ARRIVING = 500  # rows of a file that arrives for the stream

# TensorFlow's Python writes the models in another process, so that this one does not import it.
_WRITE = """
import sys
import tensorflow as tf
from tfspark.testing import save_function

for version in range(1, int(sys.argv[2]) + 1):
    home = "model" if version == 1 else "prepared"
    save_function(
        f"{sys.argv[1]}/{home}/{version}",
        lambda features, v=version: {"y": 2 * features[:, 0] - features[:, 1] + v},
        tf.TensorSpec((None, 2), tf.float32, name="features"),
    )
"""


def write_models(place: Path, versions: int) -> None:
    """Write version 1 below `model`, and the later ones below `prepared`."""
    words = [sys.executable, "-c", _WRITE, str(place), str(versions)]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"no models were written:\n{done.stderr}")


def points(folder: Path, rows: int, files: int) -> None:
    """Write rows with the ids 0, 1, … as Parquet files."""
    folder.mkdir(parents=True)
    for number, ids in enumerate(np.array_split(np.arange(rows), files)):
        pq.write_table(_table(ids), folder / f"part-{number}.parquet")


def publish_rows(place: Path, number: int) -> None:
    """Let a file arrive for the stream; a rename makes it visible only when it is complete."""
    ids = np.arange(number * ARRIVING, (number + 1) * ARRIVING)
    pq.write_table(_table(ids), place / "next.parquet")
    (place / "next.parquet").rename(place / "arriving" / f"{number:06d}.parquet")


def check_stream(place: Path, files: int) -> dict[str, int]:
    """Compare all rows of the stream with the formula of their version."""
    scored = pq.read_table([*map(str, (place / "scores").glob("*.parquet"))])
    versions = np.asarray(scored["version"])
    check_rows(scored, files * ARRIVING, versions)
    return {"rows of the stream": scored.num_rows, "versions of the stream": len({*versions})}


def check_rows(scored: pa.Table, rows: int, version: object) -> None:
    """Refuse a missing, doubled or wrong row.

    Raises:
        AssertionError: The message has the numbers.
    """
    ids = np.asarray(scored["id"])
    assert sorted(ids) == list(range(rows)), f"{len(ids)} rows with {len({*ids})} ids, not {rows}"
    expected = 2 * (ids % 50) - ids % 7 + np.asarray(version)
    wrong = int(np.count_nonzero(np.asarray(scored["y"]) != expected))
    assert wrong == 0, f"{wrong} of {rows} rows are wrong"


def _table(ids: np.ndarray) -> pa.Table:
    features = np.stack([ids % 50, ids % 7], axis=1).astype(np.float32)
    return pa.table({"id": ids, "features": pa.array([*features], pa.list_(pa.float32()))})
