"""A process that runs a job without Spark and ends before one operation: `killed_job.py OUT N`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.faults.stopping_store import Stopped, StoppingStore
from tests.faults.test_commit_faults import Job
from tfspark.scoring.output.owner import Owner


def main(output: str, mode: str, allowed: str) -> None:
    job = Job(Path(output), "A", mode)  # type: ignore[arg-type]
    job.runs = os.getpid()  # a different name for each run
    try:
        job.run(StoppingStore(int(allowed)), Owner.this_process())
    except Stopped:
        os._exit(9)


if __name__ == "__main__":
    main(*sys.argv[1:])
