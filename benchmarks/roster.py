"""The list of all sides: name, process, and choice of the batch size. Driver.

A side is one way of scoring; a group is a process that serves some sides. Groups keep the systems
apart, so that the imported modules, thread pools, sessions and compiled code of one system do not
affect another.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.client import ROOT, Process

ENVIRONMENTS = ROOT / "benchmarks" / ".envs"
# By default, TensorFlow uses every core in each process, so two tasks on two cores would compete.
# tfspark sets the number of threads itself; for all other sides it is set here.
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
# All threads of a process share these pools, so a pool needs as many threads as callers.
IN_THREADS = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "2"}


@dataclass(frozen=True)
class SideOf:
    """One side.

    Attributes:
        name: The name in its process.
        title: The title in the report.
        group: The name of its process.
        batch: `own`: the side chooses; `128`; `best`: the fastest of the case's candidates;
            otherwise the name of a side whose batch size it takes.
        family: Sides of one family are ways to use one system; a target counts for each.
        cases: The cases it takes part in; empty for all.
        rows: Number of rows, if all rows would take too long; rows/s are compared.
        cold: Whether its first run in a fresh process is measured.
        choices: Further settings to try. Such a search takes long, so its result is kept.
        slow: Whether it has rounds of its own, so that the rounds of the other sides stay short.
    """

    name: str
    title: str
    group: str
    batch: str = "own"
    family: str = ""
    cases: tuple[str, ...] = ()
    rows: int | None = None
    cold: bool = True
    choices: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    slow: bool = False

    def takes(self, case: Case) -> bool:
        """Whether it takes part in a case."""
        return not self.cases or case.name in self.cases

    @property
    def is_peer(self) -> bool:
        """Whether it runs in an environment of its own."""
        return self.group in PEER_OF


# The group that needs the Scala bridge's jar.
BRIDGE = "jvm"
MAIN = ("linear", "mlp", "cifar2")

SIDES = (
    SideOf("floor", "floor: pyarrow and the engine, no Spark", "floor", "best"),
    SideOf("job", "**tfspark** job, direct path", "tfspark"),
    SideOf("job_fastest", '**tfspark** job, `engine="fastest"`', "tfspark", cold=False),
    SideOf("job_spark", "**tfspark** job, through Spark's sources", "tfspark", cold=False),
    SideOf("predict", "**tfspark** `predict` on Parquet files", "tfspark"),
    SideOf(
        "predict_fastest",
        '**tfspark** `predict` on Parquet files, `engine="fastest"`',
        "tfspark",
        cases=("cifar2", "mobilenet"),
        cold=False,
    ),
    SideOf("predict_rows", "**tfspark** `predict` on rows from the JVM", "tfspark", cold=False),
    SideOf(
        "predict_unbounded",
        "**tfspark** `predict` on rows from the JVM, without Arrow's byte limit",
        "tfspark",
        cases=("linear", "mlp"),
        cold=False,
    ),
    SideOf("jvm", "**tfspark** `predict`, SQL operator in the JVM", BRIDGE),
    SideOf("pass_through", "pass-through: Spark reads and writes, no model", "tfspark", cold=False),
    SideOf("sql", "Spark SQL, the formula itself", "tfspark", cases=("linear",), cold=False),
    SideOf("batch_udf", "`predict_batch_udf`, best batch", "batch_udf", "best"),
    SideOf(
        "batch_udf_unbounded",
        "`predict_batch_udf`, best batch, without Arrow's byte limit",
        "batch_udf",
        "best",
        cases=("linear", "mlp"),
        cold=False,
    ),
    SideOf("batch_udf_128", "`predict_batch_udf`, batch 128", "batch_udf", "128", cold=False),
    SideOf("pandas_udf", "iterator pandas UDF", "pandas_udf", "best", cold=False),
)

# The search begins with the first value of each.
RAY_CHOICES = {
    "actors": (0, 2),
    "blocks": (0, 4),
    "format": ("pyarrow", "numpy"),
    "zero_copy": (True, False),
}
_OURS = (
    "floor",
    "job",
    "job_fastest",
    "predict",
    "predict_fastest",
    "predict_rows",
    BRIDGE,
    "batch_udf",
)

PEERS = (
    *(side for side in SIDES if side.name in _OURS),
    SideOf("onnx_udf", "ONNX Runtime, iterator pandas UDF", "onnx", "best", "onnx"),
    SideOf("onnx_batch_udf", "ONNX Runtime, `predict_batch_udf`", "onnx", "best", "onnx"),
    SideOf("openvino_udf", "OpenVINO, iterator pandas UDF", "openvino", "best", "openvino"),
    SideOf("openvino_batch_udf", "OpenVINO, `predict_batch_udf`", "openvino", "best", "openvino"),
    SideOf("daft_threads", "Daft class, threads", "daft_threads", "best", "daft"),
    SideOf("daft", "Daft class, processes", "daft", "daft_threads", "daft", slow=True),
    SideOf("ray", "Ray Data `map_batches`", "ray", "best", "ray", choices=RAY_CHOICES, slow=True),
    # The Keras flavour is so slow that a fortieth of the rows is enough.
    SideOf(
        "mlflow",
        "mlflow `spark_udf`, Keras model",
        "mlflow",
        "best",
        "mlflow",
        ("linear", "mlp"),
        rows=200_000,
        slow=True,
    ),
    SideOf(
        "mlflow_own",
        "mlflow `spark_udf`, own Python model",
        "mlflow",
        "best",
        "mlflow",
        MAIN,
        slow=True,
    ),
)

_MODULES = {
    "floor": ("benchmarks.floor",),
    "tfspark": ("benchmarks.spark_sides", "tfspark"),
    BRIDGE: ("benchmarks.spark_sides", BRIDGE),
    "batch_udf": ("benchmarks.spark_sides", "batch_udf"),
    "pandas_udf": ("benchmarks.spark_sides", "pandas_udf"),
    "onnx": ("benchmarks.spark_sides", "onnx"),
    "openvino": ("benchmarks.spark_sides", "openvino"),
    "ray": ("benchmarks.peers.ray_data",),
    "daft": ("benchmarks.peers.daft_class",),
    "daft_threads": ("benchmarks.peers.daft_class",),
    "mlflow": ("benchmarks.peers.mlflow_udf",),
}
# The environment of a group; the others use that of tfspark.
PEER_OF = {
    "onnx": "onnx",
    "openvino": "openvino",
    "ray": "ray",
    "daft": "daft",
    "daft_threads": "daft",
    "mlflow": "mlflow",
}
ENVIRONMENTS_OF_PEERS = (*dict.fromkeys(PEER_OF.values()), "tf2onnx")
_THREADS = {"floor": {}, "tfspark": {}, BRIDGE: {}, "daft_threads": IN_THREADS}
_ON_SPARK = ("tfspark", BRIDGE, "batch_udf", "pandas_udf", "onnx", "openvino", "mlflow")


def python_of(group: str) -> str:
    """Return the interpreter of a group: each peer has its own environment."""
    return python_in(PEER_OF[group]) if group in PEER_OF else sys.executable


def python_in(peer: str) -> str:
    """Return the interpreter of a peer's environment."""
    return str(ENVIRONMENTS / peer / "bin" / "python")


def start(
    group: str, logs: Path, slots: int = 2, conf: Sequence[str] = (), root: Path = ROOT
) -> Process:
    """Start the process of a group with a number of task slots, from the checkout in `root`."""
    command = [python_of(group), "-m", *_MODULES[group]]
    if group in _ON_SPARK:
        command += ["--master", f"local[{slots}]", *(f"--conf={setting}" for setting in conf)]
    else:
        command += ["--slots", str(slots)]
    return Process(command, logs / f"{group}.log", _THREADS.get(group, ONE_THREAD), root)
