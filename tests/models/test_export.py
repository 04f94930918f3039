import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.check import check_export
from models.export import export
from models.refusal import ExportError

LAYERS = keras.layers
ROWS = np.array([[1, 2], [3, 5], [6, 7], [8, 3]], np.float32)


def plane() -> keras.Model:
    """2*x0 - x1 + 3, by hand."""
    model = keras.Sequential([keras.Input((2,), name="inputs"), LAYERS.Dense(1, name="outputs")])
    model.set_weights([np.array([[2.0], [-1.0]]), np.array([3.0])])
    return model


class Counter(tf.Module):
    """State, a table, two variables of one name, and several methods to serve."""

    def __init__(self):
        super().__init__()
        self.calls = tf.Variable(5, dtype=tf.int64, trainable=False)
        self.weight = tf.Variable([1.0, 2.0], name="twin")
        self.offset = tf.Variable([10.0, 20.0], name="twin")
        self.codes = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(["a", "b"], [7, 8]), -1
        )

    @tf.function(input_signature=[tf.TensorSpec((None, 2), name="features")])
    def score(self, x):
        self.calls.assign_add(1)
        total = tf.reduce_sum(x * self.weight - self.offset, axis=1)
        return {"total": total, "calls": tf.fill([tf.shape(x)[0]], self.calls)}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def code(self, key):
        return self.codes.lookup(key), self.calls

    @tf.function(
        input_signature=[
            {"a": tf.TensorSpec((None,), tf.int32), "b": tf.TensorSpec((None,), tf.int32)}
        ]
    )
    def difference(self, columns):
        return columns["a"] - columns["b"]

    @tf.function(input_signature=[tf.TensorSpec((None, 2))])
    def __call__(self, x):
        return x * self.weight


