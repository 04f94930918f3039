"""Every element type as input and output, numbers at the limits, and bytes read as numbers."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import tensorflow as tf
from PIL import Image

from tests.thirdparty.case import Case, floats, rows
from tests.thirdparty.writing import Ends, save_graph, save_module, v1

# Each type with the Spark type that has all of its values, and its extremes.
EDGES = {
    "uint8": pa.array([0, 255, None, 7], pa.int16()),
    "uint16": pa.array([0, 65535, None, 7], pa.int32()),
    "uint32": pa.array([0, 2**32 - 1, None, 7], pa.int64()),
    "uint64": pa.array([0, 2**64 - 1, None, 7], pa.decimal128(20, 0)),
    "int8": pa.array([-128, 127, None, 7], pa.int8()),
    "int16": pa.array([-(2**15), 2**15 - 1, None, 7], pa.int16()),
    "int32": pa.array([-(2**31), 2**31 - 1, None, 7], pa.int32()),
    "int64": pa.array([-(2**63), 2**63 - 1, None, 2**53 + 1], pa.int64()),
    "float16": floats(-65504, 6e-8, None, float("nan")),
    "bfloat16": floats(-3.3895314e38, 9.2e-41, None, float("nan")),
    "float32": floats(-3.4028235e38, 1.1754944e-38, None, float("inf")),
    "float64": pa.array([-1.7976931348623157e308, 0.1, None, float("nan")]),
    "bool": pa.array([True, False, None, True]),
    "string": pa.array(["", "größe", None, "\0🙂"]),
}


def every_type(path: Path) -> None:
    """Each output is a copy of an input."""
    specs = (tf.TensorSpec((None,), name, name) for name in EDGES)

    def serve(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        return {f"{name}_out": tf.concat([x], 0) for name, x in zip(EDGES, tensors, strict=True)}

    save_module(path, serve, *specs)


def passed_on(path: Path) -> None:
    """An output that is an input: a session does not fetch a tensor that is fed."""

    def build() -> Ends:
        x, text = v1.placeholder(tf.float32, (None,), "x"), v1.placeholder(tf.string, (None,), "t")
        return {"x": x, "t": text}, {"same": x, "text": text, "twice": x * 2}

    save_graph(path, build)


def tiny_numbers(path: Path) -> None:
    """Products too small for a normal float."""
    save_module(
        path, lambda x: {"y": x * 1e-30, "z": x + 0.0}, tf.TensorSpec((None,), tf.float32, "x")
    )


def raw_pixels(path: Path) -> None:
    """The mean of the pixels of a grey picture of four."""
    save_module(
        path,
        lambda x: {"mean": tf.reduce_mean(tf.cast(x, tf.float32), (1, 2))},
        tf.TensorSpec((None, 2, 2), tf.uint8, "x"),
    )


def colours(path: Path) -> None:
    """The mean of red, green and blue in a picture of any size."""
    save_module(
        path,
        lambda x: {"mean": tf.reduce_mean(tf.cast(x, tf.float32), (1, 2))},
        tf.TensorSpec((None, None, None, 3), tf.uint8, "x"),
    )


def encoded_pictures(path: Path) -> None:
    """Decodes PNG in the graph: the mean of each colour."""

    def mean(one: tf.Tensor) -> tf.Tensor:
        picture = tf.io.decode_image(one, channels=3, expand_animations=False)
        return tf.reduce_mean(tf.cast(picture, tf.float32), (0, 1))

    def build() -> Ends:
        image = v1.placeholder(tf.string, (None,), "image_bytes")
        return {"image": image}, {"colour": tf.map_fn(mean, image, tf.float32)}

    save_graph(path, build)


def raw_floats(path: Path) -> None:
    """Reads three floats of each row's bytes."""
    save_module(
        path,
        lambda data: {"y": tf.reshape(tf.io.decode_raw(data, tf.float32), (-1, 3))},
        tf.TensorSpec((None,), tf.string, "data"),
    )


def png(*pixels: tuple[int, int, int]) -> bytes:
    """Return a picture of one line."""
    file = BytesIO()
    Image.fromarray(np.array([pixels], np.uint8)).save(file, "PNG")
    return file.getvalue()


PICTURES = [png((255, 0, 0), (1, 2, 3)), None, png((0, 0, 254))]
PIXELS = pa.list_(pa.list_(pa.list_(pa.int16())))
HALVES = [1e-10, 1e-38, None, 1e-45, -1e-9, 1e10]

CASES = (
    Case(every_type, rows(**EDGES)),
    Case(
        every_type,
        rows(**EDGES),
        "binary",
        fetch={"string_out": "s"},
        options={"strings": "binary"},
    ),
    Case(passed_on, rows(x=floats(1, None, float("nan")), t=pa.array(["a", "b", ""]))),
    Case(tiny_numbers, rows(x=floats(*HALVES))),
    Case(raw_pixels, rows(x=pa.array([bytes([0, 255, 7, 9]), None], pa.binary()))),
    Case(colours, rows(x=pa.array([[[[255, 0, 0], [0, 129, 3]]], None], PIXELS))),
    Case(encoded_pictures, rows(image=pa.array(PICTURES, pa.binary()))),
    Case(raw_floats, rows(data=pa.array([bytes(12), b"\0\0\x80?" * 3, None], pa.binary()))),
)
