"""Chooses the version of the model for a micro-batch. Driver.

A replayed micro-batch gets the version in its record. A new micro-batch gets the newest version, if
it can replace the running one; otherwise the running version continues. Versions never go back.

Invariants: the running version is the one of the last record, so it is known after a restart. A
refused version is tried again only when its files have changed; one that failed for a reason of the
machine, such as a lost worker, is tried again after a while. If the last version was deleted or
changed, a newer one continues. A base path that cannot be read for a while does not end a stream.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tfspark.bound_models import NamedModel
from tfspark.errors import (
    BindingError,
    ForbiddenOperationError,
    InvalidModelError,
    ModelNotFoundError,
    SignatureNotFoundError,
    TfsparkError,
    explain,
)
from tfspark.foreign_text import one_line
from tfspark.options import ScoreOptions
from tfspark.package import ModelPackage
from tfspark.scoring.preflight import open_models
from tfspark.spark.cluster.distribution import forget
from tfspark.spark.cluster.model_versions import State, newest_version, state_of_version
from tfspark.spark.model_loading import model_of
from tfspark.streaming.records import Records, Refusal, Scored

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    # Frame and model → the columns of the scored rows (name → Spark type).
    CheckColumns = Callable[[DataFrame, ModelPackage], dict[str, str]]

_log = logging.getLogger(__name__)

# Errors of the model itself: they stay until its files change.
_OF_MODELS = (
    BindingError,
    ForbiddenOperationError,
    InvalidModelError,
    SignatureNotFoundError,
)
# After any other error, the version is tried again after at most this many micro-batches.
_LONGEST_PAUSE = 64


@dataclass(frozen=True)
class _Refused:
    """A version that was refused.

    Attributes:
        state: The state of its files.
        batch: The micro-batch at which it was refused.
        pause: The micro-batches until it is tried again; `None` for good.
    """

    state: State
    batch: int
    pause: int | None

    def holds(self, state: State, batch: int) -> bool:
        """Whether the version is still refused at a micro-batch."""
        is_over = self.pause is not None and batch >= self.batch + self.pause
        return self.state == state and not is_over

    @classmethod
    def after(
        cls, error: TfsparkError, state: State, batch: int, before: _Refused | None
    ) -> _Refused:
        """Return how long a version is refused after an error; the pause doubles each time."""
        if isinstance(error, _OF_MODELS):
            return cls(state, batch, None)
        last = before.pause if before is not None and before.state == state else None
        return cls(state, batch, min(2 * last, _LONGEST_PAUSE) if last else 1)


@dataclass
class ModelChoice:
    """The versions of one model in one stream.

    Attributes:
        base_path: The folder of the version folders.
        options: The options of scoring.
        check_columns: Checks a model against a frame, and returns the columns of the scored rows.
        running: The version that scored the last micro-batch of this process.
    """

    base_path: str
    options: ScoreOptions
    check_columns: CheckColumns
    running: ModelPackage | None = field(default=None, init=False)
    _refused: dict[int, _Refused] = field(default_factory=dict, init=False)

    def choose(self, frame: DataFrame, batch: int, records: Records) -> ModelPackage:
        """Return the model of a micro-batch, and record it.

        Raises:
            TfsparkError: When the first version cannot score the frame, or the recorded version
                does not exist any more.
        """
        spark, record = frame.sparkSession, records.of(batch)
        if record is None:
            chosen = self._next(frame, batch, records)
            found = Scored(chosen.version or 0, chosen.digest)
            record = records.add(batch, found)
            if record == found:
                self._take_over(spark, chosen, batch)
                return chosen
        else:
            _log.info("micro-batch %d is replayed with version %d", batch, record.version)
        self.running = self._recorded(spark, record)
        return self.running

    def current(
        self, spark: SparkSession, records: Records, frame: DataFrame | None = None
    ) -> ModelPackage:
        """Return the newest version; if it cannot be used, the version of the last micro-batch.

        Args:
            spark: The session.
            records: The records of the stream.
            frame: The stream that the version must fit, if it is known.

        Raises:
            TfsparkError: When no version has run and the newest one is broken or does not fit.
        """
        last = records.last()
        try:
            newest = self._load(spark, newest_version(spark, self.base_path))
            columns = None if frame is None else self.check_columns(frame, newest)
        except TfsparkError:
            if last is None:
                raise
            package = self._recorded(spark, last)
            if frame is not None:
                self.check_columns(frame, package)
            return package
        if frame is None or last is None or last.digest == newest.digest:
            return newest
        running = self._last(spark, last, newest.version or 0)
        is_refused = running is not None and self.check_columns(frame, running) != columns
        return running if running is not None and is_refused else newest

    def _next(self, frame: DataFrame, batch: int, records: Records) -> ModelPackage:
        spark = frame.sparkSession
        last = None if self.running else records.last()
        try:
            newest = newest_version(spark, self.base_path)
        except TfsparkError as error:
            if self.running is None:
                raise
            _log.error("version %s continues: %s", self.running.version, error)
            return self.running
        running = self.running if last is None else self._last(spark, last, newest)
        if running is None:
            return self._accepted(frame, newest, None)
        if newest <= (running.version or 0):
            return running
        try:
            state = state_of_version(spark, self.base_path, newest)
        except TfsparkError as error:  # removed or renamed at this moment
            _log.error("version %s continues: %s", running.version, error)
            return running
        before = self._refused.get(newest)
        if before is not None and before.holds(state, batch):
            return running
        try:
            return self._accepted(frame, newest, running)
        except TfsparkError as error:
            self._refused[newest] = _Refused.after(error, state, batch, before)
            self._refuse(Refusal(newest, batch, str(error)), running, records)
            return running

    def _last(self, spark: SparkSession, last: Scored, newest: int) -> ModelPackage | None:
        """Return the last version of a stream that starts again; `None` if it was replaced.

        Raises:
            TfsparkError: When it was deleted or changed, and there is no newer one.
        """
        try:
            return self._recorded(spark, last)
        except (ModelNotFoundError, InvalidModelError) as error:
            if newest <= last.version:
                raise
            _log.warning("version %d continues: %s", newest, error)
            return None

    def _refuse(self, refusal: Refusal, running: ModelPackage, records: Records) -> None:
        if records.refuse(refusal):
            _log.error(
                "version %d of %s is refused at micro-batch %d; version %s continues: %s",
                refusal.version,
                one_line(self.base_path),
                refusal.batch,
                running.version,
                refusal.reason,
            )

    def _accepted(
        self, frame: DataFrame, version: int, running: ModelPackage | None
    ) -> ModelPackage:
        """Return a version that can score the frame like the running one.

        Raises:
            TfsparkError: When it is broken, does not fit the frame, gives other columns, or does
                not open on a worker.
        """
        spark = frame.sparkSession
        package = self._load(spark, version)
        columns = self.check_columns(frame, package)
        before = columns if running is None else self.check_columns(frame, running)
        if columns != before:
            raise BindingError(
                explain(
                    f"Version {version} gives other columns than the running version.",
                    expected=_in_words(before),
                    found=_in_words(columns),
                    hint="choose the columns with fetch, or start another stream for this version.",
                )
            )
        if self.options.engine == "jvm":
            return package
        try:
            open_models(spark, [NamedModel("", package, self.options, {})])
        except TfsparkError:
            if running is None or running.digest != package.digest:
                forget(spark, package)
            raise
        return package

    def _load(self, spark: SparkSession, version: int) -> ModelPackage:
        return model_of(spark, self.base_path, replace(self.options, version=version))

    def _recorded(self, spark: SparkSession, record: Scored) -> ModelPackage:
        if self.running is not None and self.running.digest == record.digest:
            return self.running
        options = replace(self.options, version=record.version, sha256=record.digest)
        return model_of(spark, self.base_path, options)

    def _take_over(self, spark: SparkSession, chosen: ModelPackage, batch: int) -> None:
        if self.running is None or self.running.digest != chosen.digest:
            path, version = one_line(self.base_path), chosen.version
            _log.info("version %s of %s scores from micro-batch %d on", version, path, batch)
            if self.running is not None:
                forget(spark, self.running)
        self.running = chosen


def _in_words(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())
