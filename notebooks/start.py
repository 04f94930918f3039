"""What every notebook begins with: the repository on the path, a folder to work in, a session.

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

# Workers run the notebook's own Python; TensorFlow keeps its start-up notes to itself.
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
logging.getLogger("tensorflow").setLevel(logging.ERROR)

base = Path(tempfile.mkdtemp(prefix="tfspark-notebook-"))
"""Where models are exported and tables are kept; the system's temporary folder owns it."""


def session(*, hive: bool = False) -> Any:
    """Return a Spark session on two cores, with an embedded Hive metastore if asked for."""
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
