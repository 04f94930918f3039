"""The set-up of every notebook: the repository on the path, a working folder, a session.

Notebooks run in this folder, in the environment that `make venv` creates.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# Workers run the Python of the notebook.
os.environ["PYSPARK_PYTHON"] = sys.executable
# TensorFlow prints only errors. In a notebook, its import sets the level of its logger to INFO, but
# keeps filters.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
logging.getLogger("tensorflow").addFilter(lambda record: record.levelno >= logging.ERROR)

base = Path(tempfile.mkdtemp(prefix="tfspark-notebook-"))
"""The folder of the exported models and tables, in the system's temporary folder."""


def session(*, hive: bool = False) -> Any:
    """Return a Spark session on two cores, with an embedded Hive metastore on request."""
    from pyspark.sql import SparkSession

    builder = (
        SparkSession.builder.master("local[2]")
        .appName("tfspark notebook")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.warehouse.dir", str(base / "warehouse"))
    )
    if hive:
        home = f"-Dderby.system.home={base}"
        builder = builder.config("spark.driver.extraJavaOptions", home).enableHiveSupport()
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark
