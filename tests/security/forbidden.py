"""Models that do more than compute. Each writes the file `mark` if it is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from tests.thirdparty.writing import change, save_graph, save_module, v1

Build = Callable[[Path, Path], None]

_VECTOR = tf.TensorSpec((None,), tf.float32)


def write_in_signature(path: Path, mark: Path) -> None:
    """Write a file whenever a batch is scored."""

    def build() -> Any:
        x = v1.placeholder(tf.float32, (None,), "x")
        with tf.control_dependencies([tf.io.write_file(str(mark), "ran")]):
            return {"x": x}, {"y": x * 2}

    save_graph(path, build)


def read_in_signature(path: Path, mark: Path) -> None:
    """Return the content of a file."""
    mark.with_suffix(".secret").write_text("canary")

    def build() -> Any:
        x = v1.placeholder(tf.float32, (None,), "x")
        content = tf.io.read_file(str(mark.with_suffix(".secret")))
        return {"x": x}, {"y": tf.fill(tf.shape(x), content)}

    save_graph(path, build)


def write_in_function(path: Path, mark: Path) -> None:
    """Write a file two functions below the signature."""

    @tf.function(input_signature=[_VECTOR])
    def inner(x: Any) -> Any:
        with tf.control_dependencies([tf.io.write_file(str(mark), "ran")]):
            return tf.identity(x)

    save_module(path, lambda x: {"y": tf.function(lambda value: inner(value))(x)}, _VECTOR)


def write_in_branch(path: Path, mark: Path) -> None:
    """Write a file in one branch of a condition."""

    def serve(x: Any) -> Any:
        def write() -> Any:
            with tf.control_dependencies([tf.io.write_file(str(mark), "ran")]):
                return x + 1

        return {"y": tf.cond(tf.reduce_sum(x) > 1, write, lambda: x)}

    save_module(path, serve, _VECTOR)


def write_in_map(path: Path, mark: Path) -> None:
    """Write a file in the function of a dataset."""

    def serve(x: Any) -> Any:
        def write(value: Any) -> Any:
            with tf.control_dependencies([tf.io.write_file(str(mark), "ran")]):
                return tf.identity(value)

        rows = tf.data.Dataset.from_tensors(x).map(write)
        return {"y": tf.data.experimental.get_single_element(rows)}

    save_module(path, serve, _VECTOR)


def write_in_initializer(path: Path, mark: Path) -> None:
    """Write a file when the model is loaded."""

    def build() -> Any:
        x = v1.placeholder(tf.float32, (None,), "x")
        return {"x": x}, {"y": x * 2}

    save_graph(path, build, main_op=lambda: tf.io.write_file(str(mark), "ran"))


def graph_in_constant(path: Path, mark: Path) -> None:
    """Run a graph that a constant holds as bytes."""
    rows = _dataset_that_writes(mark)

    def serve(x: Any) -> Any:
        found = tf.raw_ops.DatasetFromGraph(graph_def=rows)
        element = tf.raw_ops.DatasetToSingleElement(
            dataset=found, output_types=[tf.float32], output_shapes=[()]
        )
        return {"y": x + element[0]}

    save_module(path, serve, _VECTOR)


def print_to_file(path: Path, mark: Path) -> None:
    """Print into a file."""

    def serve(x: Any) -> Any:
        with tf.control_dependencies([tf.print(x, output_stream=f"file://{mark}")]):
            return {"y": tf.identity(x)}

    save_module(path, serve, _VECTOR)


def python_function(path: Path, mark: Path) -> None:
    """Call a Python function."""

    def build() -> Any:
        x = v1.placeholder(tf.float32, (None,), "x")
        y = v1.py_func(lambda value: mark.write_text("ran") and value, [x], tf.float32)
        return {"x": x}, {"y": tf.ensure_shape(y, (None,))}

    save_graph(path, build)


def vocabulary_elsewhere(path: Path, mark: Path) -> None:
    """Read a vocabulary that is not one of the model's assets."""
    mark.with_suffix(".txt").write_text("a\nb\n")

    def forget(graph: Any) -> None:
        del graph.asset_file_def[:]
        graph.collection_def.pop("saved_model_assets", None)

    table_of_file(path, mark.with_suffix(".txt"))
    change(path, forget)


