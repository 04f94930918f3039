"""One Spark session per run, and tiny models with weights set by hand."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pyspark.sql import DataFrame, SparkSession

from tests.shell import SHORT_RUN
from tfspark.spark.cluster.jdbc import CATALOG

ROOT = Path(__file__).resolve().parent.parent

# Workers are started by Spark, far from pytest's import path.
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

os.environ["SPARK_SUBMIT_OPTS"] = SHORT_RUN


# Fixtures of tests/bridge, each with a JVM that the tests of several files use.
_SHARED = ("session", "restricted", "jdbc")
# Of the tests with `session`, these files take about half of the time.
_BESIDE = ("test_bridge_commit", "test_bridge_models", "test_bridge_thirdparty")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where the run is shared by processes, keep the tests of a file, or of a session, together.

    A session of Spark takes long to start, so there are two: one for each process.
    """
    # Only the processes of xdist have this option; there, `dist` is always "no".
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    """Return the name that a test shares with all tests of the same process."""
    if named := item.get_closest_marker("xdist_group"):  # xdist would join two names
        return str(named.args[0])
    if item.get_closest_marker("connect_server"):
        return "connect"
    for shared in _SHARED:
        if shared in getattr(item, "fixturenames", ()):
            return f"{shared} beside" if item.path.stem in _BESIDE else shared
    folder = item.path.relative_to(ROOT / "tests").parts[0]
    if "spark" in getattr(item, "fixturenames", ()):
        # Both sessions take about the same time.
        return "spark" if folder in ("spark", "thirdparty") else "spark beside"
    return item.path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A classic session on two cores with an embedded Hive metastore in memory.

    Its settings make short jobs cheap: workers start with the libraries loaded, and do not wait
    for TCP; Spark prints plans in their short form. Programs that tests start have the defaults.
    """
    home = tmp_path_factory.mktemp("spark")
    os.environ["TFSPARK_CACHE_DIR"] = str(home / "cache")
    session = (
        SparkSession.builder.master("local[2]")
        .appName("tfspark tests")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.warehouse.dir", str(home / "warehouse"))
        .config("spark.local.dir", str(home / "local"))
        .config("spark.python.worker.faulthandler.enabled", "true")  # as in the jobs' sessions
        .config("spark.python.daemon.module", "tfspark.spark.daemon")
        .config("spark.python.unix.domain.socket.enabled", "true")
        .config("spark.sql.ui.explainMode", "simple")
        .config("spark.driver.extraJavaOptions", f"-Dderby.system.home={home}")
        .config("spark.hadoop.javax.jdo.option.ConnectionURL", "jdbc:derby:memory:hive;create=true")
        .enableHiveSupport()
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Base path of a model with version 1: `outputs` = 2·x0 − x1 + 3 of `inputs` (None, 2)."""
    from tfspark.testing import save_linear

    base = tmp_path_factory.mktemp("models") / "linear_model"
    save_linear(base / "1")
    return base


@pytest.fixture(scope="session")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Base path of a model with version 2: `outputs` = x0 + x1 of `inputs` (None, 2)."""
    import tensorflow as tf

    from tfspark.testing import save_function

    base = tmp_path_factory.mktemp("models") / "newer"
    spec = tf.TensorSpec((None, 2), tf.float32, "inputs")
    total = lambda inputs: {"outputs": tf.reduce_sum(inputs, axis=1)}  # noqa: E731
    save_function(base / "2", total, spec)
    return base


@pytest.fixture(scope="session")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of `inputs` (None, 2) that never answers for finite numbers."""
    import tensorflow as tf

    from tfspark.testing import save_function

    def loop(inputs: Any) -> Any:
        is_finite = lambda x: tf.reduce_all(tf.math.is_finite(x))  # noqa: E731
        (found,) = tf.while_loop(is_finite, lambda x: (tf.math.sin(x),), (inputs,))
        return {"outputs": tf.reduce_sum(found, axis=1)}

    base = tmp_path_factory.mktemp("models") / "endless"
    save_function(base / "1", loop, tf.TensorSpec((None, 2), tf.float32, "inputs"))
    return base


@pytest.fixture
def points(spark: SparkSession) -> DataFrame:
    """The source material's rows."""
    rows = [([1.0, 2.0],), ([3.0, 5.0],), ([7.0, 8.0],)]
    return spark.createDataFrame(rows, "features array<float>")


@pytest.fixture
def database(spark: SparkSession) -> Iterator[str]:
    """A schema of a Derby database in memory, in a catalog of its own."""
    name = f"derby_{uuid4().hex[:8]}"  # Spark keeps a catalog for as long as the session
    settings = {
        f"spark.sql.catalog.{name}": CATALOG,
        f"spark.sql.catalog.{name}.url": f"jdbc:derby:memory:{name};create=true",
        f"spark.sql.catalog.{name}.driver": "org.apache.derby.iapi.jdbc.AutoloadedDriver",
    }
    for setting, value in settings.items():
        spark.conf.set(setting, value)
    spark.sql(f"CREATE SCHEMA {name}.db")
    yield f"{name}.db"
    for setting in settings:
        spark.conf.unset(setting)
