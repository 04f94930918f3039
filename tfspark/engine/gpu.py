"""Restricts this process to the GPUs that Spark assigned, and checks that TensorFlow uses them.

Takes device addresses, which are numbers or names from `nvidia-smi`; CUDA then shows only these
devices to the process. Executor only. No Spark: the caller decides whether a GPU is needed.

Invariant: a process keeps the GPUs of its first load, because CUDA reads its environment once. A
reused worker that is later assigned other GPUs continues with the first ones.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from tfspark.engine.protocol import MachineError
from tfspark.errors import explain

# https://docs.nvidia.com/cuda/cuda-c-programming-guide/ (environment variables). By default CUDA
# gives the fastest GPU the number 0; PCI_BUS_ID gives the numbers that nvidia-smi and Spark use.
_VISIBLE, _ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"


def show(addresses: Collection[str]) -> None:
    """Make only these GPUs visible to CUDA; call it before the first model is loaded."""
    os.environ[_ORDER] = "PCI_BUS_ID"
    os.environ[_VISIBLE] = ",".join(addresses)


def check(device_types: Collection[str]) -> None:
    """Raise an error when TensorFlow sees no GPU.

    Args:
        device_types: Types of the devices that TensorFlow sees, such as `CPU`.

    Raises:
        MachineError: When there is no GPU among them.
    """
    if "GPU" not in device_types:
        raise MachineError(
            explain(
                "TensorFlow does not see the GPU that this task was given.",
                expected=f"GPU {os.environ.get(_VISIBLE, '')}",
                found=", ".join(sorted(set(device_types))) or "no device",
                hint="install tensorflow[and-cuda] and a driver where the tasks run, "
                "or leave spark.task.resource.gpu.amount out to score on CPUs.",
            )
        )