def other_checkpoint(path: Path, mark: Path) -> None:
    """Read the checkpoint of another model in the signature."""

    def build() -> Any:
        x = v1.placeholder(tf.float32, (None,), "x")
        (found,) = tf.raw_ops.RestoreV2(
            prefix=str(mark), tensor_names=["w"], shape_and_slices=[""], dtypes=[tf.float32]
        )
        return {"x": x}, {"y": x + tf.reshape(found, ())}

    save_graph(path, build)


def save_in_signature(path: Path, mark: Path) -> None:
    """Write a checkpoint in the signature."""

    def build() -> Any:
        x = v1.placeholder(tf.float32, (None,), "x")
        save = tf.raw_ops.SaveV2(
            prefix=str(mark), tensor_names=["x"], shape_and_slices=[""], tensors=[x]
        )
        with tf.control_dependencies([save]):
            return {"x": x}, {"y": tf.identity(x)}

    save_graph(path, build)


def save_on_load(path: Path, mark: Path) -> None:
    """Run the operation that saves the checkpoint when the model is loaded."""

    def build() -> Any:
        x = v1.placeholder(tf.float32, (None,), "x")
        return {"x": x}, {"y": x * v1.get_variable("v", initializer=2.0)}

    def run_save(graph: Any) -> None:
        graph.collection_def["saved_model_main_op"].node_list.value[:] = ["save/SaveV2"]

    save_graph(path, build, run_save)


def table_of_file(path: Path, file: Path) -> None:
    """Look words up in a vocabulary that is an asset, in the form of TensorFlow 1."""

    def build() -> Any:
        x = v1.placeholder(tf.string, (None,), "x")
        return {"x": x}, {"y": _table(file).lookup(x)}

    save_graph(path, build, main_op=v1.tables_initializer)


def module_with_table(path: Path, file: Path) -> None:
    """Look words up in a vocabulary that is an asset, beside a variable and a mutable table."""
    module = tf.Module()
    module.table = _table(file)
    module.scale = tf.Variable(2, dtype=tf.int64)
    module.seen = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)

    def serve(x: Any) -> Any:
        return {"y": module.table.lookup(x) * module.scale, "z": module.seen.lookup(x)}

    words = tf.TensorSpec((None,), tf.string)
    module.serve = tf.function(serve, input_signature=[words], autograph=False)
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})


def _table(file: Path) -> Any:
    whole, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    words = tf.lookup.TextFileInitializer(str(file), tf.string, whole, tf.int64, number)
    return tf.lookup.StaticHashTable(words, -1)


def _dataset_that_writes(mark: Path) -> Any:
    """Return the graph of a dataset whose function writes a file, as bytes."""

    def write(value: Any) -> Any:
        with tf.control_dependencies([tf.io.write_file(str(mark), "ran")]):
            return tf.identity(value)

    rows = tf.data.Dataset.from_tensors(1.0).map(write)
    return rows._as_serialized_graph(allow_stateful=True).numpy()


MODELS: Mapping[str, tuple[Build, str, str]] = {
    # name → model, operation that is found, what it touches
    "write in a signature": (write_in_signature, "WriteFile", "files"),
    "read in a signature": (read_in_signature, "ReadFile", "files"),
    "write in a function": (write_in_function, "WriteFile", "files"),
    "write in a branch": (write_in_branch, "WriteFile", "files"),
    "write in a dataset": (write_in_map, "WriteFile", "files"),
    "write in an initializer": (write_in_initializer, "WriteFile", "files"),
    "graph in a constant": (graph_in_constant, "WriteFile", "files"),
    "print to a file": (print_to_file, "PrintV2", "files"),
    "Python function": (python_function, "PyFunc", "Python"),
    "vocabulary elsewhere": (vocabulary_elsewhere, "InitializeTableFromTextFileV2", "files"),
    "other checkpoint": (other_checkpoint, "RestoreV2", "files"),
    "save in a signature": (save_in_signature, "SaveV2", "files"),
    "save on load": (save_on_load, "SaveV2", "files"),
}


def write_all(home: Path) -> dict[str, Path]:
    """Write every model below a folder; no model may write the file `mark` beside it."""
    found = {}
    for number, (name, (build, _, _)) in enumerate(MODELS.items()):
        found[name] = home / str(number) / "model"
        found[name].parent.mkdir()
        build(found[name], home / str(number) / "mark")
    return found
