"""A GPU and the processor: tfspark's runner, and the engine alone: `python -m benchmarks.gpu`.

There is no Spark. For each case, a process calls the engine in a loop, with batches that lie in
memory. The runner then scores the same rows as record batches, as it does in a task of Spark. More
processes measure two tasks on one GPU, the answers without TF32, and the engine on the processor.
`nvidia-smi` gives the memory. Without a GPU, `--device cpu` measures only the processor. Prints
Markdown; `--out` stores all figures after each step.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import BY_NAME
from benchmarks.gpu_task import Plan, smi
from benchmarks.machine import machine

_LIMIT = 300.0  # seconds of one process
_TF32_OFF = {"NVIDIA_TF32_OVERRIDE": "0"}
_AUTOTUNE_OFF = {"TF_CUDNN_USE_AUTOTUNE": "0"}


@dataclass(frozen=True)
class Amount:
    """How much of a case is measured.

    Attributes:
        rows: Rows on the GPU.
        batches: Batch sizes of the engine's loop there.
        cpu_rows: Rows on the processor.
        cpu_batches: Batch sizes there.
    """

    rows: int
    batches: tuple[int, ...]
    cpu_rows: int
    cpu_batches: tuple[int, ...]


AMOUNTS = {
    "cifar2": Amount(40_960, (80, 512, 1024, 2048, 5120), 4096, (64, 256)),
    "mobilenet": Amount(5120, (8, 64, 256, 512, 1024), 256, (8, 32)),
    "resnet": Amount(1024, (1, 16, 64, 128, 256), 16, (1, 8)),
    "encoder": Amount(16_384, (16, 256, 1024, 2048), 128, (8, 32)),
}


class Figures:
    """The figures so far, stored in a file after each step."""

    def __init__(self, out: Path | None) -> None:
        self.out = out
        self.found: dict[str, Any] = {
            "machine": machine(),
            "card": smi("--query-gpu=name,driver_version,memory.total"),
            "packages": _packages(),
            "cases": {},
        }

    def add(self, case: str, step: str, figures: dict[str, Any]) -> None:
        """Store the figures of one step of a case."""
        self.found["cases"].setdefault(case, {})[step] = figures
        print(f"{case}: {step}", file=sys.stderr, flush=True)
        if self.out is not None:
            self.out.write_text(json.dumps(self.found, indent=1) + "\n")


def main() -> None:
    """Measure the cases and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("benchmarks/data"))
    parser.add_argument("--case", action="append", choices=list(AMOUNTS))
    parser.add_argument("--device", default="0", help="address of the GPU, or cpu")
    parser.add_argument("--seconds", type=float, default=1.0, help="of one measurement")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    figures, models = Figures(chosen.out), chosen.data / "models"
    with tempfile.TemporaryDirectory() as answers:
        sides = [
            Case(name, models / name, figures, Path(answers), chosen.seconds)
            for name in chosen.case or AMOUNTS
        ]
        if chosen.device != "cpu":
            for side in sides:
                side.on_gpu(chosen.device)
        for side in sides:
            side.on_cpu(is_only=chosen.device == "cpu")
    print("\n".join(table(figures.found)))


