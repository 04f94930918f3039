"""Shows TensorFlow the GPUs that a scheduler gave this process, and fails without them.

Takes device addresses, as `nvidia-smi` numbers or names them; CUDA then shows the process only
these. Executor only. Spark is not known here: the caller says which GPUs a task has.

Invariant: a process keeps the GPUs of its first load, because CUDA reads its environment once; a
reused worker that is later given others goes on with those it has.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from tfspark.errors import EngineError, explain

# https://docs.nvidia.com/cuda/cuda-c-programming-guide/ (environment variables). CUDA numbers the
# fastest GPU first unless it is told to number them as nvidia-smi and Spark's discovery do.
_VISIBLE, _ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"


def show(addresses: Collection[str]) -> None:
    """Show CUDA these GPUs alone; to be called before the first model is loaded."""
    os.environ[_ORDER] = "PCI_BUS_ID"
    os.environ[_VISIBLE] = ",".join(addresses)


def check(device_types: Collection[str]) -> None:
    """Refuse to go on without a GPU.

    Args:
        device_types: Types of the devices that TensorFlow sees, such as `CPU`.

    Raises:
        EngineError: When there is no GPU among them.
    """
    if "GPU" not in device_types:
        raise EngineError(
            explain(
                "TensorFlow does not see the GPU that this task was given.",
                expected=f"GPU {os.environ.get(_VISIBLE, '')}",
                found=", ".join(sorted(set(device_types))) or "no device",
                hint="install tensorflow[and-cuda] and a driver where the tasks run, "
                "or leave spark.task.resource.gpu.amount out to score on CPUs.",
            )
        )
