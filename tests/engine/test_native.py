"""The native engine, compared with TensorFlow's own answers, and its memory."""

from __future__ import annotations

import gc
import sys
import threading

import numpy as np
import pyarrow as pa
import pytest

from tfspark import package
from tfspark.dtypes import TABLE
from tfspark.engine import EngineOptions, load_engine, native
from tfspark.engine.protocol import CannotServeError
from tfspark.errors import EngineError
from tfspark.tensors import ByteStrings
from tfspark.testing import save_function

NUMERIC = [row for row in TABLE if not row.is_string]


def tensors(rows: int = 5, width: int = 3, seed: int = 1) -> dict:
    """One tensor of every type of the table, with all kinds of bit patterns except NaN."""
    random = np.random.default_rng(seed)
    made = {}
    for row in TABLE:
        if row.is_string:
            values = [random.bytes(size) for size in random.integers(0, 60, rows * width)]
            made[row.name] = ByteStrings(pa.array(values, pa.binary()), (rows, width))
        elif row.name == "bool":
            made[row.name] = random.integers(0, 2, (rows, width)).astype(bool)
        else:
            made[row.name] = random.integers(0, 100, (rows, width)).astype(row.numpy) / 1
            made[row.name] = made[row.name].astype(row.numpy)
    return made


def same(found, wanted) -> bool:
    if isinstance(wanted, ByteStrings):
        return found.shape == wanted.shape and found.values.to_pylist() == wanted.values.to_pylist()
    return found.dtype == wanted.dtype and np.array_equal(found, wanted)


@pytest.mark.parametrize("rows", [0, 1, 2, 1000])
def test_every_type_passes_bit_equal_to_tensorflow(identity, open_engine, rows):
    fed = tensors(rows)
    found = open_engine(identity, "native").run(fed)
    wanted = open_engine(identity, "tensorflow").run(fed)
    assert found.keys() == wanted.keys() == fed.keys()
    for name in fed:
        assert same(found[name], fed[name]), name
        assert same(found[name], wanted[name]), name


@pytest.mark.parametrize("engine", ["native", "tensorflow"])
def test_a_scalar_bfloat16_stays_a_scalar(models, open_engine, engine):
    import tensorflow as tf

    specs = [tf.TensorSpec(shape, tf.bfloat16, name) for shape, name in (((None,), "x"), ((), "k"))]
    path = save_function(models / f"scalar-bfloat16-{engine}", lambda x, k: {"y": x * k}, *specs)
    fed = {"x": np.array([1, 2], np.float32), "k": np.array(1.5, np.float32)}
    found = open_engine(package.load(path), engine).run(fed)["y"]
    assert found.dtype == np.float32
    assert found.tolist() == [1.5, 3.0]


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, -0.0, 5e-324])
def test_special_floats_keep_their_bits(identity, open_engine, special):
    fed = tensors()
    fed["float64"][:] = special
    found = open_engine(identity).run(fed)["float64"]
    assert found.tobytes() == fed["float64"].tobytes()


def test_the_linear_model_answers_exactly(linear, open_engine):
    inputs = np.array([[1, 2], [3, 4], [-5, 0.5]], dtype=np.float32)
    found = open_engine(linear).run({"inputs": inputs})["outputs"]
    assert found.tolist() == [[3.0], [5.0], [-7.5]]


@pytest.mark.parametrize("offset", [0, 4, 8, 60])
def test_unaligned_and_strided_memory_gives_the_same_answer(linear, open_engine, offset, aligned):
    engine = open_engine(linear)
    wide = aligned(np.arange(40, dtype=np.float32).reshape(10, 4), offset)
    for inputs in (
        wide[:, :2],
        wide[:, 1:3],
        wide[::2, :2],
        wide[::-1, :2],
        wide.reshape(20, 2)[3:],
    ):
        found = engine.run({"inputs": inputs})["outputs"]
        assert found.tolist() == (2 * inputs[:, :1] - inputs[:, 1:] + 3).tolist()


