"""A daemon for Python workers that loads large libraries before it forks. Executor.

Started by `spark.python.daemon.module=tfspark.spark.daemon`; optional. The package has to be
installed for the Python of the workers, because the daemon starts before `--py-files` arrive. All
workers of an executor then share the pages of NumPy, Arrow and TensorFlow's library, and the first
batch does not wait for them. Tasks do not wait for TCP acknowledgements either; see `quickack`.

Invariant: libraries are loaded here, but no sessions are created, because their threads would not
survive a fork.
"""

from __future__ import annotations

import gc
import importlib
import logging
import socket
from typing import BinaryIO

from pyspark import daemon

from tfspark.engine.libtensorflow import open_library
from tfspark.engine.protocol import CannotServeError
from tfspark.spark.worker.quickack import acknowledged_at_once

# The imports of a scoring task; for a missing one, the task raises the error.
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
    """Import the modules for scoring, and open TensorFlow's library, if there is one."""
    for module in _MODULES:
        importlib.import_module(module)
    try:
        open_library()
    except CannotServeError as reason:
        logging.getLogger(__name__).warning("TensorFlow's library stays closed: %s", reason)


_spark_worker = daemon.worker


def worker(sock: socket.socket, authenticated: bool) -> int:
    """Serve tasks over a connection in a forked process, like Spark's own worker."""
    # Spark requires that this module is imported after the fork.
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
    gc.freeze()  # a collection in a worker would copy the pages of the preloaded objects
    daemon.worker = worker
    daemon.manager()
