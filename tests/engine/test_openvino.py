"""The openvino engine: refusals, memory guarantees, and compiled models on the node."""

from __future__ import annotations

import logging
import threading
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tfspark import package
from tfspark.engine import Engine, EngineOptions, openvino
from tfspark.engine.openvino import compiled, engine
from tfspark.engine.openvino.operations import INPUT_TYPES
from tfspark.engine.protocol import CannotServeError
from tfspark.errors import EngineError
from tfspark.testing import save_function

pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")

ROWS = np.array([[1, 2], [3, 4], [-5, 0.5]], dtype=np.float32)


def test_the_linear_model_answers_exactly(linear, open_engine):
    live = open_engine(linear, "openvino")
    assert isinstance(live, Engine)
    assert live.run({"inputs": ROWS})["outputs"].tolist() == [[3.0], [5.0], [-7.5]]


@pytest.fixture(scope="session")
def several(models):
    """Two signatures; their inputs and outputs share names, tensors and types."""
    import tensorflow as tf

    def serve(a, b, unused):
        return {"a": a - b, "b": b - a, "same": a - b, "fed": tf.identity(b)}

    spec = [tf.TensorSpec((None,), tf.float32, name=name) for name in ("a", "b", "unused")]
    other = tf.function(
        lambda b, a: {"y": b - 2 * a, "x": a * 10, "n": tf.cast(a, tf.float32)},
        input_signature=[tf.TensorSpec((None, None), tf.float32, name=name) for name in ("b", "a")],
        autograph=False,
    )
    return package.load(save_function(models / "several", serve, *spec, other=other))


def test_names_are_those_of_the_signature(several, open_engine):
    fed = {"b": np.float32([1, 2]), "a": np.float32([10, 20]), "unused": np.float32([0, 0])}
    found = open_engine(several, "openvino").run(fed)
    assert {name: value.tolist() for name, value in found.items()} == {
        "a": [9, 18],
        "b": [-9, -18],
        "same": [9, 18],
        "fed": [1, 2],
    }


def test_any_signature_runs_and_open_dimensions_may_change(several, open_engine):
    live = open_engine(several.select("other"), "openvino")
    for shape in ((1, 3), (4, 1), (2, 7)):
        a, b = np.full(shape, 2, np.float32), np.full(shape, 3, np.float32)
        found = live.run({"a": a, "b": b})
        assert {name: value.tolist() for name, value in found.items()} == {
            "y": (b - 2 * a).tolist(),
            "x": (a * 10).tolist(),
            "n": a.tolist(),
        }


def test_every_type_of_an_input_passes_and_becomes_floats(models, open_engine):
    import tensorflow as tf

    def serve(**given):
        floats = {f"{name} as float": tf.cast(x, tf.float32) for name, x in given.items()}
        return floats | {f"{name} as it is": tf.concat([x, x], 1) for name, x in given.items()}

    types = sorted(INPUT_TYPES)
    specs = {name: tf.TensorSpec((None, 2), name, name=name) for name in types}
    ordered = [specs[name] for name in types]
    folder = models / "types"
    save_function(folder, lambda *xs: serve(**dict(zip(types, xs, strict=True))), *ordered)
    ends = {"bool": (0, 1), "float32": (-1e30, 1e30), "int64": (-(2**31), 2**31 - 1)}
    for name in set(types) - ends.keys():
        ends[name] = (np.iinfo(name).min, np.iinfo(name).max)
    fed = {name: np.array([ends[name], (1, 0)]).astype(name) for name in types}
    model = package.load(folder)
    wanted, found = (open_engine(model, name).run(fed) for name in ("native", "openvino"))
    for name, answer in wanted.items():
        assert (found[name].dtype, found[name].tolist()) == (answer.dtype, answer.tolist()), name