def test_aligned_memory_is_fed_where_it_lies(linear, open_engine, library, aligned):
    engine = open_engine(linear)
    inputs = aligned(np.ones((8, 2), dtype=np.float32))
    engine.run({"inputs": inputs})
    assert library.fed_addresses == [inputs.ctypes.data]


def test_unaligned_memory_is_copied_once_and_fed_aligned(linear, open_engine, library, aligned):
    engine = open_engine(linear)
    inputs = aligned(np.ones((8, 2), dtype=np.float32), offset=8)
    engine.run({"inputs": inputs})
    (address,) = library.fed_addresses
    assert address % 64 == 0
    assert address != inputs.ctypes.data
    assert library.calls["TF_NewTensor"] == 1


def test_an_array_of_arrow_is_fed_where_it_lies(linear, open_engine, library):
    engine = open_engine(linear)
    column = pa.array([float(number) for number in range(16)], pa.float32())
    inputs = column.to_numpy().reshape(8, 2)
    engine.run({"inputs": inputs})
    assert library.fed_addresses == [column.buffers()[1].address]


def test_a_result_that_is_the_fed_memory_outlives_its_owner(identity, open_engine, aligned):
    engine = open_engine(identity)
    fed = tensors(1000)
    fed["float32"] = aligned(fed["float32"])
    wanted = fed["float32"].copy()
    address = fed["float32"].ctypes.data
    found = engine.run(fed)["float32"]
    assert found.ctypes.data == address, (
        "an identity shares its memory; else this test shows nothing"
    )
    del fed
    gc.collect()
    noise = [aligned(np.full((1000, 3), 7, dtype=np.float32)) for _ in range(50)]
    assert np.array_equal(found, wanted)
    assert len(noise) == 50


def test_a_variable_that_keeps_the_fed_memory_keeps_it_alive(models, open_engine, aligned):
    import tensorflow as tf

    state = tf.Variable(np.zeros((4, 2), np.float32), shape=(None, 2))

    def swap(inputs):
        before = state.read_value()
        with tf.control_dependencies([before]):
            stored = state.assign(inputs)
        with tf.control_dependencies([stored]):
            return {"before": tf.identity(before)}

    module = tf.Module()
    module.state = state
    module.serve = tf.function(swap, input_signature=[tf.TensorSpec((None, 2), name="inputs")])
    tf.saved_model.save(module, str(models / "state"), signatures=module.serve)
    engine = open_engine(package.load(models / "state"))
    engine.run({"inputs": aligned(np.full((100, 2), 5, dtype=np.float32))})
    gc.collect()
    noise = [aligned(np.full((100, 2), 7, dtype=np.float32)) for _ in range(50)]
    assert engine.run({"inputs": noise[0]})["before"].tolist() == [[5.0, 5.0]] * 100


def test_fed_memory_is_never_written(models, open_engine, aligned):
    import tensorflow as tf

    model = package.load(
        save_function(
            models / "in_place",
            lambda x: {"y": tf.concat([[-1.0], x[1:]], 0), "z": tf.nn.relu(-x)},
            tf.TensorSpec((None,), tf.float32, name="x"),
        )
    )
    for offset in (0, 8):
        inputs = aligned(np.arange(1, 1001, dtype=np.float32), offset)
        before = inputs.copy()
        found = open_engine(model).run({"x": inputs})
        assert found["y"][0] == -1
        assert np.array_equal(inputs, before)


def test_results_are_read_only_and_pass_into_arrow_without_a_copy(linear, open_engine):
    found = open_engine(linear).run({"inputs": np.ones((100, 2), np.float32)})["outputs"]
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1
    column = pa.array(found.reshape(-1))
    address = found.ctypes.data
    assert column.buffers()[1].address == address
    del found
    gc.collect()
    assert column.to_pylist() == [4.0] * 100


def test_strings_pass_and_are_made(text, open_engine):
    values = [b"x" * size for size in (*range(25), 100, 1 << 20)] + [b"\xff\xfe\x00", b""]
    for kind in (pa.binary(), pa.large_binary()):
        found = open_engine(text).run({"text": ByteStrings(pa.array(values, kind), (len(values),))})
        assert found["same"].values.to_pylist() == values
        assert found["upper"].values.to_pylist() == [value.upper() for value in values]
        assert found["twice"].values.to_pylist() == [value * 2 for value in values]
        assert found["length"].tolist() == [len(value) for value in values]


