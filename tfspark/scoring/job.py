"""The request for a batch job, and its checked plan. Driver.

A `BatchJob` holds the settings of the user. A `Plan` is a job whose parts are all checked. Its
`stage` runs the tasks, writes the rows to a hidden folder and counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, TypeVar

from tfspark.bound_models import NamedModel
from tfspark.engine_choice import EngineChoice
from tfspark.feeding import Feed
from tfspark.model_title import title_of
from tfspark.options import DEFAULTS, ScoreOptions
from tfspark.scoring.bad_row_limit import NO_LIMIT, Limit
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output.bad_rows import BadRowsOutput
from tfspark.scoring.output.journal import JobKey
from tfspark.scoring.output.protocol import Mode, Output
from tfspark.sketches import RowSketch
from tfspark.spark.cluster.tally import Tally
from tfspark.spark.model_requests import ModelRequest

_V = TypeVar("_V")

Route: TypeAlias = Literal["auto", "spark", "direct"]


@dataclass(frozen=True)
class ReportOptions:
    """The content of a report besides the counts. It changes no row, so a job's key leaves it out.

    Attributes:
        statistics: Whether statistics of inputs and predictions are collected; by default they are
            not, but the job programs collect them. Tasks with a light model then take 2 to 5 % more
            CPU time.
        sample_rows: Number of scored rows that are shown, by default 5. 0 also leaves out all texts
            of rows.
        baseline: Path of the JSON report of an earlier run, whose statistics are compared with
            those of this run; by default none.
    """

    statistics: bool = False
    sample_rows: int = 5
    baseline: str = ""


@dataclass(frozen=True)
class BatchJob:
    """The settings of a batch job; they correspond to the flags of `jobs/batch_score.py`.

    Attributes:
        model: Path or URI of the model; empty when there are several.
        models: Key → path or URI, for several models. Names in `feed`, `fetch` and the options are
            those of all models, or `KEY.NAME` for one model.
        difference: Whether the outputs of two models are subtracted.
        source: The input.
        target: The output.
        mode: What to do when the target exists: `error` (the default), `overwrite`, `append` or
            `overwrite-partitions`.
        feed: Input → column, field of a struct, scalar columns to stack, or `Constant`.
        fetch: Output → column; by default every output under its own name.
        keep: Columns of the input to write beside the predictions; by default all.
        allow_missing: Whether a Parquet or ORC file may lack a column that other files have; by
            default it may not. The column is null in the rows of that file.
        path: `spark` reads and writes through Spark's own sources; `direct` lets each task read and
            write its files itself; `auto`, the default, takes the direct path if the result is the
            same.
        bad_rows: Folder for bad rows; without one, the first bad row ends the job.
        max_bad_rows: How many rows may be bad if there is a folder for them; by default all.
        options: The options that all APIs have.
        run_id: A key that the user chooses; by default none. A job whose key is marked done is not
            run again.
        chunks: The minimum number of groups into which the work is divided: groups of input files
            through Spark, waves of tasks on the direct path. If the job is killed, its finished
            groups are kept and not scored again. By default 1.
        reported: The content of the report besides the counts.
    """

    model: str
    source: Dataset
    target: Dataset
    mode: Mode = "error"
    feed: Feed = field(default_factory=dict)
    fetch: Mapping[str, str] | None = None
    keep: Sequence[str] | None = None
    allow_missing: bool = False
    path: Route = "auto"
    bad_rows: str = ""
    max_bad_rows: Limit = NO_LIMIT
    options: ScoreOptions = DEFAULTS
    run_id: str = ""
    chunks: int = 1
    models: Mapping[str, str] = field(default_factory=dict)
    difference: bool = False
    reported: ReportOptions = ReportOptions()

    @property
    def requests(self) -> list[ModelRequest]:
        """One request for each model."""
        if not self.models:
            return [ModelRequest("", self.model, self.feed, self.fetch, self.options)]
        return [
            ModelRequest(key, path, self._own(self.feed, key), self._fetch(key), self._options(key))
            for key, path in self.models.items()
        ]

    def _fetch(self, key: str) -> Mapping[str, str] | None:
        return (self._own(self.fetch, key) or None) if self.fetch else None

    def _options(self, key: str) -> ScoreOptions:
        nulls, shapes = self.options.on_null, self.options.output_shapes
        if isinstance(nulls, Mapping):
            nulls = self._own(nulls, key) or DEFAULTS.on_null
        return replace(self.options, on_null=nulls, output_shapes=self._own(shapes or {}, key))

    def _own(self, given: Mapping[str, _V], key: str) -> dict[str, _V]:
        """Return the values for all models and for this one, whose names are `KEY.NAME`."""
        named = {name: name.split(".", 1) for name in given}
        shared = [n for n, parts in named.items() if len(parts) == 1 or parts[0] not in self.models]
        own = {
            parts[1]: given[n] for n, parts in named.items() if n not in shared and parts[0] == key
        }
        return {**{name: given[name] for name in shared}, **own}


@dataclass(frozen=True)
class Outcome:
    """The rows that one run read and wrote, and what it observed.

    Attributes:
        rows_in: Rows read.
        rows_out: Rows written.
        null_rows: Rows whose predictions are null.
        bad_rows: Rows that were set aside.
        kept_rows: Rows of `rows_in` that an earlier run had scored.
        sketch: Statistics of the rows that this run scored; `None` if they are not collected.
        choices: The engine of each model; empty if this run scored no row.
    """

    rows_in: int
    rows_out: int
    null_rows: int
    bad_rows: int = 0
    kept_rows: int = 0
    sketch: RowSketch | None = None
    choices: Sequence[EngineChoice] = ()


@dataclass(frozen=True)
class Plan:
    """A job whose parts are all checked. Nothing has run or been written yet.

    Attributes:
        models: The models.
        output: The output of the rows.
        path: `spark` or `direct`.
        columns: The columns of the output: name → Spark type.
        rounded: One sentence per column whose numbers are rounded to the model's precision.
        stage: Runs the tasks and writes the rows to a hidden folder. It counts rows for the tally.
        snapshot: The input files with sizes and times, or the versions of tables, when the job was
            planned. Runs with different snapshots are different jobs. `None` for an input without
            files or versions; then only a run id shows that two runs are the same job.
        bad: The output of bad rows; `None` when the first bad row ends the job.
        max_bad_rows: How many rows may be bad.
        job: Identifies the job, so that a later run recognises it.
        reported: The content of the report besides the counts.
        baseline: The earlier report that the statistics are compared with; `None` without one.
    """

    models: Sequence[NamedModel]
    output: Output
    path: Literal["spark", "direct"]
    columns: Mapping[str, str]
    rounded: Sequence[str]
    stage: Callable[[Tally], Outcome]
    snapshot: Sequence[object] | None
    bad: BadRowsOutput | None = None
    max_bad_rows: Limit = NO_LIMIT
    job: JobKey = field(default_factory=lambda: JobKey(""))
    reported: ReportOptions = ReportOptions()
    baseline: Mapping[str, Any] | None = None

    @property
    def subject(self) -> str:
        """The models, for messages."""
        return ", ".join(f"model {title_of(model.package)}" for model in self.models)
