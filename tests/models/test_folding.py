import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfspark
from models import folding
from models.export import export
from models.refusal import ExportError
from tfspark.testing import check_recorded

LAYERS = keras.layers
ROWS = np.array([[1, 2], [3, 5], [6, 7], [8, 3]], np.float32)
NUMBERS = tf.TensorSpec((None,), tf.float32, "x")


def variables(path):
    """Return names of the variables in the checkpoint of an export."""
    names = [name for name, _ in tf.train.list_variables(str(path / "variables" / "variables"))]
    return [name for name in names if name != "_CHECKPOINTABLE_OBJECT_GRAPH"]


def seen(path, signature="serving_default"):
    """Return inputs and outputs of a signature, without the names of graph tensors."""
    found = tfspark.load(path, signature=signature).signature
    return [[(s.name, s.dtype, s.shape) for s in one] for one in (found.inputs, found.outputs)]


def plane():
    """2*x0 - x1 + 3, by hand."""
    model = keras.Sequential([keras.Input((2,), name="inputs"), LAYERS.Dense(1, name="outputs")])
    model.set_weights([np.array([[2.0], [-1.0]]), np.array([3.0])])
    return model


def text():
    """A vocabulary (a table), an embedding, and a loop over words with open shapes."""
    line = keras.Input((), name="line", dtype="string")
    words = LAYERS.TextVectorization(vocabulary=["good", "bad"])(line)
    state = LAYERS.LSTM(4)(LAYERS.Embedding(4, 3)(words))
    return keras.Model(line, LAYERS.Dense(2, name="mood")(state))


def normalised():
    """TensorFlow merges these layers when it knows their weights."""
    picture = keras.Input((4, 4, 3), name="picture")
    variance = keras.initializers.Constant(0.3)
    normal = LAYERS.BatchNormalization(moving_variance_initializer=variance)
    return keras.Model(picture, normal(LAYERS.Conv2D(8, 3)(picture)))


def test_a_folded_model_has_constants_and_everything_else_unchanged(tmp_path):
    model = text()
    plain, folded = (export(model, tmp_path / name, fold=name == "b") for name in "ab")

    assert len(variables(plain)) == 6
    assert variables(folded) == []
    assert seen(folded) == seen(plain)
    assert check_recorded(folded) == 1
    assert tfspark.lint(folded) == []
    assert [entry.name for entry in (tmp_path / "b").iterdir()] == ["1"]
    assert model(tf.constant(["good"])).shape == (1, 2)  # the live model still works


def test_the_answers_are_exact_or_their_difference_is_logged(tmp_path, serve, caplog):
    with caplog.at_level(logging.INFO, logger="models.folding"):
        path = export(plane(), tmp_path / "plane", fold=True)
        export(normalised(), tmp_path / "normalised", fold=True)

    assert serve(path, inputs=ROWS)["outputs"].tolist() == [[3], [4], [8], [16]]
    said = [record.getMessage() for record in caplog.records if record.name == "models.folding"]
    assert "bit-equal" in said[0]
    assert "differ from those of the unfolded one by up to" in said[1]


class Mixed(tf.Module):
    """Inputs and outputs whose names are in no order, one of them unused; a table from a file."""

    def __init__(self, vocabulary):
        super().__init__()
        self.scale = tf.Variable(2.0, name="scale")
        lines = tf.lookup.TextFileInitializer(
            vocabulary,
            *(tf.string, tf.lookup.TextFileIndex.WHOLE_LINE),
            *(tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER),
        )
        self.table = tf.lookup.StaticHashTable(lines, -1)

    @tf.function
    def scaled(self, x):
        tf.debugging.assert_less(x, 100.0)
        return x * self.scale

    @tf.function(
        input_signature=[
            {name: tf.TensorSpec((None,), tf.float32) for name in ("z", "b", "unused")},
            tf.TensorSpec((None,), tf.string, "a"),
        ]
    )
    def __call__(self, numbers, a):
        z, b = self.scaled(numbers["z"]), numbers["b"]
        if tf.reduce_sum(b) > 0.0:
            z = z + self.scale
        return {"z": z - b, "same": b, "index": self.table.lookup(a)}

    @tf.function(input_signature=[NUMBERS])
    def twice(self, x):
        return {"y": self.scaled(x)}