@pytest.mark.parametrize("engine", ["native", "tensorflow"])
def test_kernels_that_look_for_the_end_of_a_string_find_it(models, engine):
    """ICU's kernels read a string up to its NUL, which Arrow does not store."""
    import tensorflow as tf

    path = save_function(
        models / f"upper {engine}",
        lambda s: {"y": tf.strings.upper(s, encoding="utf-8")},
        tf.TensorSpec((None,), tf.string, name="s"),
    )
    model = package.load(path)
    live = load_engine(model.path, model.tags, model.signature, EngineOptions(name=engine))
    values = pa.array(["", "aé", "", "b" * 30, "c", ""]).view(pa.binary())
    found = live.run({"s": ByteStrings(values, (6,))})["y"].to_objects().tolist()
    assert [one.decode() for one in found] == ["", "AÉ", "", "B" * 30, "C", ""]


def test_strings_of_a_slice_pass(text, open_engine):
    column = pa.array([b"skipped", b"first", b"", b"third" * 9, b"skipped too"]).slice(1, 3)
    found = open_engine(text).run({"text": ByteStrings(column, (3,))})
    assert found["same"].values.to_pylist() == [b"first", b"", b"third" * 9]


def test_a_string_result_shares_nothing_with_what_was_fed(text, open_engine):
    column = pa.array([b"a string that is longer than a record"] * 3, pa.binary())
    low = column.buffers()[2].address
    found = open_engine(text).run({"text": ByteStrings(column, (3,))})["same"].values
    assert not low <= found.buffers()[2].address < low + column.buffers()[2].size


def test_a_table_that_keeps_fed_strings_keeps_copies(models, open_engine):
    import tensorflow as tf

    module = tf.Module()
    module.seen = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)

    def serve(words):
        before = module.seen.lookup(words)
        with tf.control_dependencies([before]):
            stored = module.seen.insert(words, tf.range(tf.size(words, out_type=tf.int64)))
        with tf.control_dependencies([stored]):
            return {"before": tf.identity(before)}

    spec = tf.TensorSpec((None,), tf.string, name="words")
    module.serve = tf.function(serve, input_signature=[spec], autograph=False)
    tf.saved_model.save(module, str(models / "seen"), signatures=module.serve)
    engine = open_engine(package.load(models / "seen"))

    def feed(start: bytes) -> ByteStrings:
        return ByteStrings(
            pa.array([start + b" that is long enough: %d" % i for i in range(50)]), (50,)
        )

    engine.run({"words": feed(b"a key")})
    gc.collect()
    noise = [feed(b"noise") for _ in range(50)]
    assert engine.run({"words": noise[0]})["before"].tolist() == [-1] * 50
    assert engine.run({"words": feed(b"a key")})["before"].tolist() == list(range(50))


def test_no_rows_of_strings_pass(text, open_engine):
    found = open_engine(text).run({"text": ByteStrings(pa.array([], pa.binary()), (0,))})
    assert found["same"].shape == found["length"].shape == (0,)


def test_results_without_dimensions_and_of_any_shape(models, open_engine):
    import tensorflow as tf

    def serve(a, b):
        return {
            "sum": tf.reduce_sum(a) + b[0],
            "outer": a[:, :, None] * b[None, None, :],
            "word": tf.constant(b"a word that does not fit into a record"),
            "none": a[:, :0],
        }

    specs = [tf.TensorSpec((None, 2), name="a"), tf.TensorSpec((None,), name="b")]
    model = package.load(save_function(models / "shapes", serve, *specs))
    fed = {"b": np.arange(3, dtype=np.float32), "a": np.ones((4, 2), np.float32)}
    found = open_engine(model).run(fed)
    assert found["sum"].shape == ()
    assert found["sum"] == 8
    assert found["outer"].shape == (4, 2, 3)
    assert found["none"].shape == (4, 0)
    assert found["word"].values.to_pylist() == [b"a word that does not fit into a record"]
    assert found["word"].shape == ()


