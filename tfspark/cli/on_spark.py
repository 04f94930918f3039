"""Starts a Spark session without spark-submit, and runs a command on it. Driver.

The JVM writes to the log file, so the terminal shows only the result of the command. If the process
has a JVM already, as under spark-submit, the command uses that JVM.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tfspark.cli.run_log import FORMATS, RunLog
from tfspark.errors import UsageError, explain
from tfspark.foreign_text import redacted
from tfspark.scoring import arguments, flags
from tfspark.scoring.flags import Flag
from tfspark.scoring.job_parser import JobParser
from tfspark.scoring.run_job import run_job, stop

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MASTER = Flag(
    "--master",
    "URL",
    "master of Spark, such as local[4] or yarn (default: spark.master of Spark's own settings, "
    "otherwise local[*])",
)
CONF = Flag(
    "--conf",
    "K=V",
    "setting of Spark, such as spark.driver.memory=8g",
    arguments.option,
)
VERBOSE = Flag("--verbose", "", "print the logs of Spark and tfspark instead of writing a file")
LOG_FORMAT = Flag(
    "--log-format",
    "|".join(FORMATS),
    "format of warnings, errors and log records of tfspark on stderr (default: text)",
    default="text",
)
_OF_FILES_AND_TABLES = ("spark.hadoop.", "spark.sql.catalog.")
# spark-submit copies these files before a session exists.
_FETCHED = ("spark.jars", "spark.files", "spark.archives", "spark.submit.pyFiles")
FLAGS = (MASTER, CONF, VERBOSE, LOG_FORMAT)


def add_flags(parser: JobParser, *instead_of_master: Flag) -> None:
    """Add the flags of a command that starts Spark, and flags that replace `--master`."""
    group = parser.add_argument_group("Spark")
    flags.add(group.add_mutually_exclusive_group(), MASTER, *instead_of_master)
    flags.add(group, CONF, VERBOSE, LOG_FORMAT)


def run_on_spark(
    name: str,
    args: argparse.Namespace,
    job: Callable[[SparkSession], str],
    *,
    before: Callable[[], None] | None = None,
    hive: bool = False,
) -> int:
    """Start Spark, run a job, stop Spark; return the exit code.

    Args:
        name: Application name.
        args: The values of the flags that `add_flags` added.
        job: Returns the text that is printed last.
        before: Checks that need no Spark; runs before Spark starts.
        hive: Whether the session has a Hive metastore.
    """
    with RunLog(args.log_format, verbose=args.verbose) as log:

        def started() -> str:
            _check_pyspark()
            _check_classic(args)
            from tfspark.spark.cluster.query_error_log import without_query_error_log

            if before is not None:
                before()
            spark = _session(name, args, log, hive)
            try:
                with without_query_error_log():
                    return job(spark)
            finally:
                stop(spark)

        return run_job(started, log)


def _check_pyspark() -> None:
    if find_spec("pyspark") is None:
        problem = "PySpark is not installed in this Python."
        raise UsageError(
            explain(
                problem, found=sys.executable, hint="pip install 'pyspark>=3.5.2,<5' 'pandas<3'"
            )
        )


def _check_classic(args: argparse.Namespace) -> None:
    """Refuse Spark Connect before a JVM is started, unless a flag asks for it."""
    from tfspark.spark.cluster.session import refuse_connect

    if getattr(args, "remote", None):
        return
    instead = "--remote URL" if hasattr(args, "remote") else "tfspark.predict on Spark Connect"
    refuse_connect(args.conf, f"remove this setting and give --master, or use {instead}.")


def _session(name: str, args: argparse.Namespace, log: RunLog, hive: bool) -> SparkSession:
    from tfspark.spark.cluster.jvm_process import has_jvm, start_jvm
    from tfspark.spark.cluster.session import connect_session, session

    if getattr(args, "remote", None):
        return connect_session(args.remote)
    settings = settings_of(args)
    if not has_jvm():
        shown, settings = without_secrets(settings_of_shell(settings))
        start_jvm(shown, log.open_file())
    return session(name, hive=hive, settings=settings)


def settings_of(args: argparse.Namespace) -> dict[str, str]:
    """Return the settings of Spark that the flags name."""
    return {**args.conf, **({"spark.master": args.master} if args.master else {})}


def settings_of_shell(given: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a JVM that a command starts; settings of the user override ours."""
    own = {"spark.ui.showConsoleProgress": "false"}
    if is_local(given) and others_cannot_write():
        # The workers then use no TCP. Spark before 4.1 ignores the setting. A user who can write
        # to such a socket can run code in a worker.
        own["spark.python.unix.domain.socket.enabled"] = "true"
    return {**own, **given}


def others_cannot_write() -> bool:
    """Whether other users cannot write to the files that this process creates."""
    mask = os.umask(0o077)  # it can only be read by setting it
    os.umask(mask)
    return mask & 0o022 == 0o022


def without_secrets(settings: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the settings for the command line of the JVM, and the secrets that it gets later.

    All users of a machine can see command lines. Secrets of a file system or a catalog are needed
    only when it is first opened, so they are set after the start, unless the start itself fetches
    files.
    """
    fetches = any(name in settings for name in _FETCHED)
    hidden = {} if fetches else {k: v for k, v in settings.items() if _is_secret(k, v)}
    return {k: v for k, v in settings.items() if k not in hidden}, hidden


def _is_secret(name: str, value: str) -> bool:
    text = f"{name}={value}"
    return name.startswith(_OF_FILES_AND_TABLES) and redacted(text) != text


def is_local(settings: Mapping[str, str]) -> bool:
    """Whether the driver and all workers run on this machine, as far as is known without Spark."""
    master = settings.get("spark.master") or os.environ.get("MASTER") or "local"
    return master.startswith("local")
