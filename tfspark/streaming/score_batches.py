"""`score_batches`: scores a stream, and switches to new versions of the model. Driver.

Structured Streaming calls the scorer with each micro-batch (`foreachBatch`). On Spark Connect, this
happens in a Python process of the server, which has a copy of the scorer, a session, and the
server's local files, but no JVM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tfspark.errors import BindingError, UsageError, explain
from tfspark.options import ColumnKeywords, ScoreOptions
from tfspark.package import ModelPackage
from tfspark.spark.cluster.files import local_path
from tfspark.spark.cluster.model_versions import newest_version
from tfspark.spark.cluster.names import quoted
from tfspark.spark.cluster.session_kind import is_classic
from tfspark.spark.column_arguments import check_columns
from tfspark.spark.dataframe import score_frame, scored_schema
from tfspark.spark.functions import active_session
from tfspark.spark.model_loading import refuse_fastest
from tfspark.spark.model_requests import ModelRequest
from tfspark.streaming.checkpoint import Checkpoint
from tfspark.streaming.model_choice import ModelChoice
from tfspark.streaming.own_source import refuse_own_source
from tfspark.streaming.records import KEPT, Refusal
from tfspark.streaming.sinks import Batch, Folder, Sink, sink_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.readwriter import DataStreamWriter
    from typing_extensions import Unpack


@dataclass
class BatchScorer:
    """Scores the micro-batches of one stream; `score_batches` makes it.

    Call it with a micro-batch and its number, or give it to `foreachBatch`.

    Attributes:
        base_path: The folder of the model's version folders.
        checkpoint: The checkpoint of the stream.
        sink: The target of the scored rows.
        request: `feed`, `fetch` and the options of scoring.
        keep: As in `predict`.
        version_column: Column for the version that scored a row; `None` for no column.
    """

    base_path: str
    checkpoint: str
    sink: Sink
    request: ModelRequest
    keep: Sequence[str] | None
    version_column: str | None
    _choice: ModelChoice = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._choice = ModelChoice(self.base_path, self.request.options, self._columns_of)

    def __call__(self, frame: DataFrame, batch_id: int) -> None:
        """Score a micro-batch with the version that belongs to it, and write its rows once.

        Raises:
            UsageError: When the frame is a stream, or the stream has another checkpoint.
            TfsparkError: When no version can score the frame, or the recorded version of a replayed
                micro-batch does not exist any more.
        """
        if frame.isStreaming:
            hint = "start it with score.writer(stream).start()."
            raise UsageError(explain("A stream was given instead of a micro-batch.", hint=hint))
        spark = frame.sparkSession
        checkpoint = Checkpoint.at(spark, self.checkpoint)
        query, records = checkpoint.query_id(spark, batch_id), checkpoint.records
        package = self._choice.choose(frame, batch_id, records)
        scored = score_frame(frame, [replace(self.request, model=package)], keep=self.keep).frame
        self.sink.write(self._with_version(scored, package), Batch(query, batch_id))
        records.forget(batch_id - KEPT)

    def writer(self, stream: DataFrame) -> DataStreamWriter:
        """Return a writer of the stream that calls this scorer and has its checkpoint.

        Raises:
            UsageError: When the frame is not a stream, or reads the folder of the target.
            BindingError: When inputs, outputs and columns of the stream do not match.
            TfsparkError: When there is no version that can run.
        """
        if not getattr(stream, "isStreaming", False):
            raise UsageError(
                explain(
                    "Only a stream can be scored by micro-batches.",
                    expected="a DataFrame of spark.readStream",
                    found=f"a {type(stream).__name__} that is not a stream",
                    hint="score it with tfspark.predict.",
                )
            )
        spark = stream.sparkSession
        if _is_visible(spark, self.base_path):
            records = Checkpoint.at(spark, self.checkpoint).records
            columns = self._columns_of(stream, self._choice.current(spark, records, stream))
            if self.version_column is not None:
                columns[self.version_column] = "bigint"
            self.sink.check_columns(spark, columns)
        if isinstance(self.sink, Folder) and is_classic(spark):
            refuse_own_source(stream, self.sink.path)
        writer = stream.writeStream.foreachBatch(self)
        return writer.option("checkpointLocation", self.checkpoint)

    def refusals(self, spark: SparkSession | None = None) -> list[Refusal]:
        """Return the refused versions, with the reason and the first micro-batch of each.

        Args:
            spark: The session; by default the active one.
        """
        return Checkpoint.at(active_session(spark), self.checkpoint).records.refusals()

    def check(self, spark: SparkSession) -> None:
        """Raise the errors that can be known before the stream starts."""
        checkpoint = Checkpoint.at(spark, self.checkpoint)
        self.sink.check(spark)
        if _is_visible(spark, self.base_path):
            newest_version(spark, self.base_path)
            self._choice.current(spark, checkpoint.records)

    def _columns_of(self, frame: DataFrame, package: ModelPackage) -> dict[str, str]:
        schema = scored_schema(frame, [replace(self.request, model=package)], keep=self.keep)
        name = self.version_column
        if name is not None and name.lower() in (one.lower() for one in schema.names):
            raise BindingError(
                explain(
                    f"The column {name!r} already exists.",
                    hint="choose another version_column, or leave the column out with keep.",
                )
            )
        return {one.name: one.dataType.simpleString() for one in schema}

    def _with_version(self, scored: DataFrame, package: ModelPackage) -> DataFrame:
        if self.version_column is None:
            return scored
        version = f"CAST({package.version} AS BIGINT) AS {quoted(self.version_column)}"
        return scored.selectExpr("*", version)


def score_batches(
    base_path: str | Path,
    write: str | Path | Sink | Callable[[DataFrame, int], object],
    *,
    checkpoint: str | Path | None = None,
    feed: Mapping[str, object] | None = None,
    fetch: Mapping[str, str] | None = None,
    keep: Sequence[str] | None = None,
    version_column: str | None = None,
    spark: SparkSession | None = None,
    **options: Unpack[ColumnKeywords],
) -> BatchScorer:
    """Return a function for `foreachBatch` that scores each micro-batch with the newest version.

    A new version is used from the next micro-batch on. If it is broken, does not fit the stream or
    gives other columns, it is refused: this is logged and recorded once, and the running version
    continues. The version of each micro-batch is recorded in the checkpoint before its rows are
    written, so a micro-batch that is replayed after a kill has the same version.

    Args:
        base_path: The folder of the model's version folders `1`, `2`, ….
        write: The target: a path of a folder for Parquet files, a `Folder` or a `DeltaTable`, which
            take each micro-batch exactly once; or a function of the scored rows and the number of
            the micro-batch, which is called again when a micro-batch is replayed.
        checkpoint: The folder of the stream's checkpoint; required. It is on a file system of the
            session; on Spark Connect, it is a local path of the server.
        feed: As in `predict`.
        fetch: As in `predict`.
        keep: As in `predict`.
        version_column: Column for the version that scored the row, of type bigint; by default none.
        spark: The session; by default the active one.
        options: See `ScoreOptions`; without `version` and `sha256`.

    Returns:
        The function. Its method `writer(stream)` returns a `DataStreamWriter` with this function
        and this checkpoint; `refusals()` lists the refused versions.

    Raises:
        ModelNotFoundError: When the base path has no version.
        InvalidModelError: When the newest version is broken, and no other one is running.
        UsageError: When there is no checkpoint, or an argument cannot be used.

    Example:
        >>> score = score_batches(  # doctest: +SKIP
        ...     "models/linear_model", "scores", checkpoint="checkpoints/scores"
        ... )
        >>> score.writer(stream).start()  # doctest: +SKIP
    """
    check_columns(feed=feed, fetch=fetch, keep=keep)
    chosen = ScoreOptions.of(options)
    _check_version(chosen, version_column)
    base = _path("base_path", base_path)
    scorer = BatchScorer(
        base,
        _path("checkpoint", checkpoint),
        sink_of(write),
        ModelRequest("", base, feed, fetch, chosen),
        keep,
        version_column,
    )
    scorer.check(active_session(spark))
    return scorer


def _path(argument: str, given: object) -> str:
    if isinstance(given, str | Path) and str(given):
        return str(given)
    hint = "name a folder that stays, the same one each time the stream starts."
    problem = "A stream needs a checkpoint, in which the version of each micro-batch is recorded."
    if argument != "checkpoint":
        problem, hint = f"The argument {argument} has an invalid value.", ""
    expected = f"the path or URI of a folder as {argument}"
    raise UsageError(explain(problem, expected=expected, found=repr(given), hint=hint))


def _check_version(options: ScoreOptions, column: object) -> None:
    """Refuse options that choose one version, and a column that has no name."""
    if column is not None and not (isinstance(column, str) and column):
        problem = "The argument version_column has an invalid value."
        raise UsageError(explain(problem, expected="the name of a new column", found=repr(column)))
    refuse_fastest(options)
    for name in ("version", "sha256"):
        value = getattr(options, name)
        if value is not None:
            hint = f"leave out {name}; for one version, use predict on the stream."
            problem = "score_batches uses the newest version."
            raise UsageError(explain(problem, found=f"{name}={value!r}", hint=hint))


def _is_visible(spark: SparkSession, base_path: str) -> bool:
    """Whether this process can read the model; on Connect, perhaps only the server can."""
    local = local_path(base_path)
    return is_classic(spark) or (local is not None and local.exists())