@pytest.fixture(scope="session")
def words(models):
    """Looks up rows of a table; `ids` are 0 to 2."""
    import tensorflow as tf

    module = tf.Module()
    module.table = tf.Variable([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    module.serve = tf.function(
        lambda ids: {"y": tf.reduce_sum(tf.gather(module.table, ids), 1)},
        input_signature=[tf.TensorSpec((None, None), tf.int64, name="ids")],
        autograph=False,
    )
    tf.saved_model.save(module, str(models / "words"), signatures=module.serve)
    return package.load(models / "words")


def test_a_row_of_a_table_is_looked_up(words, open_engine):
    found = open_engine(words, "openvino").run({"ids": np.array([[0, 2], [1, 1]])})
    assert found["y"].tolist() == [[4.0, 40.0], [4.0, 40.0]]


@pytest.mark.parametrize("bad", [-1, 3, 2**31 - 1])
def test_an_index_out_of_range_is_an_error_of_the_batch_as_in_tensorflow(words, open_engine, bad):
    for name in ("native", "openvino"):
        live = open_engine(words, name)
        with pytest.raises(EngineError) as caught:
            live.run({"ids": np.array([[0, 2], [1, bad]])})
        assert not isinstance(caught.value, CannotServeError)
        assert live.run({"ids": np.array([[2]])})["y"].tolist() == [[3.0, 30.0]]


@pytest.mark.parametrize("size", [3, 2])
def test_negative_indices_count_from_the_end_as_in_an_embedding_of_keras(models, open_engine, size):
    import tensorflow as tf

    table = np.float32([[1, 10], [2, 20], [3, 30]])
    model = package.load(
        save_function(
            models / f"embedded{size}" / "1",
            lambda ids: {"y": tf.gather(table, tf.where(ids < 0, ids + size, ids))},
            tf.TensorSpec((None, None), tf.int32, name="ids"),
        )
    )
    if size < len(table):
        with pytest.raises(CannotServeError, match="integers that depend on an input"):
            open_engine(model, "openvino")
        return
    ids = np.int32([[-3, 2, 0], [-1, 1, -2]])
    for name in ("native", "openvino"):
        live = open_engine(model, name)
        assert live.run({"ids": ids})["y"].tolist() == table[ids].tolist()
        for bad in (-4, 3, -(2**31)):
            with pytest.raises(EngineError):
                live.run({"ids": np.int32([[0, bad]])})


@pytest.mark.parametrize(("shape", "is_unwrapped"), [((), True), ((1,), True), ((1, 1), False)])
def test_a_size_that_changes_the_shape_of_an_index_is_no_embedding(shape, is_unwrapped):
    import openvino
    from openvino import opset13 as ops

    from tfspark.engine.openvino.indices import unwrap

    index = ops.parameter([-1], np.int32)
    zero, size = (ops.constant(np.full(shape, value, np.int32)) for value in (0, 3))
    wrapped = ops.select(ops.less(index, zero), ops.add(index, size), index)
    axis = ops.constant(np.int64(0))
    gather = ops.gather(ops.constant(np.float32([[1, 10], [2, 20], [3, 30]])), wrapped, axis)
    model = openvino.Model([ops.result(gather)], [index])
    assert unwrap(model) == ({gather.get_name()} if is_unwrapped else frozenset())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_openvino_would_drop_are_refused(linear, open_engine, value):
    live = open_engine(linear, "openvino")
    with pytest.raises(EngineError, match=r"'inputs' has NaN or infinity.*other engines can score"):
        live.run({"inputs": np.float32([[1, 2], [value, 4]])})


@pytest.mark.parametrize("shape", [(0, 2), (3, 0)])
def test_nothing_is_fed_without_elements(several, open_engine, shape):
    """Without elements, OpenVINO's pooling repeats the last results, and its resizing crashes."""
    empty = np.empty(shape, np.float32)
    with pytest.raises(EngineError, match="'a' is empty"):
        open_engine(several.select("other"), "openvino").run({"a": empty, "b": empty})


def test_large_values_are_not_taken_for_infinity(linear, open_engine):
    large = np.float32([[1e38, 3e38], [1e38, 1e38]])
    wanted = open_engine(linear, "native").run({"inputs": large})["outputs"]
    assert open_engine(linear, "openvino").run({"inputs": large})["outputs"].tolist() == (
        wanted.tolist()
    )


def test_integers_of_more_than_32_bits_are_refused(words, open_engine):
    with pytest.raises(EngineError, match="integer of more than 32 bits"):
        open_engine(words, "openvino").run({"ids": np.array([[2**32]])})


REFUSED = {
    "Assert": lambda tf, x: with_assert(tf, x),
    "CheckNumerics": lambda tf, x: tf.debugging.check_numerics(x, "bad"),
    "RandomStandardNormal": lambda tf, x: x + tf.random.normal([2]),
    "While": lambda tf, x: tf.while_loop(
        lambda *_: True, lambda y: y * 2, [x], maximum_iterations=3
    )[0],
    "float64": lambda tf, x: tf.cast(x, tf.float64) * 2,
    "float16": lambda tf, x: tf.cast(tf.cast(x, tf.float16) * 2, tf.float32),
    "of string": lambda tf, x: tf.identity(tf.strings.as_string(x)),
    "training mode": lambda tf, x: (
        tf.raw_ops.FusedBatchNormV3(
            x=x[:, None, None], scale=[1.0] * 2, offset=[0.0] * 2, mean=[], variance=[]
        ).y
    ),
    "a cast from f32 to i32": lambda tf, x: tf.cast(x, tf.int32),
    "integers that depend on an input": lambda tf, x: tf.argmax(x, 1) + 2**40,
    "a size or position from an input": lambda tf, x: tf.reduce_sum(x[:, tf.argmax(x[0]) :], 1),
    "(ReverseSequence)": lambda tf, x: tf.reverse(tf.argmax(x[:, None], 2), [1]),
    "NaN or infinity in the constant": lambda tf, x: tf.minimum(x, [np.inf, 1.0]),
}


def with_assert(tf, x):
    with tf.control_dependencies([tf.debugging.assert_less(x, 10.0)]):
        return tf.identity(x)


@pytest.mark.parametrize("reason", REFUSED)
def test_what_openvino_computes_otherwise_is_refused_with_the_reason(models, open_engine, reason):
    import tensorflow as tf

    def serve(x):
        y = REFUSED[reason](tf, x)
        return {"y": y if y.shape.rank else y + tf.zeros_like(x)}

    spec = tf.TensorSpec((None, 2), tf.float32, name="x")
    model = package.load(save_function(models / f"refused {reason}", serve, spec))
    with pytest.raises(CannotServeError, match="exactly as TensorFlow does") as caught:
        open_engine(model, "openvino")
    assert reason in str(caught.value)
    assert 'Hint: leave out engine="openvino"' in str(caught.value)


SHRINKING = {
    "sliced": lambda tf, x: x[:, 3:],
    "taken": lambda tf, x: x[:, 2],
    "convolved": lambda tf, x: tf.nn.conv1d(x, tf.ones([3, 2, 1]), 1, "VALID"),
    "gathered": lambda tf, x: tf.gather(x, [2, 0], axis=1),
    "split": lambda tf, x: tf.split(x, [2, 1], axis=1)[1],
    "pooled": lambda tf, x: tf.nn.max_pool1d(x, 3, 1, "VALID"),
}


@pytest.mark.parametrize("how", SHRINKING)
def test_a_part_of_an_open_dimension_is_refused(models, open_engine, how):
    import tensorflow as tf

    spec = tf.TensorSpec((None, None, 2), tf.float32, name="x")
    folder = save_function(models / how, lambda x: {"y": SHRINKING[how](tf, x)}, spec)
    with pytest.raises(CannotServeError, match=r"of an open dimension|of unknown size"):
        open_engine(package.load(folder), "openvino")


def test_an_open_dimension_that_stays_is_taken(models, open_engine):
    import tensorflow as tf

    spec = tf.TensorSpec((None, None, 2), tf.float32, name="x")

    def serve(x):
        return {"y": tf.reduce_max(tf.nn.conv1d(x, tf.ones([3, 2, 1]), 1, "SAME"), [1, 2])}

    live = open_engine(package.load(save_function(models / "kept", serve, spec)), "openvino")
    for width in (1, 2, 5):
        assert live.run({"x": np.ones((3, width, 2), np.float32)})["y"].tolist() == (
            [2.0 * min(width, 3)] * 3
        )


def test_a_graph_in_text_form_is_refused(linear, tmp_path):
    (tmp_path / "saved_model.pbtxt").write_text("")
    with pytest.raises(CannotServeError, match="text form"):
        openvino.check(str(tmp_path), linear.tags, linear.signature)


def test_a_gpu_is_refused(linear, open_engine):
    with pytest.raises(CannotServeError, match="given a GPU"):
        open_engine(linear, "openvino", gpu=True)


def test_a_worker_without_openvino_is_told_what_to_install(linear, open_engine, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(CannotServeError, match="install the package openvino there"):
        open_engine(linear, "openvino")


# --- memory ---------------------------------------------------------------------------------------


def test_contiguous_memory_is_fed_where_it_lies(aligned):
    for offset in (0, 4, 8, 60):
        rows = aligned(ROWS, offset)
        rows.flags.writeable = False
        assert engine._feed("x", rows, "float32").ctypes.data == rows.ctypes.data


@pytest.mark.parametrize("offset", [0, 4, 8, 60])
def test_unaligned_and_strided_memory_gives_the_same_answer(linear, open_engine, offset, aligned):
    live = open_engine(linear, "openvino")
    wide = aligned(np.arange(40, dtype=np.float32).reshape(10, 4), offset)
    for inputs in (wide[:, :2], wide[::-1, 1:3], wide.reshape(20, 2)[3:]):
        found = live.run({"inputs": inputs})["outputs"]
        assert found.tolist() == (2 * inputs[:, :1] - inputs[:, 1:] + 3).tolist()


def test_fed_memory_is_never_written(models, open_engine, aligned):
    import tensorflow as tf

    def serve(x):
        return {"y": tf.nn.relu(-x) + 1, "z": tf.exp(x) * 2, "same": tf.identity(x)}

    spec = tf.TensorSpec((None,), tf.float32, name="x")
    live = open_engine(package.load(save_function(models / "over", serve, spec)), "openvino")
    rows = aligned(np.linspace(-3, 3, 1000, dtype=np.float32))
    before = rows.copy()
    found = live.run({"x": rows})
    assert np.array_equal(rows, before)
    assert not any(np.shares_memory(value, rows) for value in found.values())


def test_results_stay_as_they_are_after_the_next_run_and_after_the_end(linear, open_engine):
    live = open_engine(linear, "openvino")
    found = live.run({"inputs": ROWS})["outputs"]
    live.run({"inputs": ROWS * 100})
    live.close()
    live.close()
    assert found.tolist() == [[3.0], [5.0], [-7.5]]
    with pytest.raises(EngineError, match="closed"):
        live.run({"inputs": ROWS})


def test_several_threads_get_their_own_answers(linear, open_engine):
    live = open_engine(linear, "openvino")
    together, found = threading.Barrier(4), {}

    def ask(number):
        rows = np.full((1000, 2), number, np.float32)
        together.wait(timeout=60)
        answers = [live.run({"inputs": rows})["outputs"] for _ in range(20)]
        found[number] = {value for answer in answers for value in answer.ravel().tolist()}

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: {number + 3.0} for number in range(4)}


@pytest.mark.parametrize("threads", [1, 2])
def test_denormals_are_zero_as_in_tensorflow_and_the_thread_keeps_its_mode(
    models, open_engine, threads
):
    import tensorflow as tf

    small = np.float32(1e-30)
    folder = models / f"small {threads}"
    spec = tf.TensorSpec((None, 8), tf.float32, name="x")
    save_function(folder, lambda x: {"y": x * small, "z": x @ (np.eye(8) * small)}, spec)
    fed = {"x": np.full((50_000, 8), 1e-10, np.float32)}
    found = open_engine(package.load(folder), "openvino", intra_op_threads=threads).run(fed)
    assert not found["y"].any()
    assert not found["z"].any()
    assert (np.full(8, small) * np.float32(1e-10) > 0).all()


@pytest.mark.parametrize(
    ("words", "kind"), [("std::bad_alloc", "OutOfMemoryError"), ("shapes differ", "EngineError")]
)
def test_a_failed_run_is_about_memory_or_about_the_batch(linear, open_engine, words, kind):
    live = open_engine(linear, "openvino")

    def infer(**_):
        raise RuntimeError(f"Exception from src/x.cpp:1:\n{words}\n")

    live._request = SimpleNamespace(set_input_tensor=lambda *_: None, infer=infer)
    with pytest.raises(EngineError, match=f"^{words}$") as caught:
        live.run({"inputs": ROWS})
    assert type(caught.value).__name__ == kind


# --- compiled models ------------------------------------------------------------------------------


@pytest.fixture
def kept(linear, tmp_path, monkeypatch):
    """Load the linear model with a node folder; return its one compiled model."""
    monkeypatch.setenv("TFSPARK_CACHE_DIR", str(tmp_path / "node"))
    options = EngineOptions(name="openvino", digest=linear.digest)

    def load(**changes):
        chosen = EngineOptions(**{**vars(options), **changes})
        return openvino.load(linear.path, linear.tags, linear.signature, chosen)

    load()
    (file,) = (tmp_path / "node" / "openvino").iterdir()
    return load, file


def test_a_second_worker_takes_the_compiled_model(kept, monkeypatch):
    load, file = kept
    monkeypatch.setattr(compiled, "convert", lambda *_: pytest.fail("converted again"))
    assert load().run({"inputs": ROWS})["outputs"].tolist() == [[3.0], [5.0], [-7.5]]
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:40] + b"x" + b[41:], bytes.hex])
def test_a_damaged_compiled_model_is_made_again(kept, caplog, damage):
    load, file = kept
    whole = file.read_bytes()
    changed = damage(whole)
    file.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
    caplog.set_level(logging.WARNING)
    assert load().run({"inputs": ROWS})["outputs"].tolist() == [[3.0], [5.0], [-7.5]]
    (line,) = [record.getMessage() for record in caplog.records]
    assert "compiled again" in line
    assert load().run({"inputs": ROWS})["outputs"].tolist() == [[3.0], [5.0], [-7.5]]
    assert len(caplog.records) == 1


