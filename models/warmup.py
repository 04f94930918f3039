"""What an export says of itself: the sample it was checked on, with the live model's answers.

In: the sample and the answers by signature. Out: `assets.extra/tf_serving_warmup_requests`, which
TensorFlow Serving and tfspark run when they load the model, and `tfspark.testing.check_recorded`
compares with what the loaded model answers.

Source: https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from models.check import Arrays, ops_of
from tfspark.prediction_log_pb2 import PredictionLog
from tfspark.warmup import FILE

__all__ = ["changes_state", "write_requests"]


# Beginnings of the names of ops that write to a variable or a table.
_WRITING = ("Assign", "LookupTableInsert", "ResourceApply", "ResourceScatter")


def changes_state(function: Any) -> bool:
    """Whether running a concrete function changes what later runs answer.

    Such a signature gets no request: warming it up would be a run that nobody asked for.
    """
    return any(op.startswith(_WRITING) for op in ops_of(function.graph.as_graph_def()))


def write_requests(
    export_dir: Path, name: str, sample: Mapping[str, Arrays], answers: Mapping[str, Arrays]
) -> None:
    """Write one request a signature.

    Args:
        export_dir: folder that holds `saved_model.pb`.
        name: what the requests call the model; a server looks it up by its own configuration.
        sample: `{signature: {input: array}}`.
        answers: `{signature: {output: array}}`.
    """
    file = export_dir / FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature, inputs in sample.items():
            log = PredictionLog()
            log.predict_log.request.model_spec.name = name
            log.predict_log.request.model_spec.signature_name = signature
            _fill(log.predict_log.request.inputs, inputs)
            _fill(log.predict_log.response.outputs, answers[signature])
            writer.write(log.SerializeToString())


def _fill(tensors: Any, arrays: Arrays) -> None:
    for name, array in arrays.items():
        tensors[name].ParseFromString(tf.make_tensor_proto(array).SerializeToString())