@pytest.mark.parametrize("name", ["native", "tensorflow"])
def test_a_table_read_from_an_asset_is_initialised(models, open_engine, tmp_path, name):
    import tensorflow as tf

    if not (models / "table").exists():
        vocabulary = tmp_path / "words.txt"
        vocabulary.write_text("zero\none\ntwo\n")
        module = tf.Module()
        module.table = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(
                str(vocabulary),
                *(tf.string, tf.lookup.TextFileIndex.WHOLE_LINE),
                *(tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER),
            ),
            num_oov_buckets=1,
        )
        module.serve = tf.function(
            lambda words: {"ids": module.table.lookup(words)},
            input_signature=[tf.TensorSpec((None,), tf.string, name="words")],
            autograph=False,
        )
        tf.saved_model.save(module, str(models / "table"), signatures=module.serve)
        vocabulary.unlink()
    words = ByteStrings(pa.array([b"two", b"never heard", b"zero"]), (3,))
    found = open_engine(package.load(models / "table"), name).run({"words": words})
    assert found["ids"].tolist() == [2, 3, 0]


def test_a_refused_batch_is_an_error_of_the_model_and_the_next_one_runs(models, open_engine):
    import tensorflow as tf

    def serve(x):
        tf.debugging.assert_less(x, 10.0, message="too much")
        with tf.control_dependencies([tf.debugging.assert_less(x, 10.0, message="too much")]):
            return {"y": x * 2}

    spec = tf.TensorSpec((None,), tf.float32, name="x")
    engine = open_engine(package.load(save_function(models / "refuses", serve, spec)))
    with pytest.raises(EngineError, match="too much") as caught:
        engine.run({"x": np.array([1, 11], np.float32)})
    assert not isinstance(caught.value, CannotServeError)
    assert len(str(caught.value).splitlines()) <= 6
    assert engine.run({"x": np.array([1, 2], np.float32)})["y"].tolist() == [2, 4]


def test_a_tensor_of_another_type_is_refused(linear, text, open_engine):
    with pytest.raises(EngineError, match=r"expected: float32\n  found:    float64"):
        open_engine(linear).run({"inputs": np.ones((2, 2))})
    with pytest.raises(EngineError, match=r"expected: float32\n  found:    string"):
        open_engine(linear).run({"inputs": ByteStrings(pa.array([b"a"]), (1,))})
    with pytest.raises(EngineError, match=r"expected: string\n  found:    float32"):
        open_engine(text).run({"text": np.ones(2, np.float32)})


def test_a_shape_that_the_model_cannot_take_is_refused(linear, open_engine):
    with pytest.raises(EngineError):
        open_engine(linear).run({"inputs": np.ones((2, 3), np.float32)})


def test_every_handle_is_released_once(identity, text, linear, library):
    engines = [
        native.load(m.path, m.tags, m.signature, EngineOptions()) for m in (identity, linear)
    ]
    for _ in range(20):
        engines[0].run(tensors())
        engines[1].run({"inputs": np.ones((3, 2), np.float32)})
        with pytest.raises(EngineError):
            engines[1].run({"inputs": np.ones((3, 5), np.float32)})
        with pytest.raises(EngineError):
            engines[0].run({**tensors(), "int64": np.ones((1, 1))})
    engines[0].close()
    del engines
    gc.collect()
    calls = library.calls
    made = calls["TF_NewTensor"] + calls["TF_AllocateTensor"] + calls["results"]
    assert calls["TF_DeleteTensor"] == made > 500
    assert calls["TF_NewStatus"] == calls["TF_DeleteStatus"] > 0
    assert calls["TF_LoadSessionFromSavedModel"] == 2
    for name in ("TF_CloseSession", "TF_DeleteSession", "TF_DeleteGraph", "TF_NewGraph"):
        assert calls[name] == 2, name
    assert calls["TF_NewSessionOptions"] == calls["TF_DeleteSessionOptions"] == 2