def test_other_settings_and_other_versions_are_compiled_apart(kept, monkeypatch):
    load, file = kept
    load(intra_op_threads=2)
    load(digest="another")
    monkeypatch.setattr("openvino.get_version", lambda: "another")
    load()
    assert len(list(file.parent.iterdir())) == 4


def test_without_a_digest_or_without_space_nothing_is_kept(kept, monkeypatch, caplog):
    load, file = kept
    file.unlink()
    load(digest="")
    assert list(file.parent.iterdir()) == []

    def no_space(**_):
        raise OSError("no space left")

    monkeypatch.setattr(compiled.tempfile, "mkstemp", no_space)
    assert load().run({"inputs": ROWS})["outputs"].tolist() == [[3.0], [5.0], [-7.5]]
    assert "no space left" in caplog.text


def test_a_compiled_model_that_cannot_be_read_or_written_is_only_logged(kept, caplog):
    load, file = kept
    file.unlink()
    file.mkdir()
    assert load().run({"inputs": ROWS})["outputs"].tolist() == [[3.0], [5.0], [-7.5]]
    assert "cannot be read" in caplog.text
    file.rmdir()
    file.parent.rmdir()
    file.parent.touch()
    assert load().run({"inputs": ROWS})["outputs"].tolist() == [[3.0], [5.0], [-7.5]]
    assert "cannot be kept" in caplog.text


WITHOUT_TENSORFLOW = """
import sys
from importlib.abc import MetaPathFinder
class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras", "pyspark", "pandas", "openvino_telemetry"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
import pyarrow as pa
from tfspark import package
from tfspark.columns import columns_of
from tfspark.engine import EngineOptions
from tfspark.handle import ModelHandle
from tfspark.runner import score
from tfspark.schema import bind
model = package.load(sys.argv[1])
rows = pa.record_batch({"inputs": [[1.0, 2.0], None, [3.0, 4.0]]})
binding = bind(model.signature, columns_of(rows.schema))
live = ModelHandle.of(model, options=EngineOptions(name="openvino")).open()
for batch in score([rows], binding, live, keep=()):
    print(batch.to_pydict())
"""


def test_a_worker_without_tensorflow_scores(linear, run_python, tmp_path, monkeypatch):
    monkeypatch.setenv("TFSPARK_CACHE_DIR", str(tmp_path / "node"))
    assert run_python(WITHOUT_TENSORFLOW, linear.path) == ["{'outputs': [3.0, None, 5.0]}"]
    assert len(list(Path(tmp_path / "node" / "openvino").iterdir())) == 1
