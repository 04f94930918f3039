"""Loads and runs damaged models with the native engine, each in a separate process.

`python native_child.py MODEL WORK FILE:SEED …` prints one line for each: how its process ended.
A crash of TensorFlow's C library ends only that process; the signal shows the crash.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import traceback
from pathlib import Path

import numpy as np
from mutations import mutated

from tfspark.engine import EngineOptions
from tfspark.errors import TfsparkError
from tfspark.handle import ModelHandle
from tfspark.package import load

SECONDS = 60
MEMORY = 16 << 30  # limit of addresses; TensorFlow reserves many
ENDS = {0: "ran", 3: "a typed error", 4: "another error"}


def score(model: Path, work: Path, file: str, seed: int) -> int:
    """Damage a copy of the model, run it, and return how it ended."""
    signal.alarm(SECONDS)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path = Path(shutil.copytree(model, work / f"{file}-{seed}".replace("/", "-")))
    (path / file).write_bytes(mutated((model / file).read_bytes(), seed))
    try:
        engine = ModelHandle.of(load(path), options=EngineOptions(name="native")).open()
        engine.run({"inputs": np.array([[1, 2], [3, 4]], np.float32)})
    except TfsparkError:
        return 3
    except Exception:  # the test fails on this code; the traceback shows the reason
        traceback.print_exc()
        return 4
    return 0


def end_of(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    code = os.WEXITSTATUS(status)
    return ENDS.get(code, f"exit {code}")


def main(model: str, work: str, *cases: str) -> None:
    for case in cases:
        file, _, seed = case.rpartition(":")
        child = os.fork()
        if not child:
            os._exit(score(Path(model), Path(work), file, int(seed)))
        print(f"{case}\t{end_of(os.waitpid(child, 0)[1])}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
