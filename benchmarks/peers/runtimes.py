"""Opens a model in another runtime than TensorFlow: ONNX Runtime or OpenVINO. Worker.

Each opener has the arguments and the result of `open_signature`, and uses one thread: a task of
Spark has one core. The runtime is imported when the model is opened; until then, this module needs
only the standard library. `python -m benchmarks.peers.runtimes RUNTIME TASK` scores a row of zeros,
so that the driver learns before a run whether the runtime can load the model.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.signature_call import Opener
from benchmarks.task import Task


def onnx_file(export_dir: str) -> Path:
    """Return the path of the converted model, in a folder beside that of all models."""
    base = Path(export_dir).parent
    return base.parent.parent / "onnx" / f"{base.name}.onnx"


def open_onnx(export_dir: str, shape: tuple[int, ...], width: int) -> Callable[[Any], Any]:
    """Open the converted model in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        onnx_file(export_dir), options, providers=["CPUExecutionProvider"]
    )
    (given,) = session.get_inputs()

    def predict(inputs: Any) -> Any:
        (outputs,) = session.run(None, {given.name: inputs.reshape(-1, *shape)})
        return outputs.reshape(-1) if width == 1 else outputs

    return predict


def open_openvino(export_dir: str, shape: tuple[int, ...], width: int) -> Callable[[Any], Any]:
    """Open the SavedModel in OpenVINO."""
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(export_dir),
        "CPU",
        {
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            # Tasks are not bound to cores, and two pinned threads could share a core.
            "ENABLE_CPU_PINNING": False,
            # Some processors would otherwise compute with 16 bits, and the answers would differ.
            "INFERENCE_PRECISION_HINT": "f32",
        },
    )
    request = compiled.create_infer_request()

    def predict(inputs: Any) -> Any:
        request.infer([inputs.reshape(-1, *shape)], share_inputs=True)
        outputs = request.get_output_tensor().data.copy()
        return outputs.reshape(-1) if width == 1 else outputs

    return predict


RUNTIMES: dict[str, Opener] = {"onnx": open_onnx, "openvino": open_openvino}


def main() -> None:
    """Score a row of zeros."""
    import numpy as np

    runtime, task = sys.argv[1], Task.from_json(json.loads(sys.argv[2]))
    number = np.int32 if task.integers else np.float32
    zeros = np.array([""], object) if task.strings else np.zeros((1, task.size), number)
    RUNTIMES[runtime](task.export_dir, task.shape, task.width)(zeros)


if __name__ == "__main__":
    main()