def serve(path: Path, signature: str = "serving_default", **feed):
    """Answer as a session does, by the names in the SavedModel."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(path))
        inputs, outputs = tensor_names(meta, signature)
        feeds = {inputs[name]: value for name, value in feed.items()}
        return session.run(outputs, feeds)


def tensor_names(meta, signature: str = "serving_default"):
    found = meta.signature_def[signature]
    return (
        {name: info.name for name, info in found.inputs.items()},
        {name: info.name for name, info in found.outputs.items()},
    )


def names(path: Path, signature: str = "serving_default"):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(path))
        return tensor_names(meta, signature)


def test_keras_names_are_the_documented_ones(tmp_path):
    path = export(plane(), tmp_path, name="linear_model")

    assert path == tmp_path / "linear_model" / "1"
    assert names(path) == (
        {"inputs": "serving_default_inputs:0"},
        {"outputs": "StatefulPartitionedCall:0"},
    )


def test_both_loaders_give_the_exact_answers(tmp_path):
    path = export(plane(), tmp_path)
    expected = [[3], [4], [8], [16]]

    loaded = tf.saved_model.load(str(path)).signatures["serving_default"]
    np.testing.assert_array_equal(loaded(inputs=tf.constant(ROWS))["outputs"], expected)
    np.testing.assert_array_equal(serve(path, inputs=ROWS)["outputs"], expected)


def test_version_follows_the_largest_number(tmp_path):
    for entry in ("2", "9", "10", "latest", ".export-killed"):
        (tmp_path / entry).mkdir()

    assert export(plane(), tmp_path) == tmp_path / "11"
    assert export(plane(), tmp_path) == tmp_path / "12"


def test_exports_at_once_get_different_versions(tmp_path):
    modules = [Counter() for _ in range(4)]

    with ThreadPoolExecutor(len(modules)) as pool:
        paths = list(pool.map(lambda module: export(module, tmp_path / "new"), modules))

    assert {path.name for path in paths} == {"1", "2", "3", "4"}
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"1", "2", "3", "4"}
    assert all((path / "saved_model.pb").is_file() for path in paths)


def test_a_version_taken_meanwhile_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "theirs").touch()
    seen_before_and_after = iter([1, 2])
    monkeypatch.setattr("models.export._next_version", lambda _: next(seen_before_and_after))

    assert export(plane(), tmp_path) == tmp_path / "2"
    assert [entry.name for entry in (tmp_path / "1").iterdir()] == ["theirs"]


@pytest.mark.parametrize("form", [list, dict])
def test_several_inputs_and_outputs_keep_their_names(tmp_path, form):
    a, b = keras.Input((), name="a", dtype="int64"), keras.Input((2,), name="b")
    twice = LAYERS.Lambda(lambda x: x * 2, name="twice", output_shape=())(a)
    third = LAYERS.Rescaling(0.5, name="half")(b)
    parts = {"twice": twice, "half": third}
    model = (
        keras.Model({"a": a, "b": b}, parts)
        if form is dict
        else keras.Model([a, b], list(parts.values()))
    )

    answer = serve(export(model, tmp_path), a=np.array([3, 2**40]), b=ROWS[:2])

    assert answer["twice"].tolist() == [6, 2**41]
    np.testing.assert_array_equal(answer["half"], ROWS[:2] / 2)


def test_batch_is_free_even_when_keras_saw_only_one_size(tmp_path):
    model = keras.Sequential([LAYERS.Dense(1, name="outputs")])
    model(np.zeros((2, 3), np.float32))

    path = export(model, tmp_path)
    [name] = names(path)[0]
    assert serve(path, **{name: np.zeros((5, 3))})["outputs"].shape == (5, 1)


def test_text_in_with_a_vocabulary(tmp_path):
    text = keras.Input((), name="text", dtype="string")
    words = LAYERS.TextVectorization(
        vocabulary=["good", "bad"], output_sequence_length=3, name="words"
    )
    path = export(keras.Model(text, words(text)), tmp_path)

    answer = serve(path, text=np.array(["bad good", "", "Good unknown bad good"]))
    assert answer["words"].tolist() == [[3, 2, 0], [0, 0, 0], [2, 1, 3]]


def test_vocabulary_file_travels_with_the_model(tmp_path):
    vocabulary = tmp_path / "colours.txt"
    vocabulary.write_text("red\ngreen\n")
    colour = keras.Input((), name="colour", dtype="string")
    model = keras.Model(colour, LAYERS.StringLookup(vocabulary=str(vocabulary), name="id")(colour))

    path = export(model, tmp_path / "base")
    vocabulary.unlink()
    moved = shutil.move(path, tmp_path / "moved")

    assert serve(moved, colour=np.array(["green", "blue"]))["id"].tolist() == [2, 0]


class Tokens(keras.Model):
    """Subclassed, with layers in a list, and one output or two."""

    def __init__(self, *, outputs: int = 1):
        super().__init__()
        self.embedding = LAYERS.Embedding(5, 2)
        self.blocks = [LAYERS.Dense(3), LAYERS.BatchNormalization()]
        self.count = outputs

    def call(self, tokens, training=False):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, training=training) if block is self.blocks[-1] else block(x)
        return x if self.count == 1 else (x, tokens)


def test_subclassed_model_with_inputs_told(tmp_path):
    model = Tokens(outputs=2)
    tokens = np.array([[0, 1, 4], [2, 2, 3]])

    path = export(model, tmp_path, inputs=tf.TensorSpec((None, None), tf.int64, name="tokens"))

    answer = serve(path, tokens=tokens)
    assert answer.keys() == {"output_0", "output_1"}
    assert answer["output_1"].tolist() == tokens.tolist()
    np.testing.assert_allclose(answer["output_0"], model(tokens)[0], rtol=1e-6)


def test_subclassed_model_without_inputs_is_refused(tmp_path):
    with pytest.raises(ExportError, match=r"not known(.|\n)*Hint: pass inputs="):
        export(Tokens(), tmp_path)


def test_module_serves_two_methods_with_state_and_a_table(tmp_path):
    module = Counter()
    signatures = {"serving_default": module.score, "code": module.code}
    path = export(module, tmp_path, signatures=signatures)

    assert names(path, "code")[0] == {"key": "code_key:0"}
    answer = serve(path, features=ROWS[:2])
    assert answer["total"].tolist() == [-25.0, -17.0]
    assert answer["calls"].tolist() == [6, 6]
    coded = serve(path, "code", key=np.array(["b", "z"]))
    assert (coded["output_0"].tolist(), coded["output_1"]) == ([8, -1], 5)


def test_export_leaves_the_live_state_as_it_was(tmp_path):
    module = Counter()
    export(module, tmp_path, signatures={"serving_default": module.score})
    assert module.calls.numpy() == 5


def test_module_call_is_the_default_signature(tmp_path):
    answer = serve(export(Counter(), tmp_path), x=ROWS)
    np.testing.assert_array_equal(answer["output_0"], ROWS * [1, 2])


def test_dict_argument_gives_its_keys_as_input_names(tmp_path):
    module = Counter()
    path = export(module, tmp_path, signatures={"serving_default": module.difference})
    assert serve(path, a=[5, 7], b=[1, 2])["output_0"].tolist() == [4, 5]


def test_keras_model_and_a_wrapper_of_it_in_one_export(tmp_path):
    model = plane()

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="line")])
    def from_text(line):
        fields = tf.strings.to_number(tf.strings.split(line, ",").to_tensor())
        return {"outputs": model(tf.ensure_shape(fields, (None, 2)))}

    path = export(
        model,
        tmp_path,
        signatures={"serving_default": model, "text": from_text},
        sample={"line": ["1,2", "3,5"]},
    )

    assert serve(path, inputs=ROWS)["outputs"].tolist() == [[3], [4], [8], [16]]
    assert serve(path, "text", line=["6,7"])["outputs"].tolist() == [[8]]


def test_python_callback_is_refused_and_leaves_nothing(tmp_path):
    class Callback(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 2))])
        def __call__(self, x):
            return tf.numpy_function(lambda v: v * 2, [x], tf.float32)

    with pytest.raises(ExportError, match="PyFunc"):
        export(Callback(), tmp_path / "base", name="model")
    assert list(tmp_path.iterdir()) == []


def test_savedmodel_that_only_python_runs_is_refused(tmp_path):
    model = plane()

    @tf.function(input_signature=[tf.TensorSpec((None, 2), name="inputs")])
    def call(inputs):
        return {"outputs": model(inputs)}

    tf.saved_model.save(model, str(tmp_path), signatures={"serving_default": call})

    reference = {"serving_default": {"outputs": model(ROWS).numpy()}}
    with pytest.raises(ExportError, match=r"session cannot run(.|\n)*Could not find variable"):
        check_export(tmp_path, reference, {"serving_default": {"inputs": ROWS}})


def test_wrong_answers_are_all_named(tmp_path):
    path = export(plane(), tmp_path)
    reference = {"serving_default": {"outputs": np.zeros((4, 1), np.float32), "more": ROWS}}
    with pytest.raises(ExportError, match="2 mismatches") as refusal:
        check_export(path, reference, {"serving_default": {"inputs": ROWS}})
    assert "output 'more': expected, not found" in str(refusal.value)
    assert "output 'outputs': values differ by up to 16" in str(refusal.value)


def test_random_answers_are_refused(tmp_path):
    noisy = LAYERS.Lambda(lambda x: x + tf.random.normal(tf.shape(x)))
    with pytest.raises(ExportError, match="disagree"):
        export(keras.Sequential([keras.Input((2,)), noisy]), tmp_path)


def test_model_that_fails_on_the_sample_is_refused_with_the_way_out(tmp_path):
    class Numbers(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="text")])
        def __call__(self, text):
            return tf.strings.to_number(text)

    with pytest.raises(ExportError, match=r"Hint: pass sample="):
        export(Numbers(), tmp_path)
    path = export(Numbers(), tmp_path, sample={"text": ["1.5", "2"]})
    assert serve(path, text=["7"])["output_0"].tolist() == [7.0]


def shared_layer() -> keras.Model:
    layer, a, b = LAYERS.Dense(1, name="twin"), keras.Input((2,)), keras.Input((2,))
    return keras.Model([a, b], [layer(a), layer(b)])


def dashed_input() -> keras.Model:
    return keras.Sequential([keras.Input((1,), name="a-b"), LAYERS.Dense(1)])


def ragged() -> tf.Module:
    module = tf.Module()
    module.call = tf.function(
        tf.RaggedTensor.from_tensor, input_signature=[tf.TensorSpec((None, 2), name="x")]
    )
    return module


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (plane, {"sample": {"input": ROWS}}, "names 'input', which is not an input. Did you mean"),
        (plane, {"sample": {"inputs": ROWS[:, :1]}}, "does not fit input 'inputs'"),
        (tf.Module, {}, "has nothing to call"),
        (plane, {"signatures": {"x": np.abs}}, "'x' has nothing to call"),
        (shared_layer, {}, "'twin', 'twin'"),
        (dashed_input, {}, "found:    'a-b'"),
    ],
)
def test_what_cannot_be_exported_is_said_in_words(tmp_path, make, options, message):
    with pytest.raises(ExportError) as refusal:
        export(make(), tmp_path / "base", **options)
    assert message in str(refusal.value)
    assert str(pickle.loads(pickle.dumps(refusal.value))) == str(refusal.value)
    assert not (tmp_path / "base").exists()


def test_ragged_output_is_refused(tmp_path):
    module = ragged()
    with pytest.raises(ExportError, match="dense tensor"):
        export(module, tmp_path, signatures={"serving_default": module.call})


def test_table_that_nobody_owns_is_refused(tmp_path):
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], [1]), 0)
    lookup = tf.function(table.lookup, input_signature=[tf.TensorSpec((None,), tf.string, "key")])
    with pytest.raises(ExportError, match="attribute of the model"):
        export(tf.Module(), tmp_path, signatures={"serving_default": lookup})


def test_remote_base_is_refused():
    with pytest.raises(ExportError, match="local folder"):
        export(plane(), "hdfs://host/models")
