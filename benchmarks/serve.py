"""Serves the sides of a system in a separate process: runs tasks on request, and times them.

This module serves every side, of tfspark and of the peers: the process starts, opens a session of
its system, reports that it is ready, and then runs one task per line of its input. So sides with
different environments can take turns in one benchmark, and none of them has another's modules,
threads, sessions or models in its memory.

Standard library only. Only the function of the side is timed. Before it, the output is removed,
garbage is collected, and the data of the last run are written to the disk.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

from benchmarks.task import Task

# Runs a task; when it returns, the output is complete.
Side: TypeAlias = Callable[[Task], None]


def serve(open_sides: Callable[[], AbstractContextManager[Mapping[str, Side]]]) -> None:
    """Open sides and answer requests until the input ends.

    Args:
        open_sides: Opens the system under test; yields side name → function. An exception in a
            function ends the process, and the client shows the traceback from stderr.
    """
    # Output of libraries must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    start = time.perf_counter()
    with open_sides() as sides:
        _answer(answers, {"ready": time.perf_counter() - start, "sides": sorted(sides)})
        for line in sys.stdin:
            request = json.loads(line)
            task = Task.from_json(request["task"])
            _answer(answers, {"seconds": _timed(sides[request["side"]], task)})


def _timed(side: Side, task: Task) -> float:
    shutil.rmtree(task.out, ignore_errors=True)
    gc.collect()
    os.sync()
    start = time.perf_counter()
    side(task)
    return time.perf_counter() - start


def _answer(stream: Any, words: dict[str, Any]) -> None:
    stream.write(json.dumps(words) + "\n")
