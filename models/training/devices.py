"""Chooses the devices for the training.

A TPU that the environment names comes first, then all GPUs, then the CPU. Several devices train
synchronously: each takes a part of a batch, and the gradients of all parts are summed
(`tf.distribute.MirroredStrategy`). One device needs no distribution: `OneDeviceStrategy` would read
rows through TensorFlow's multi-device iterator, whose thread can still read after `evaluate` has
freed the rows. On a busy machine, two trainings of seven ended with a segmentation fault
(TensorFlow 2.21).

Call `choose` before the first model is built, because the first operation fixes memory growth and
devices. A strategy distributes only `fit`; a custom loop runs on one device.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import tensorflow as tf

from models.refusal import DeviceError
from tfspark.errors import explain

__all__ = ["Devices", "choose"]

# Set on Cloud TPU machines.
TPU = "TPU_NAME"


class Devices(NamedTuple):
    """The devices of a training.

    Attributes:
        strategy: a model must be built inside its `scope()`.
        title: a readable name, such as `2 GPUs, synchronous`.
    """

    strategy: Any
    title: str


def choose() -> Devices:
    """Return the fastest available devices.

    GPU memory grows on demand, so that two processes can share a GPU. Logical devices
    (`tf.config.set_logical_device_configuration`) count as devices.

    Raises:
        DeviceError: when TensorFlow sees no device, or the environment names a TPU that does not
            answer.
    """
    if os.environ.get(TPU):
        return _tpu(os.environ[TPU])
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    for kind in ("GPU", "CPU"):
        names = [device.name for device in tf.config.list_logical_devices(kind)]
        if len(names) > 1:
            title = f"{len(names)} {kind}s, synchronous"
            return Devices(tf.distribute.MirroredStrategy(names), title)
        if names:
            return Devices(tf.distribute.get_strategy(), f"one {kind}")
    problem = "TensorFlow sees no device."
    hint = "check CUDA_VISIBLE_DEVICES and the settings of tf.config"
    raise DeviceError(explain(problem, expected="a TPU, a GPU or a CPU", found="none", hint=hint))


def _tpu(name: str) -> Devices:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(name)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return Devices(tf.distribute.TPUStrategy(resolver), f"TPU {name}")
    except Exception as exc:
        problem = f"The TPU {name} does not answer."
        hint = f"check the name, or unset {TPU} to train on GPUs or the CPU"
        found = f"{type(exc).__name__}: {str(exc).strip()}"
        raise DeviceError(explain(problem, expected="a TPU", found=found, hint=hint)) from exc
