"""Checkpoints of a custom training loop, to continue after an interruption.

Input: a folder, a model and its optimizer. Output: the three newest checkpoints below
`<log_dir>/checkpoints`, each with the weights, the optimizer's state and the number of epochs done.

Invariant: a restore is complete, or the folder is refused; without a folder nothing is written or
restored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from models.refusal import DataError
from tfspark.errors import explain

__all__ = ["Checkpoints"]

KEPT = 3


class Checkpoints:
    """The checkpoints of one model and its optimizer, both with all their variables."""

    def __init__(
        self, log_dir: Path | None, *, model: keras.Model, optimizer: keras.optimizers.Optimizer
    ) -> None:
        self._epochs = tf.Variable(0, dtype=tf.int64)
        # Variables by position, because Keras tracks its layers under its own names.
        self._state = tf.train.Checkpoint(
            epochs=self._epochs,
            weights=[variable.value for variable in model.variables],
            optimizer=[variable.value for variable in optimizer.variables],
        )
        self._manager: Any = None
        if log_dir:
            folder = str(log_dir / "checkpoints")
            self._manager = tf.train.CheckpointManager(self._state, folder, max_to_keep=KEPT)

    def restore(self) -> int:
        """Restore the newest checkpoint, if there is any, and return the number of epochs done.

        Raises:
            DataError: when the checkpoint belongs to another model or optimizer, or cannot be read.
        """
        newest = self._manager.latest_checkpoint if self._manager else None
        if newest:
            try:
                self._state.restore(newest).assert_consumed()
            except (AssertionError, ValueError, tf.errors.OpError) as exc:
                found = f"{type(exc).__name__}: {str(exc).splitlines()[0]}"
                raise DataError(
                    explain(
                        f"{newest} cannot be restored",
                        expected="a checkpoint of the same network and optimizer",
                        found=found,
                        hint="choose another folder, or remove the checkpoints",
                    )
                ) from exc
        return int(self._epochs)

    def save(self, epochs: int) -> None:
        """Write a checkpoint with the number of epochs, and remove all but the three newest."""
        self._epochs.assign(epochs)
        if self._manager:
            self._manager.save(checkpoint_number=epochs)
