"""A side in a process of its own that runs tasks when it is told to, and times them.

Every side, of tfspark and of the peers, is served by this one module: the process starts, opens
what a session of that system opens, says so, and then runs one task per line on its input. So sides
take turns in one benchmark although they live in different environments, and none of them finds
another's modules, threads, sessions or models in its memory.

Standard library only. The clock runs around the side's function alone: before it the output is
removed, garbage collected and the disk given time to write what the last run left.
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

# Runs a task to its end: when it returns, the output is complete.
Side: TypeAlias = Callable[[Task], None]


def serve(open_sides: Callable[[], AbstractContextManager[Mapping[str, Side]]]) -> None:
    """Open sides and answer requests until the input ends.

    Args:
        open_sides: Opens the system under test; gives side name → function. What a function raises
            ends the process, and the traceback on stderr is what the other end shows.
    """
    # What a library prints must not come between the answers.
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
