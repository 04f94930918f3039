"""Writes the sample and the answers of the live model into the export, as warm-up requests.

The file is `assets.extra/tf_serving_warmup_requests`. TensorFlow Serving and tfspark run its
requests when they load the model, and `tfspark.testing.check_recorded` compares the recorded
answers with those of the loaded model.

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


# Beginnings of the names of ops that write to a variable, a table or a generator of random numbers.
_WRITING = (
    *("Assign", "ResourceApply", "ResourceCountUpTo", "ResourceScatter", "ResourceSparseApply"),
    *("LookupTableImport", "LookupTableInsert", "LookupTableRemove", "ResourceStridedSliceAssign"),
    *("RngReadAndSkip", "RngSkip"),
)


def changes_state(function: Any) -> bool:
    """Whether a run of a concrete function changes the answers of later runs.

    Such a signature gets no request, because warming up would change its state.
    """
    return any(op.startswith(_WRITING) for op in ops_of(function.graph.as_graph_def()))


def write_requests(
    export_dir: Path, name: str, sample: Mapping[str, Arrays], answers: Mapping[str, Arrays]
) -> None:
    """Write one request per signature.

    Args:
        export_dir: folder that holds `saved_model.pb`.
        name: name of the model in the requests; a server uses the name from its own configuration.
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
