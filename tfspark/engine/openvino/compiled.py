"""Compiles a signature for the CPU, and keeps the compiled model on the node. Executor.

A kept model is a file in the node's private folder. It contains a digest, the names of the inputs
and the compiled model in OpenVINO's format. A worker that finds it reads neither the graph nor the
variables.

Invariants: the name of the file depends on the model's digest, tag set, signature, settings,
versions and CPU. A rename makes the complete file visible. The file is checked before use; a
damaged file is compiled again. Without a digest of the model, nothing is kept.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tfspark.engine.openvino.conversion import convert
from tfspark.engine.openvino.messages import reason_of
from tfspark.engine.openvino.operations import cannot, check
from tfspark.engine.protocol import EngineOptions
from tfspark.node_folder import cache_root
from tfspark.signature import Signature

_log = logging.getLogger(__name__)

_FOLDER = "openvino"
_RULES = 1  # version of the conversion, part of the file name; increase it after changes


@dataclass(frozen=True)
class CompiledModel:
    """A compiled model with its inputs and outputs.

    Attributes:
        compiled: OpenVINO's model.
        inputs: Names of its inputs, in the order of the signature.
        tensors: Graph tensors of its first outputs; the other outputs are guards.
    """

    compiled: Any
    inputs: tuple[str, ...]
    tensors: tuple[str, ...]


def compiled(
    export_dir: str, tags: tuple[str, ...], signature: Signature, options: EngineOptions
) -> CompiledModel:
    """Return a signature compiled for this CPU, from the node's folder or by conversion.

    Raises:
        CannotServeError: When OpenVINO cannot run the signature as TensorFlow does.
    """
    settings = _settings(options)
    tensors = _tensors(signature)
    file = _file(tags, signature, options, settings)
    kept = _read(file, settings) if file else None
    if kept is not None:
        return CompiledModel(*kept, tensors)
    used = check(export_dir, tags, signature)
    fed = [spec for spec in signature.inputs if spec.name in used]
    model = convert(export_dir, tags, fed, tensors)
    try:
        made = _core().compile_model(model, "CPU", settings)
    except RuntimeError as error:
        raise cannot(reason_of(error)) from error
    names = tuple(spec.name for spec in fed)
    if file:
        _write(file, made, names)
    return CompiledModel(made, names, tensors)


def _settings(options: EngineOptions) -> dict[str, Any]:
    """Return OpenVINO's settings: one stream, and the arithmetic of TensorFlow.

    Threads are not pinned, because the threads of two workers could share a core. Source:
    https://docs.openvino.ai (CPU device).
    """
    return {
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": options.intra_op_threads,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "f32",
        "EXECUTION_MODE_HINT": "ACCURACY",
        "CPU_DENORMALS_OPTIMIZATION": True,
    }


@cache
def _core() -> Any:
    """Return the OpenVINO core of this process; created at the first load, after the fork."""
    import openvino as ov

    return ov.Core()


def _tensors(signature: Signature) -> tuple[str, ...]:
    """Return the tensors to compute, without duplicates and without fed tensors."""
    fed = {spec.tensor for spec in signature.inputs}
    return tuple(dict.fromkeys(spec.tensor for spec in signature.outputs if spec.tensor not in fed))


def _file(
    tags: tuple[str, ...], signature: Signature, options: EngineOptions, settings: dict[str, Any]
) -> Path | None:
    """Return the file of the compiled model; `None` when it is not kept."""
    if not options.digest:
        return None
    import openvino as ov

    core = _core()
    cpu = [
        core.get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")
    ]
    parts = [_RULES, ov.get_version(), *cpu, sorted(settings.items()), tags, signature.to_json()]
    key = hashlib.sha256(repr(parts).encode()).hexdigest()
    return cache_root() / _FOLDER / f"{options.digest}.{key[:16]}"


def _read(file: Path, settings: dict[str, Any]) -> tuple[Any, tuple[str, ...]] | None:
    """Return the kept model and its inputs; `None` when there is no usable one."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _log.warning("the compiled model %s cannot be read: %s", file, error)
        return None
    digest, rest = content[:32], memoryview(content)[32:]
    if hashlib.sha256(rest).digest() != digest:
        _log.warning("the compiled model %s is damaged and is compiled again", file)
        return None
    head, _, _ = bytes(rest[: 1 << 16]).partition(b"\n")
    try:
        made = _core().import_model(bytes(rest[len(head) + 1 :]), "CPU", settings)
    except RuntimeError as error:
        _log.warning(
            "OpenVINO cannot read %s, so the model is compiled again: %s", file, reason_of(error)
        )
        return None
    return made, tuple(json.loads(head))


def _write(file: Path, made: Any, names: tuple[str, ...]) -> None:
    """Keep a compiled model; only log an error, such as a full disk."""
    exported: io.BytesIO = made.export_model()
    content = json.dumps(names).encode() + b"\n" + exported.getvalue()
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor, aside = tempfile.mkstemp(dir=file.parent)
        try:
            with os.fdopen(descriptor, "wb") as out:
                out.write(hashlib.sha256(content).digest() + content)
            Path(aside).replace(file)
        finally:
            Path(aside).unlink(missing_ok=True)
    except OSError as error:
        _log.warning("the compiled model cannot be kept on the node: %s", error)
