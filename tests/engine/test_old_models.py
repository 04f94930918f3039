"""SavedModels in the forms of TensorFlow 1, compared with a TensorFlow session."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tfspark import package
from tfspark.errors import InvalidModelError

ROWS = np.array([[1, 2], [3, 4]], np.float32)
ANSWERS = [[3.0], [5.0]]  # 2·x0 − x1 + 3


def save_old(path: Path, *, version: int = 2, sharded: bool = False) -> Path:
    """Write the linear model as a session of TensorFlow 1 does.

    Args:
        path: The export dir.
        version: Format of the checkpoint; 1 is the format of 2016.
        sharded: Whether the checkpoint may be in several files.
    """
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 2), name="x")
        weights = v1.get_variable("w", initializer=[[2.0], [-1.0]], use_resource=False)
        bias = v1.get_variable("b", initializer=[3.0], use_resource=False)
        y = tf.add(tf.matmul(x, weights), bias, name="y")
        session.run(v1.global_variables_initializer())
        info = v1.saved_model.utils.build_tensor_info
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": v1.saved_model.build_signature_def(
                    {"x": info(x)}, {"y": info(y)}, "tensorflow/serving/predict"
                )
            },
            saver=v1.train.Saver(sharded=sharded, write_version=version),
        )
        builder.save()
    return path


def answers_of_a_session(path: Path) -> list:
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        v1.saved_model.load(session, ["serve"], str(path))
        return session.run("y:0", {"x:0": ROWS}).tolist()


@pytest.mark.parametrize("engine", ["auto", "tensorflow"])
@pytest.mark.parametrize("version", [1, 2])
def test_checkpoints_of_both_formats_are_restored(tmp_path, open_engine, engine, version):
    path = save_old(tmp_path / "m", version=version)
    assert (path / "variables" / "variables").is_file() is (version == 1)
    assert answers_of_a_session(path) == ANSWERS
    found = open_engine(package.load(path), engine).run({"x": ROWS})
    assert found["y"].tolist() == ANSWERS


def test_a_checkpoint_of_2016_in_several_files_is_refused_as_by_tensorflow(tmp_path):
    path = save_old(tmp_path / "m", version=1, sharded=True)
    with pytest.raises(ValueError, match="not a valid checkpoint"):
        answers_of_a_session(path)
    with pytest.raises(InvalidModelError, match=r"variables/variables\.index"):
        package.load(path)
