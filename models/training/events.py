"""Writes curves for TensorBoard while a Keras model trains.

Input: the folder to write to. Output: a callback that writes `<log_dir>/train` and, for `val_`
curves, `<log_dir>/validation`, with the tags of Keras's own callback (`epoch_loss`, …).

Keras's own callback needs the package of TensorBoard. This one writes TensorFlow's events without
it, and `tensorboard --logdir` reads them on any machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

__all__ = ["Events"]

# The metadata of `tf.summary.scalar`: the name of TensorBoard's plugin, and its class "scalar".
SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class=1
)
HELD_OUT = "val_"


class Events(keras.callbacks.Callback):
    """Write every curve's value at the end of each epoch."""

    def __init__(self, log_dir: Path) -> None:
        super().__init__()
        self._log_dir = log_dir
        self._writers: dict[str, Any] = {}

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write one event per curve, and flush it."""
        for name, value in (logs or {}).items():
            writer = self._writer("validation" if name.startswith(HELD_OUT) else "train")
            tag = f"epoch_{name.removeprefix(HELD_OUT)}"
            with writer.as_default():
                tf.summary.write(tag, tf.constant(value, tf.float32), epoch, SCALAR)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, _logs: Mapping[str, float] | None = None) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            self._writers[part] = tf.summary.create_file_writer(str(self._log_dir / part))
        return self._writers[part]
