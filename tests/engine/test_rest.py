import base64
import json

import pytest
import tensorflow as tf

from tfspark.errors import RowError, SignatureNotFoundError, UsageError
from tfspark.testing import rest_predict, save_function


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Inputs `a` (None, 2) int32 and `s` (None,) string; three outputs, and a second signature."""
    double = tf.function(
        lambda a: {"doubled": a * 2}, input_signature=[tf.TensorSpec((None,), tf.float32, name="a")]
    )
    return save_function(
        tmp_path_factory.mktemp("pair") / "1",
        lambda a, s: {
            "sum": tf.reduce_sum(a, axis=1),
            "text": tf.strings.join([s, "!"]),
            "raw_bytes": s,
        },
        tf.TensorSpec((None, 2), tf.int32, name="a"),
        tf.TensorSpec((None,), tf.string, name="s"),
        double=double,
    )


def test_rows_of_one_input_and_one_output_are_plain(linear):
    body = {"signature_name": "serving_default", "instances": [[1.0, 2.0], [5.0, 7.0]]}
    assert rest_predict(linear.path, body) == {"predictions": [[3.0], [6.0]]}
    assert rest_predict(linear.path, json.dumps(body)) == {"predictions": [[3.0], [6.0]]}
    assert rest_predict(linear.path, {"instances": [{"inputs": [1, 2]}]}) == {
        "predictions": [[3.0]]
    }


def test_columns_come_back_as_columns(linear, pair):
    assert rest_predict(linear.path, {"inputs": [[1.0, 2.0]]}) == {"outputs": [[3.0]]}
    found = rest_predict(pair, {"inputs": {"a": [[1, 2], [3, 4]], "s": ["x", "y"]}})
    assert found["outputs"]["sum"] == [3, 7]
    assert found["outputs"]["text"] == ["x!", "y!"]


def test_several_inputs_and_outputs_are_objects_by_row(pair):
    raw = base64.b64encode(b"\xff\x00").decode()
    found = rest_predict(pair, {"instances": [{"a": [1, 2], "s": "é"}, {"a": [3, 4], "s": "z"}]})
    assert found["predictions"][0] == {
        "sum": 3,
        "text": "é!",
        "raw_bytes": {"b64": base64.b64encode("é".encode()).decode()},
    }
    only = {"inputs": {"a": [[0, 0]], "s": [{"b64": raw}]}}
    with pytest.raises(UnicodeDecodeError):  # `text` is not text then, as in TensorFlow Serving
        rest_predict(pair, only)


def test_another_signature_is_called_by_name(pair):
    body = {"signature_name": "double", "instances": [1.5, 2]}
    assert rest_predict(pair, body) == {"predictions": [3.0, 4.0]}
    with pytest.raises(SignatureNotFoundError, match="nope"):
        rest_predict(pair, {**body, "signature_name": "nope"})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "either 'instances' or 'inputs'"),
        ({"instances": [], "inputs": []}, "either 'instances' or 'inputs'"),
        ([1, 2], "found:    list"),
        ({"instances": []}, "no instances"),
        ({"instances": [[1, 2]]}, "several inputs"),
        ({"instances": [{"a": [1, 2]}]}, "found:    'a'"),
        ({"instances": [{"a": [1, 2], "s": "x"}, {"a": [1, 2], "z": "x"}]}, "'a', 'z'"),
    ],
)
def test_what_is_no_request_is_said(pair, body, words):
    with pytest.raises(UsageError) as caught:
        rest_predict(pair, body)
    assert words in str(caught.value)


@pytest.mark.parametrize(("dtype", "largest"), [("uint8", 255), ("uint64", 2**64 - 1)])
def test_integers_without_a_sign_are_read(tmp_path, dtype, largest):
    spec = tf.TensorSpec((None,), dtype, name="x")
    model = save_function(tmp_path / "1", lambda x: {"y": tf.identity(x)}, spec)
    assert rest_predict(model, {"instances": [1, largest]}) == {"predictions": [1, largest]}
    for value in (-1, largest + 1, 1.5, True):
        with pytest.raises(RowError, match="Input 'x' cannot be read"):
            rest_predict(model, {"instances": [1, value]})


@pytest.mark.parametrize("values", [[1.5, 2.0], ["1", "2"], [1, [2]], [1 << 40, 0]])
def test_values_that_do_not_fit_are_no_lesser_values(pair, values):
    with pytest.raises(RowError, match="Input 'a' cannot be read"):
        rest_predict(pair, {"instances": [{"a": values, "s": "x"}]})
