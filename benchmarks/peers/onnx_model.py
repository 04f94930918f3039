"""Converts a SavedModel to ONNX with tf2onnx.

Run as a process (`python -m benchmarks.peers.onnx_model TASK`) in the environment of
`tf2onnx.txt`, before the measurement; TASK is a `Task` as JSON. The file is renamed
when it is complete. If a model cannot be converted, the process ends with the reason.
"""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.peers.runtimes import onnx_file
from benchmarks.task import Task

OPSET = 18
# Precedes tf2onnx's messages about operations that it cannot convert.
MARK = " - ERROR - "


def convert(task: Task) -> None:
    """Write the converted model."""
    file = onnx_file(task.export_dir)
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}")
    command = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", task.export_dir]
    command += ["--opset", str(OPSET), "--output", str(aside)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # tf2onnx also writes a file when it has no ONNX operation for one of TensorFlow's.
    problems = [words for line in done.stderr.splitlines() if (words := line.partition(MARK)[2])]
    if done.returncode or problems:
        aside.unlink(missing_ok=True)
        raise SystemExit("\n".join(problems) or done.stderr)
    aside.rename(file)


if __name__ == "__main__":
    convert(Task.from_json(json.loads(sys.argv[1])))