def test_fed_arrays_are_let_go_after_the_run(linear, open_engine, aligned):
    engine = open_engine(linear)
    for offset in (0, 8):
        inputs = aligned(np.ones((3, 2), np.float32), offset)
        before = sys.getrefcount(inputs)
        engine.run({"inputs": inputs})
        assert sys.getrefcount(inputs) == before


def test_closing_twice_is_safe_and_a_closed_engine_refuses(linear, open_engine):
    engine = open_engine(linear)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.run({"inputs": np.ones((1, 2), np.float32)})


def test_results_outlive_the_engine(linear, open_engine):
    engine = open_engine(linear)
    found = engine.run({"inputs": np.ones((3, 2), np.float32)})["outputs"]
    engine.close()
    del engine
    gc.collect()
    assert found.tolist() == [[4.0]] * 3


def test_threads_may_share_an_engine(linear, open_engine):
    engine = open_engine(linear)
    right: list[bool] = []

    def score(number: int) -> None:
        fed = {"inputs": np.full((50, 2), number, np.float32)}
        answers = (engine.run(fed)["outputs"] for _ in range(100))
        right.append(all((answer == number + 3).all() for answer in answers))

    threads = [threading.Thread(target=score, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 4


def test_a_model_that_passes_its_input_on_gives_it_back(models, open_engine):
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, (None,), name="x")
        tf.compat.v1.saved_model.simple_save(
            session, str(models / "passes"), {"x": x}, {"same": x, "double": x * 2}
        )
    model = package.load(models / "passes")
    found = open_engine(model).run({"x": np.array([1, 2], np.float32)})
    assert found["same"].tolist() == [1, 2]
    assert found["double"].tolist() == [2, 4]


def test_a_model_that_only_passes_its_input_on_gives_it_back(models, open_engine):
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, (None,), name="x")
        tf.compat.v1.saved_model.simple_save(
            session, str(models / "only passes"), {"x": x}, {"same": x}
        )
    engine = open_engine(package.load(models / "only passes"))
    found = engine.run({"x": np.array([1, 2], np.float32)})
    assert {name: value.tolist() for name, value in found.items()} == {"same": [1, 2]}


def test_outputs_of_types_outside_the_table_are_left_out(models, open_engine):
    import tensorflow as tf

    def serve(x):
        return {"y": x + 1, "odd": tf.complex(x, x)}

    spec = tf.TensorSpec((None,), tf.float32, name="x")
    model = package.load(save_function(models / "complex", serve, spec))
    found = open_engine(model).run({"x": np.array([1], np.float32)})
    assert {name: value.tolist() for name, value in found.items()} == {"y": [2]}


def test_a_folder_without_a_model_cannot_be_served(linear, tmp_path):
    with pytest.raises(CannotServeError, match="cannot load the model"):
        native.load(str(tmp_path), linear.tags, linear.signature, EngineOptions())


def test_a_failed_load_releases_everything(linear, tmp_path, library):
    with pytest.raises(CannotServeError):
        native.load(str(tmp_path), linear.tags, linear.signature, EngineOptions())
    assert library.calls["TF_NewGraph"] == library.calls["TF_DeleteGraph"] == 1
    assert library.calls["TF_NewSessionOptions"] == library.calls["TF_DeleteSessionOptions"] == 1
    assert library.calls["TF_NewStatus"] == library.calls["TF_DeleteStatus"]


def test_a_signature_that_the_graph_does_not_have_is_an_error(linear, library):
    import dataclasses

    (spec,) = linear.signature.outputs
    for tensor in ("nowhere:0", spec.tensor.replace(":0", ":7")):
        wrong = dataclasses.replace(spec, tensor=tensor)
        signature = dataclasses.replace(linear.signature, outputs=(wrong,))
        with pytest.raises(EngineError, match="lacks a tensor"):
            native.load(linear.path, linear.tags, signature, EngineOptions())
    gc.collect()
    assert library.calls["TF_DeleteSession"] == library.calls["TF_NewGraph"] == 2


