"""The daemon module for `spark.python.daemon.module=tfspark.spark.daemon`; see `worker.daemon`."""

from __future__ import annotations

from tfspark.spark.worker.daemon import main, preload

__all__ = ["main", "preload"]

if __name__ == "__main__":
    main()
