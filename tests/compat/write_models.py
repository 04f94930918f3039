"""Write the models that `smoke.py` scores: `write_models.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import tensorflow as tf

from tfspark.testing import save_function, save_linear


def main(folder: Path) -> None:
    """Write `linear`, and `many` with an input and an output of each kind; sums are exact."""
    save_linear(folder / "linear" / "1")
    save_function(
        folder / "many" / "1",
        lambda n, s, v, x: {
            "integer": n + 1,
            "number": x * 2 + 1,
            "text": tf.strings.join([s, "!"]),
            "vector": tf.reverse(v, [1]),
        },
        tf.TensorSpec((None,), tf.int64, "n"),
        tf.TensorSpec((None,), tf.string, "s"),
        tf.TensorSpec((None, 3), tf.float32, "v"),
        tf.TensorSpec((None,), tf.float32, "x"),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
