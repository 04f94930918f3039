"""A daemon of Python workers that opens the heavy libraries before it forks, and answers at once.

Started by `spark.python.daemon.module=tfspark.spark.daemon`; optional. The package has to be
installed for the Python of the workers, because the daemon starts before `--py-files` arrive. All
workers of an executor then share the pages of NumPy, Arrow and TensorFlow's library, and the first
batch does not wait for them. Nor does a task wait for TCP acknowledgements; see `quickack`.
Executor.

Invariant: libraries are opened here, sessions are not, whose threads would not survive a fork.
"""

from __future__ import annotations

import importlib
import logging
import socket
from typing import BinaryIO

from pyspark import daemon

from tfspark.engine.libtensorflow import open_library
from tfspark.engine.protocol import CannotServeError
from tfspark.spark.worker.quickack import acknowledged_at_once

# What a scoring task imports; a missing one is the task's own error to raise.
_MODULES = (
    "numpy",
    "pyarrow.compute",
    "pyarrow.parquet",
    "tfspark.spark.worker.argument_scorer",
    "tfspark.spark.worker.element_scorer",
    "tfspark.spark.worker.partition_scorer",
    "tfspark.scoring.parts",
)


def preload() -> None:
    """Import what scoring needs and open TensorFlow's library, if there is one."""
    for module in _MODULES:
        importlib.import_module(module)
    try:
        open_library()
    except CannotServeError as reason:
        logging.getLogger(__name__).warning("TensorFlow's library stays closed: %s", reason)


_spark_worker = daemon.worker


def worker(sock: socket.socket, authenticated: bool) -> int:
    """Serve tasks over a connection, in a forked process, as Spark's own worker does."""
    # Spark wants this module imported after the fork.
    from pyspark import worker as loop

    serve = loop.main

    def main(incoming: BinaryIO, outgoing: BinaryIO) -> None:
        serve(acknowledged_at_once(incoming, sock), outgoing)

    loop.main = main
    try:
        return _spark_worker(sock, authenticated)
    finally:
        loop.main = serve


def main() -> None:
    """Preload, then start workers for Spark until it closes the connection."""
    preload()
    daemon.worker = worker
    daemon.manager()