def test_names_branches_tables_assets_and_assertions_stay(tmp_path, serve):
    vocabulary = tmp_path / "colours.txt"
    vocabulary.write_text("red\ngreen\n")
    module = Mixed(str(vocabulary))
    signatures = {"serving_default": module.__call__, "twice": module.twice}
    plain, path = (
        export(module, tmp_path / name, signatures=signatures, fold=name == "folded")
        for name in ("plain", "folded")
    )
    vocabulary.unlink()

    assert seen(path) == seen(plain)
    assert seen(path, "twice") == seen(plain, "twice")
    assert (path / "assets" / "colours.txt").read_text() == "red\ngreen\n"
    feed = {"z": [5.0, 6.0], "b": [1.0, 2.0], "unused": [0.0, 0.0], "a": [b"green", b"blue"]}
    answer = serve(path, **feed)
    assert {name: value.tolist() for name, value in answer.items()} == {
        "z": [11.0, 12.0],
        "same": [1.0, 2.0],
        "index": [1, -1],
    }
    assert serve(path, "twice", x=[3.0])["y"].tolist() == [6.0]
    with pytest.raises(tf.errors.InvalidArgumentError):
        serve(path, "twice", x=[100.0])


class Counter(tf.Module):
    """Counts its calls in a nested function, and looks up rows inside a loop."""

    def __init__(self):
        super().__init__()
        self.calls = tf.Variable(0, dtype=tf.int64, name="calls")
        self.rows = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], name="rows")
        self.weight = tf.Variable(2.0, name="weight")

    @tf.function
    def count(self):
        return self.calls.assign_add(1)

    @tf.function(input_signature=[NUMBERS])
    def counted(self, x):
        return {"y": x * self.weight, "calls": tf.fill([tf.size(x)], self.count())}

    @tf.function(input_signature=[tf.TensorSpec((3, None), tf.int32, "at")])
    def batched(self, at):
        self.rows.read_value()  # TensorFlow does not see a variable behind a handle
        picked = tf.raw_ops.ResourceGather(
            resource=self.rows.handle, indices=at, dtype=tf.float32, batch_dims=1
        )
        return {"y": picked}

    @tf.function(input_signature=[NUMBERS])
    def looped(self, x):
        for step in tf.range(3):
            x += tf.gather(self.rows, step)[0] * self.weight
        return {"y": x}


def test_variables_that_prevent_it_are_named_and_nothing_is_left(tmp_path):
    module = Counter()
    signatures = {
        "serving_default": module.counted,
        "looped": module.looped,
        "batched": module.batched,
    }
    with pytest.raises(ExportError, match="3 mismatches") as refusal:
        export(module, tmp_path / "base", signatures=signatures, fold=True)
    message = str(refusal.value)
    assert "'serving_default', variable 'calls': AssignAddVariableOp needs a variable" in message
    assert "'looped', variable 'rows': ResourceGather inside a loop or a branch" in message
    assert "'batched', variable 'rows': ResourceGather with batch_dims" in message
    assert "'weight'" not in message
    assert "Hint: export without fold=True (--fold)" in message
    assert list(tmp_path.iterdir()) == []


def test_a_model_above_the_limit_of_protobuf_is_refused_before_it_is_written(tmp_path, monkeypatch):
    module = Counter()
    module.weight = tf.Variable(tf.zeros(10_000), name="weight")
    score = tf.function(lambda x: {"y": x * module.weight}, input_signature=[NUMBERS])
    monkeypatch.setattr(folding, "LIMIT", 40_000)
    monkeypatch.setattr("models.export.save", lambda *_: pytest.fail("something was written"))

    with pytest.raises(ExportError, match=r"at most 40,000 bytes(.|\n)*found: +4\d,\d{3} bytes"):
        export(module, tmp_path, signatures={"serving_default": score}, fold=True)


def test_what_tensorflow_cannot_convert_is_an_error_of_the_signature(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ValueError("node(x)")

    monkeypatch.setattr(folding, "convert_variables_to_constants_v2", fail)
    with pytest.raises(ExportError, match=r"fold signature 'serving_default'(.|\n)*node\(x\)"):
        export(plane(), tmp_path / "base", fold=True)
    assert list(tmp_path.iterdir()) == []
