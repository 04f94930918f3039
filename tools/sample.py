"""Writes the sample of `tfspark demo` into the package: a model and 1 000 rows.

The weights are set by hand and the rows come from a seeded generator, so only our licence applies
to the sample. Run `python tools/sample.py` after a change; a test compares the rows with `table()`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).resolve().parents[1] / "tfspark" / "cli" / "sample"
MODEL, ROWS = FOLDER / "model" / "1", FOLDER / "homes.parquet"

COUNT = 1000
SEED = 20
# City → price of the plot, in thousands.
CITIES = {"Bergen": 90.0, "Oslo": 160.0, "Tromsø": 60.0, "Trondheim": 110.0}
PER_SQUARE_METRE, PER_ROOM = 3.5, 12.0
BANDS = ("low", "middle", "high")
LIMITS = (350.0, 550.0)


def table() -> pa.Table:
    """Return the rows; every hundredth home has no area."""
    random = np.random.default_rng(SEED)
    rooms = random.integers(1, 7, COUNT)
    area = np.round(rooms * 22 + random.normal(15, 8, COUNT), 1)
    is_unknown = np.arange(COUNT) % 100 == 99
    return pa.table(
        {
            "id": pa.array(range(1, COUNT + 1), pa.int32()),
            "city": pa.array(random.choice(list(CITIES), COUNT).tolist(), pa.string()),
            "rooms": pa.array(rooms, pa.int32()),
            "area": pa.array(area, pa.float64(), mask=is_unknown),
        }
    )


def write_model(folder: Path) -> None:
    """Write a model of three inputs (city, rooms, area) and two outputs (price, band)."""
    import tensorflow as tf

    class Homes(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.cities = tf.constant([*CITIES])
            self.plots = tf.Variable([*CITIES.values()], name="plots")
            self.weights = tf.Variable([PER_SQUARE_METRE, PER_ROOM], name="weights")

        @tf.function(  # type: ignore[untyped-decorator]
            input_signature=[
                tf.TensorSpec((None,), tf.float32, "area"),
                tf.TensorSpec((None,), tf.string, "city"),
                tf.TensorSpec((None,), tf.int32, "rooms"),
            ]
        )
        def price(self, area: tf.Tensor, city: tf.Tensor, rooms: tf.Tensor) -> dict[str, tf.Tensor]:
            is_city = tf.cast(city[:, None] == self.cities[None, :], tf.float32)
            plot = tf.reduce_sum(is_city * self.plots, axis=1)
            price = plot + self.weights[0] * area + self.weights[1] * tf.cast(rooms, tf.float32)
            step = tf.reduce_sum(tf.cast(price[:, None] >= tf.constant(LIMITS), tf.int32), axis=1)
            return {"price": price, "band": tf.gather(tf.constant(BANDS), step)}

    homes = Homes()
    shutil.rmtree(folder, ignore_errors=True)
    tf.saved_model.save(homes, str(folder), signatures=homes.price)
    (folder / "fingerprint.pb").unlink()  # this file changes with every export


if __name__ == "__main__":
    write_model(MODEL)
    pq.write_table(table(), ROWS)
