"""Compares every operation of the openvino engine with TensorFlow's results."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfspark import package
from tfspark.engine.openvino.operations import OPERATIONS
from tfspark.operations.calls import Calls
from tfspark.saved_model.graph_file import graph_of, read
from tfspark.testing import save_function

pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")

WEIGHTS = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
KERNEL = np.random.default_rng(1).normal(size=(3, 3, 3, 4)).astype(np.float32)
STATISTICS = np.abs(np.random.default_rng(2).normal(size=(4, 3))).astype(np.float32) + 0.1


def numbers(tf: Any, x: Any) -> dict[str, Any]:
    """Operations on each element; `x` is (rows, 6)."""
    positive, smaller = tf.abs(x) + 0.5, x < 0.3
    raw = tf.raw_ops
    return {
        "abs": tf.abs(x),
        "add": raw.Add(x=x, y=1.5),
        "add_n": tf.add_n([x, x, positive]),
        "add_v2": x + positive,
        "ceil": tf.math.ceil(x),
        "cos": tf.cos(x),
        "div": x / positive,
        "div_no_nan": tf.math.divide_no_nan(x, tf.nn.relu(x)),
        "elu": tf.nn.elu(x),
        "erf": tf.math.erf(x),
        "erfc": tf.math.erfc(x),
        "exp": tf.exp(x),
        "floor": tf.floor(x),
        "leaky": tf.nn.leaky_relu(x, 0.3),
        "log": tf.math.log(positive),
        "log1p": tf.math.log1p(positive),
        "maximum": tf.maximum(x, 0.2),
        "minimum": tf.minimum(x, 0.2),
        "mul": x * x[:, :1],
        "neg": -x,
        "pow": tf.pow(positive, 1.7),
        "relu": tf.nn.relu(x),
        "relu6": tf.nn.relu6(4 * x),
        "rsqrt": tf.math.rsqrt(positive),
        "selu": tf.nn.selu(x),
        "sigmoid": tf.sigmoid(x),
        "sin": tf.sin(x),
        "softplus": tf.nn.softplus(x),
        "softsign": tf.nn.softsign(x),
        "sqrt": tf.sqrt(positive),
        "square": tf.square(x),
        "squared_difference": tf.math.squared_difference(x, 0.3),
        "sub": x - 0.7,
        "tanh": tf.tanh(x),
        "comparisons": tf.stack([x < 0, x <= 0, x > 0, x >= 0, tf.equal(x, 0.0), x != 0.0], 1),
        "and": tf.logical_and(smaller, x > -0.3),
        "or": tf.logical_or(smaller, x > 0.5),
        "not": tf.logical_not(smaller),
        "select": raw.Select(condition=smaller, x=x, y=-x),
        "select_rows": raw.Select(condition=smaller[:, 0], x=x, y=-x),
        "select_v2": tf.where(smaller, x, 7.0),
        "cast": tf.cast(smaller, tf.float32),
    }


def over_rows(tf: Any, x: Any) -> dict[str, Any]:
    """Operations over the values of a row; `x` is (rows, 6)."""
    return {
        "arg_max": tf.argmax(x, 1),
        "arg_max_of_ties": tf.argmax(tf.abs(tf.floor(x)), 1),
        "arg_max_32": tf.argmax(x, 1, tf.int32),
        "bias": tf.nn.bias_add(x, WEIGHTS[:, 0]),
        "matmul": x @ WEIGHTS,
        "matmul_transposed": tf.matmul(x, WEIGHTS.T.copy(), transpose_b=True),
        "batch_matmul": x[:, None, :] * tf.ones([2, 1]) @ WEIGHTS[None],
        "einsum": tf.einsum("bi,ij->bj", x, WEIGHTS),
        "einsum_heads": tf.einsum("abc,cde->abde", x[:, None], tf.reshape(WEIGHTS, [6, 5, 1])),
        "einsum_pairs": tf.einsum("aecd,abcd->acbe", *[tf.reshape(x, [-1, 1, 2, 3])] * 2),
        "log_softmax": tf.nn.log_softmax(x),
        "softmax": tf.nn.softmax(x),
        "max": tf.reduce_max(x, 1),
        "mean": tf.reduce_mean(x, 1, keepdims=True),
        "min": tf.reduce_min(x, 1),
        "sum": tf.reduce_sum(x, [1]),
    }


def moves(tf: Any, x: Any) -> dict[str, Any]:
    """Operations on shapes and positions; `x` is (rows, 6)."""
    rows = tf.shape(x)[0]
    first, second = tf.split(x, 2, axis=1)
    one, two, three = tf.split(x, [1, 2, 3], axis=1)
    parts = tf.unstack(x, axis=1)
    filled = tf.fill([rows, 2], 0.5)
    return {
        "broadcast": tf.broadcast_to(x[:, None, :], [rows, 2, 6]),
        "concat": tf.concat([second, first], 1),
        "expand": tf.expand_dims(x, 1),
        "fill": filled + x[:, :2],
        "gather": tf.gather(x, [5, 0, 0], axis=1),
        "identities": tf.raw_ops.IdentityN(input=[x, first])[1] + tf.stop_gradient(first),
        "prevented": tf.raw_ops.PreventGradient(input=x),
        "ones": tf.ones_like(x) + tf.zeros_like(x),
        "pack": tf.stack([first, second], 2),
        "pad": tf.pad(x, [[0, 0], [1, 2]]),
        "pad_v2": tf.pad(x, [[0, 0], [2, 1]], constant_values=3.0),
        "range": x + tf.cast(tf.range(6), tf.float32),
        "reshape": tf.reshape(x, [-1, tf.reduce_prod(tf.shape(x)[1:])]),
        "reverse": tf.reverse(x, [1]),
        "size": x / tf.cast(tf.maximum(tf.size(x), 1), tf.float32),
        "sliced_with_a_new_axis": x[..., tf.newaxis, 1:4],
        "split": three[:, 1:] - two + one,
        "squeeze": tf.squeeze(x[:, None, :], 1),
        "strided": x[:, ::-2],
        "strided_from_the_end": x[:, -3:-1] - x[:, 2, None],
        "tile": tf.tile(x, [1, 2]),
        "transpose": tf.transpose(x[:, None, :], [0, 2, 1]),
        "unpack": parts[0] - parts[-1],
    }


def of_images(tf: Any, x: Any) -> dict[str, Any]:
    """Operations on images; `x` is (rows, 8, 8, 3)."""
    raw = tf.raw_ops
    gamma, beta, mean, variance = STATISTICS
    normal = raw.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=mean, variance=variance, is_training=False
    ).y
    return {
        "average": tf.nn.avg_pool2d(x, 3, 2, "SAME"),
        "average_valid": tf.nn.avg_pool2d(x, 2, 2, "VALID"),
        "conv": tf.nn.conv2d(x, KERNEL, 1, "SAME"),
        "conv_strided": tf.nn.conv2d(x, KERNEL, 2, "SAME"),
        "conv_dilated": tf.nn.conv2d(x, KERNEL, 1, "VALID", dilations=2),
        "conv_padded": tf.nn.conv2d(x, KERNEL, 1, [[0, 0], [2, 1], [0, 1], [0, 0]]),
        "depthwise": tf.nn.depthwise_conv2d(x, KERNEL, [1, 2, 2, 1], "SAME"),
        "max_pool": tf.nn.max_pool2d(x, 3, 2, "SAME"),
        "normal": normal,
        "bilinear": tf.image.resize(x, [5, 12]),
        "nearest": tf.image.resize(x, [5, 12], "nearest"),
        "bilinear_old": raw.ResizeBilinear(images=x, size=[5, 12]),
        "bilinear_corners": raw.ResizeBilinear(images=x, size=[5, 12], align_corners=True),
        "nearest_old": raw.ResizeNearestNeighbor(images=x, size=[5, 12]),
    }


def patterns(tf: Any, x: Any) -> dict[str, Any]:
    """Groups of operations that OpenVINO fuses into one; `x` is (rows, 6)."""
    rows = tf.reshape(x, [-1, 3, 2])
    centred = x - tf.reduce_mean(x, 1, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, tf.reduce_mean(x, 1, True)), 1, True)
    scores = tf.matmul(rows, rows, transpose_b=True) * 0.7
    return {
        "attention": tf.nn.softmax(scores) @ rows,
        "gelu": 0.5 * x * (1.0 + tf.math.erf(x / 1.4142135)),
        "gelu_erfc": 0.5 * x * tf.math.erfc(-x * 0.70710677),
        "gelu_tanh": 0.5 * x * (1.0 + tf.tanh(0.7978846 * (x + 0.044715 * tf.pow(x, 3.0)))),
        "hard_swish": x * tf.nn.relu6(x + 3.0) / 6.0,
        "layer_norm": centred * tf.math.rsqrt(variance + 1e-3) * WEIGHTS[:, 0] + WEIGHTS[:, 1],
        "mish": x * tf.tanh(tf.nn.softplus(x)),
        "normal": x * tf.math.rsqrt(tf.reduce_sum(tf.square(x), 1, keepdims=True) + 1e-6),
        "sigmoid": 1.0 / (1.0 + tf.exp(-x)),
        "softmax": tf.exp(x) / tf.reduce_sum(tf.exp(x), 1, keepdims=True),
        "swish": x * tf.sigmoid(x),
        "two_layers": tf.nn.relu(x @ WEIGHTS + 1.0) @ WEIGHTS.T,
    }


def of_words(tf: Any, x: Any) -> dict[str, Any]:
    """Operations on indices; `x` is (rows, 4), from 0 to 5."""
    return {
        "gather": tf.gather(WEIGHTS, x),
        "one_hot": tf.one_hot(x, 4, 2.0, -1.0),
        "number": tf.cast(x, tf.float32),
    }


def moves_of_integers(tf: Any, x: Any) -> dict[str, Any]:
    """Operations that move integers of any size; `x` is (rows, 6)."""
    moved = {}
    for name, y in (("int32", x), ("int64", tf.cast(x, tf.int64))):
        moved[f"broadcast {name}"] = tf.broadcast_to(y[:, None], [tf.shape(y)[0], 2, 6])
        moved[f"concat {name}"] = tf.concat([y, y[:, 2:4]], 1)
        moved[f"gather {name}"] = tf.gather(y, [5, 0, 0], axis=1)
        moved[f"pack {name}"] = tf.stack(tf.unstack(y, axis=1)[:3], 1)
        moved[f"reshape {name}"] = tf.reshape(y, [-1, 2, 3])
        moved[f"split {name}"] = tf.split(y, 3, axis=1)[1]
        moved[f"split_v {name}"] = tf.split(y, [1, 2, 3], axis=1)[2]
        moved[f"squeeze {name}"] = tf.squeeze(y[:, :1], 1)
        moved[f"tile {name}"] = tf.tile(y, [1, 2])
        moved[f"transpose {name}"] = tf.transpose(tf.reshape(y, [-1, 2, 3]), [0, 2, 1])
    return moved


VARIABLES = {
    "ReadVariableOp",
    "ResourceGather",
    "StatefulPartitionedCall",
    "VarHandleOp",
}  # in test_openvino.py

FUNCTIONS = {
    numbers: ((None, 6), "float32"),
    over_rows: ((None, 6), "float32"),
    moves: ((None, 6), "float32"),
    patterns: ((None, 6), "float32"),
    of_images: ((None, 8, 8, 3), "float32"),
    of_words: ((None, 4), "int32"),
    moves_of_integers: ((None, 6), "int32"),
}


@pytest.fixture(scope="session")
def saved(models: Path) -> Callable[..., package.ModelPackage]:
    """Save a function of this file once per run."""

    def save(function: Any) -> package.ModelPackage:
        import tensorflow as tf

        shape, dtype = FUNCTIONS[function]
        folder = models / function.__name__
        if not folder.exists():
            spec = tf.TensorSpec(shape, dtype, name="x")
            save_function(folder, lambda x: function(tf, x), spec)
        return package.load(folder)

    return save


def values(function: Any, rows: int) -> Any:
    shape, dtype = FUNCTIONS[function]
    random = np.random.default_rng(rows)
    if dtype == "int32":
        low, high = (0, 6) if function is of_words else (-(2**31), 2**31)
        return random.integers(low, high, (rows, *shape[1:]), np.int32)
    return (random.normal(size=(rows, *shape[1:])) * 3).astype(np.float32)


@pytest.mark.parametrize("rows", [1, 3, 257])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_openvino_answers_like_tensorflow(saved, open_engine, function, rows):
    model, fed = saved(function), {"x": values(function, rows)}
    wanted = open_engine(model, "native").run(fed)
    found = open_engine(model, "openvino").run(fed)
    assert found.keys() == wanted.keys()
    for name, answer in wanted.items():
        assert (found[name].dtype, found[name].shape) == (answer.dtype, answer.shape), name
        if answer.dtype.kind == "f":
            small = 1e-6 * np.abs(answer).max()  # sums of large numbers of both signs
            np.testing.assert_allclose(found[name], answer, rtol=1e-5, atol=small, err_msg=name)
        else:
            np.testing.assert_array_equal(found[name], answer, err_msg=name)


def test_every_operation_of_the_list_is_compared(saved):
    seen = set()
    for function in FUNCTIONS:
        model = saved(function)
        graph = graph_of(read(Path(model.path), _files(model.path)), model.tags)
        tensors = [spec.tensor for spec in model.signature.outputs]
        seen |= {node.op for node in Calls(graph).needed_nodes(tensors)}
    assert OPERATIONS - seen == {"NoOp", *VARIABLES}


def _files(folder: str) -> dict[str, Path]:
    return {"saved_model.pb": Path(folder) / "saved_model.pb"}
