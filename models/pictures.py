"""Pictures in the graph: from the bytes of a file to pixels of one size, in training and serving.

In: the bytes of JPEG, PNG, GIF, BMP or WebP files. Out: uint8 RGB pixels. TensorFlow's decoder
settles the rest: grey becomes RGB, CMYK is converted, transparency is dropped, of 16 bits a channel
the upper 8 stay, of an animated GIF the first frame; the orientation in EXIF data is not looked at.

Invariant: bytes that are no whole picture raise inside the graph; they never become pixels.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["decode", "decode_batch", "encode_jpeg"]


def decode(content: Any, size: int) -> Any:
    """Decode one picture.

    Args:
        content: a scalar string tensor, the bytes of the file.
        size: height and width to return. A picture of another size is resized to it, with
            antialiasing and without regard to its proportions; one of this size is not touched.

    Returns:
        (size, size, 3) uint8.
    """
    pixels = tf.io.decode_image(content, channels=3, expand_animations=False)
    resized = tf.image.resize(pixels, (size, size), antialias=True)
    return tf.saturate_cast(tf.round(resized), tf.uint8)


def decode_batch(contents: Any, size: int) -> Any:
    """Decode pictures of any sizes, (None,) string, to (None, size, size, 3) uint8."""
    pixels = tf.TensorSpec((size, size, 3), tf.uint8)
    return tf.map_fn(lambda content: decode(content, size), contents, fn_output_signature=pixels)


def encode_jpeg(pixels: Any) -> bytes:
    """Return (height, width, 3) uint8 pixels as the bytes of a JPEG file."""
    encoded: bytes = tf.io.encode_jpeg(pixels, quality=95).numpy()
    return encoded
