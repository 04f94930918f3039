"""Jobs on the shared session, with their output, their files, and the number of Spark jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs import batch_score
from tfspark.handle import PathSource
from tfspark.options import ScoreOptions
from tfspark.package import ModelPackage
from tfspark.spark import model_loading

Files = dict[str, bytes]

ROWS = [(0, [1.0, 2.0]), (1, [3.0, 5.0]), (2, None), (3, [7.0, 8.0]), (4, [0.0, 0.0])]


@dataclass
class Ended:
    """How a job ended: its exit code, its output, and the number of Spark jobs."""

    code: int
    stdout: str
    error: str
    spark_jobs: int

    @property
    def report(self) -> dict[str, Any]:
        return json.loads(Path(self.stdout.splitlines()[-1]).read_text())


@pytest.fixture
def end_of(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Callable[..., Ended]]:
    """Run the `main` of a job on the shared session, which it must not stop."""
    monkeypatch.setattr(SparkSession, "stop", lambda self: None)
    monkeypatch.chdir(tmp_path)
    context = spark.sparkContext

    def end(main: Callable[[list[str]], int], *flags: object) -> Ended:
        group = uuid4().hex
        context.setJobGroup(group, "a job under test")
        capfd.readouterr()
        code = main([str(flag) for flag in flags])
        said = capfd.readouterr()
        context._jsc.sc().listenerBus().waitUntilEmpty()
        started = context.statusTracker().getJobIdsForGroup(group)
        return Ended(code, said.out, said.err.partition("error: ")[2], len(started))

    yield end
    context.setLocalProperty("spark.jobGroup.id", None)
    context.setLogLevel("OFF")  # a job sets its own


@pytest.fixture
def deadly(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a worker run a fault before it opens a model in one step of the job."""

    def choose(step: str, do: Callable[[], object]) -> None:
        class Deadly(PathSource):  # local, so that it travels by value
            def locate(self, digest: str, size: int) -> Path:
                do()
                return super().locate(digest, size)

        def handle(
            spark: SparkSession, package: ModelPackage, options: ScoreOptions, *choice: Any
        ) -> Any:
            # Another digest, so that no worker has loaded the model.
            handle = model_loading.handle_of(spark, package, options, *choice)
            return replace(handle, source=Deadly(package.path), digest="0" * 64)

        monkeypatch.setattr(f"{step}.handle_of", handle)

    return choose


@pytest.fixture
def files_under() -> Callable[[Path], Files]:
    """Return every file below a folder, hidden ones too, with its content."""

    def files(folder: Path) -> Files:
        return {
            str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
            for path in folder.rglob("*")
        }

    return files


@pytest.fixture
def score(end_of: Any, linear: Path) -> Callable[..., Any]:
    """Run the job with the linear model and return how it ended; it must succeed."""

    def run(*flags: object) -> Any:
        ended = end_of(batch_score.main, "--model", linear, *flags)
        assert ended.code == 0, ended.error
        return ended

    return run


@pytest.fixture
def table() -> pa.Table:
    ids, features = zip(*ROWS, strict=True)
    return pa.table(
        {"id": pa.array(ids, pa.int32()), "features": pa.array(features, pa.list_(pa.float32()))}
    )


@pytest.fixture
def rows(tmp_path: Path, table: pa.Table) -> Path:
    """A Parquet folder of two files."""
    folder = tmp_path / "rows"
    folder.mkdir()
    pq.write_table(table.slice(0, 2), folder / "part-0.parquet")
    pq.write_table(table.slice(2), folder / "part-1.parquet")
    return folder


@pytest.fixture
def bad_rows(tmp_path: Path) -> Path:
    """A Parquet file whose last row has three features."""
    features = [*([[1.0, 2.0]] * 9), [1.0, 2.0, 3.0]]
    path = tmp_path / "bad.parquet"
    pq.write_table(pa.table({"features": pa.array(features, pa.list_(pa.float32()))}), path)
    return path


@pytest.fixture
def two_inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tensorflow as tf

    from tfspark.testing import save_function

    specs = [tf.TensorSpec((None,), tf.float32, name=name) for name in ("left", "right")]
    base = tmp_path_factory.mktemp("models") / "two_inputs"
    return save_function(base, lambda left, right: {"sum": left + right}, *specs)


@pytest.fixture
def tables(spark: SparkSession) -> Iterator[str]:
    """A separate schema, dropped with all its tables."""
    spark.sql("CREATE SCHEMA scores")
    yield "scores"
    spark.sql("DROP SCHEMA scores CASCADE")


@pytest.fixture
def view(spark: SparkSession) -> Iterator[str]:
    """A table whose schema Spark knows without reading a file."""
    columns = "array(1f, 2f) features, array('a') words, 1d x0, 2d x1, 3d x2"
    spark.sql(f"SELECT {columns}").createOrReplaceTempView("a_view")
    yield "a_view"
    spark.catalog.dropTempView("a_view")
