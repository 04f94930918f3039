"""The name of a run, which is a part of file names. Driver.

The name comes from this process, or from a record that another program may have written. A name
from a record is checked before it becomes a part of a path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from tfspark.errors import OutputBusyError, explain

# Names of runs, of recoveries and of earlier versions; none has a separator of folders.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def new_run_name(now: datetime) -> str:
    """Return a name that no other run has."""
    return f"{now:%Y%m%d-%H%M%S}-{uuid4().hex[:8]}"


def is_run_name(value: object) -> bool:
    """Whether a value can be the name of a run."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def check_run_name(report: Mapping[str, Any]) -> None:
    """Refuse the report of an earlier run with a name of a run that could lead to another folder.

    Raises:
        OutputBusyError: No job writes such a report.
    """
    if "run" in report and not is_run_name(report["run"]):
        raise OutputBusyError(
            explain(
                "The record of an earlier run is not one that a job writes.",
                expected="a report with the name of a run",
                found=repr(report["run"]),
                hint="find out who wrote it; with another --run-id, it is not used.",
            )
        )
