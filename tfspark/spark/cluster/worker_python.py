"""Finds workers of a local session that run another Python, before the first task. Driver.

Spark starts its workers with PYSPARK_PYTHON, otherwise with the `python3` on PATH. If this is not
the driver's Python, a task can fail with `No module named 'tfspark'`. In a local session the driver
starts that Python once and checks it. On a cluster this is not possible; `failures` explains the
failed task.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from pyspark.sql import SparkSession

from tfspark.engine.registry import packages_of
from tfspark.errors import EngineError, explain, listing
from tfspark.options import AnyEngine
from tfspark.spark.cluster.session_kind import is_classic

_NEEDED = frozenset({"google.protobuf", "numpy", "pyarrow", "tfspark"})
_PROGRAM = """
import sys
from importlib.util import find_spec
def is_there(name):
    try:
        return find_spec(name) is not None
    except ImportError:  # the package above it is missing
        return False
print("%d.%d" % sys.version_info[:2], *[name for name in sys.argv[1:] if not is_there(name)])
"""


def check_worker_python(spark: SparkSession, engine: AnyEngine = "auto") -> None:
    """Refuse a local session whose workers lack packages, or run another Python version.

    Args:
        spark: The session.
        engine: The engine, whose package the workers need.

    Raises:
        EngineError: The hint gives the setting that makes the workers run this Python.
    """
    command = _local_command(spark)
    if command is None or _is_this_python(shutil.which(command)):
        return
    shipped = {"tfspark"} if _ships_files(spark) else set()
    found = _found(command, (_NEEDED | packages_of(engine)) - shipped)
    if found:
        raise EngineError(
            explain(
                "Spark starts its workers with another Python than this one.",
                expected=f"{sys.executable}, the driver's",
                found=f"{shutil.which(command) or command}, {found}",
                hint='set os.environ["PYSPARK_PYTHON"] = sys.executable before the session is '
                "created; stop an existing session first.",
            )
        )


def _local_command(spark: SparkSession) -> str | None:
    """Return the command that starts workers here; `None` when they are on other machines."""
    if is_classic(spark):
        context = spark.sparkContext
        return str(context.pythonExec) if str(context.master).startswith("local") else None
    # The server of `remote("local")` is a child of this process.
    is_local = "SPARK_LOCAL_REMOTE" in os.environ
    return os.environ.get("PYSPARK_PYTHON", "python3") if is_local else None


def _is_this_python(path: str | None) -> bool:
    """Whether a path is this interpreter, under any name such as `python` or `python3`."""
    if path is None:
        return False
    asked, own = Path(path), Path(sys.executable)
    return asked.parent == own.parent and asked.resolve() == own.resolve()


def _ships_files(spark: SparkSession) -> bool:
    """Whether the session sends Python files to its workers; they may contain this package."""
    return is_classic(spark) and bool(spark.sparkContext._python_includes)


@cache
def _found(command: str, needed: frozenset[str]) -> str:
    """Return the problem of a Python as text; empty when its workers can score."""
    try:
        done = subprocess.run(
            [command, "-c", _PROGRAM, *sorted(needed)], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        return f"which does not run: {error}"
    version, *missing = done.stdout.split()
    if missing:
        return f"which has no module {listing(missing)}"
    own = "{}.{}".format(*sys.version_info[:2])
    return "" if version == own else f"which is Python {version}, not {own}"
