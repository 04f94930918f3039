"""Decodes pictures in the graph, for training and serving: bytes of a file → pixels of one size.

Input: the bytes of JPEG, PNG, GIF, BMP or WebP files. Output: uint8 RGB pixels. TensorFlow's
decoder converts grey and CMYK to RGB, drops transparency, keeps the upper 8 of 16 bits per channel
and the first frame of an animated GIF, and ignores the orientation in EXIF data.

Invariant: incomplete or invalid pictures raise an error inside the graph; they never become pixels.
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
            antialiasing and without keeping its proportions; a picture of this size is not changed.

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