@pytest.mark.parametrize(
    ("options", "environment", "threads"),
    [
        ({}, {}, (1, -1)),
        ({"intra_op_threads": 3, "inter_op_threads": 2}, {}, (3, 2)),
        ({"intra_op_threads": 0, "inter_op_threads": 0}, {}, (0, 0)),
        ({}, {"TF_NUM_INTRAOP_THREADS": "4"}, (0, -1)),
        ({}, {"TF_NUM_INTEROP_THREADS": "4"}, (1, 0)),
    ],
)
def test_threads_come_from_the_options_unless_the_environment_sets_them(
    monkeypatch, options, environment, threads
):
    from tensorflow.core.protobuf.config_pb2 import ConfigProto

    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    config = ConfigProto.FromString(native.config_proto(EngineOptions(**options)))
    found = (config.intra_op_parallelism_threads, config.inter_op_parallelism_threads)
    assert found == threads
    assert config.gpu_options.allow_growth
    assert config.allow_soft_placement


def test_a_library_opened_before_a_fork_serves_after_it(linear, run_python):
    program = """
import os, sys
import numpy as np
from tfspark import package
from tfspark.engine import EngineOptions, load_engine
from tfspark.engine.libtensorflow import open_library
model = package.load(sys.argv[1])
open_library()
for _ in range(2):
    child = os.fork()
    if not child:
        engine = load_engine(model.path, model.tags, model.signature, EngineOptions())
        found = engine.run({"inputs": np.ones((2, 2), np.float32)})["outputs"]
        os._exit(0 if found.tolist() == [[4.0], [4.0]] else 1)
    print(os.waitpid(child, 0)[1])
"""
    assert run_python(program, linear.path) == ["0", "0"]


def test_the_end_of_a_process_releases_what_is_left(identity, run_python):
    program = """
import builtins, sys
import numpy as np
import pyarrow as pa
from tfspark import package
from tfspark.dtypes import by_name
from tfspark.engine import EngineOptions, load_engine
from tfspark.tensors import ByteStrings
model = package.load(sys.argv[1])
engine = load_engine(model.path, model.tags, model.signature, EngineOptions())
names = [one.name for one in model.signature.inputs if one.name != "string"]
fed = {name: np.zeros((64, 64), by_name(name).numpy) for name in names}
fed["string"] = ByteStrings(pa.array([b"a string that is longer than a record"] * 4), (2, 2))
builtins.kept = engine.run(fed)  # outlives the modules
builtins.in_arrow = [pa.array(kept[name].ravel()) for name in names]
builtins.engine = engine
print(len(kept))
"""
    assert run_python(program, identity.path) == [str(len(TABLE))]


def test_tensorflow_is_not_imported(linear, run_python):
    program = """
import sys
import numpy as np
from tfspark import package
from tfspark.engine import EngineOptions, load_engine
model = package.load(sys.argv[1])
engine = load_engine(model.path, model.tags, model.signature, EngineOptions())
print(engine.run({"inputs": np.ones((2, 2), np.float32)})["outputs"].tolist())
print(sorted(name for name in sys.modules if name.split(".")[0] in ("tensorflow", "keras")))
"""
    assert run_python(program, linear.path) == ["[[4.0], [4.0]]", "[]"]


@pytest.mark.parametrize("name", ["native", "tensorflow"])
def test_a_model_that_needs_a_gpu_does_not_run_without_one(linear, name):
    options = EngineOptions(name=name, gpu=True)
    with pytest.raises(EngineError, match=r"does not see the GPU.*\n.*\n  found:    CPU"):
        load_engine(linear.path, linear.tags, linear.signature, options)


def test_a_model_that_needs_a_gpu_runs_where_a_session_has_one(linear, monkeypatch):
    monkeypatch.setattr(native, "_device_types", lambda *_: ["CPU", "GPU"])
    options = EngineOptions(name="native", gpu=True)
    engine = load_engine(linear.path, linear.tags, linear.signature, options)
    assert engine.run({"inputs": np.ones((1, 2), np.float32)})["outputs"].tolist() == [[4.0]]