@dataclass(frozen=True)
class Case:
    """The measurements of one case.

    Attributes:
        name: Name of the case.
        model: Its model.
        figures: Receives the figures.
        answers: Folder for the answers of each device.
        seconds: Time of each measurement.
    """

    name: str
    model: Path
    figures: Figures
    answers: Path
    seconds: float

    def on_gpu(self, address: str) -> None:
        """Measure one task, two tasks, and the answers with and without TF32."""
        amount = AMOUNTS[self.name]
        one = replace(self._plan(amount.rows), gpu=address)
        tf32, exact = self._file("TF32"), self._file("without TF32")
        whole = replace(one, batches=amount.batches, runner=True, files=True, answers=tf32)
        self.figures.add(self.name, "gpu", run(whole))
        self.figures.add(self.name, "two tasks", together([replace(one, runner=True)] * 2))
        run(replace(one, answers=exact), _TF32_OFF)
        untuned = run(replace(one, batches=amount.batches[1:-1]), _AUTOTUNE_OFF)
        self.figures.add(self.name, "without autotuning", untuned)

    def on_cpu(self, *, is_only: bool) -> None:
        """Measure the processor, and how far the answers of the GPU are from its answers."""
        amount, wanted = AMOUNTS[self.name], self._file("cpu")
        plan = replace(self._plan(amount.cpu_rows), batches=amount.cpu_batches, answers=wanted)
        if is_only:
            plan = replace(plan, runner=True, files=True)
        for threads in dict.fromkeys((1, os.cpu_count() or 1)):
            found = run(replace(plan, threads=threads))
            self.figures.add(self.name, f"cpu, threads: {threads}", found)
        files = {kind: Path(self._file(kind)) for kind in ("TF32", "without TF32")}
        found = {
            kind: difference(np.load(wanted), np.load(file))
            for kind, file in files.items()
            if file.exists()
        }
        self.figures.add(self.name, "difference", found)

    def _plan(self, rows: int) -> Plan:
        vocabulary = BY_NAME[self.name].vocabulary
        return Plan(str(self.model), rows, seconds=self.seconds, vocabulary=vocabulary)

    def _file(self, kind: str) -> str:
        return str(self.answers / f"{self.name}, {kind}.npy")


def difference(wanted: Any, found: Any) -> float:
    """Return the largest difference, relative to the largest answer."""
    rows = min(len(wanted), len(found))
    return float(np.abs(wanted[:rows] - found[:rows]).max() / np.abs(wanted[:rows]).max())


def run(plan: Plan, settings: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Carry out a plan in a process of its own."""
    with _started(plan, settings or {}) as process:
        return _result(process)


def together(plans: Sequence[Plan]) -> dict[str, Any]:
    """Measure the runner in several processes at the same time; sample the memory of the card."""
    with ExitStack() as stack:
        shared = [replace(plan, share=True, seconds=4 * plan.seconds) for plan in plans]
        processes = [stack.enter_context(_started(plan, {})) for plan in shared]
        for process in processes:
            assert process.stdout is not None
            while process.stdout.readline().strip() not in ("ready", ""):
                continue
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        time.sleep(2 * plans[0].seconds)
        memory = smi("--query-compute-apps=pid,used_memory").splitlines()
        rates = [_result(process)["runner"]["rate"] for process in processes]
    return {"rates": rates, "memory": memory}


@contextmanager
def _started(plan: Plan, settings: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Start the process of a plan; it has ended when the block ends."""
    text = replace(plan, started=time.time()).to_json()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.gpu_task", text],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _result(process: subprocess.Popen[str]) -> dict[str, Any]:
    said, _ = process.communicate(timeout=_LIMIT)
    if process.returncode:
        raise RuntimeError(f"a process of the benchmark ended with {process.returncode}")
    result: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    return result


def _packages() -> list[str]:
    wanted = ("nvidia-", "tensorflow", "numpy", "pyarrow")
    found = ((str(one.metadata["Name"]), one.version) for one in distributions())
    return sorted({f"{name} {version}" for name, version in found if name.startswith(wanted)})


def table(found: Mapping[str, Any]) -> list[str]:
    """Return the figures as Markdown."""
    facts = found["machine"]
    return [
        f"{found['card'] or 'no GPU'}; {facts['processor']}, {facts['cores']} cores",
        ", ".join(found["packages"]),
        "",
        "| case | device | batch | engine, rows/s | first result | runner | given that batch |",
        "|---|---|---:|---:|---:|---:|---:|",
        *(
            _row(name, step, one)
            for name, steps in found["cases"].items()
            for step, one in steps.items()
            if one.get("calls")
        ),
    ]


def _row(name: str, step: str, found: Mapping[str, Any]) -> str:
    best = max(found["calls"], key=lambda one: one["rate"])
    rates = [found[side]["rate"] if side in found else None for side in ("runner", "given")]
    runner, given = ("" if one is None else f"{one / best['rate']:.2f}" for one in rates)
    first = f"{found['first']['result']:.1f} s"
    figures = f"{best['batch']} | {best['rate']:,.0f} | {first} | {runner} | {given}"
    return f"| {name} | {step} | {figures} |"


if __name__ == "__main__":
    main()
