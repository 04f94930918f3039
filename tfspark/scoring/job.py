"""The request for a batch job, and its checked plan. Driver.

A `BatchJob` holds the settings of the user. A `Plan` is a job whose parts are all checked. Its
`stage` runs the tasks, writes the rows to a hidden folder and counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tfspark.feeding import Feed
from tfspark.options import DEFAULTS, ScoreOptions
from tfspark.package import ModelPackage
from tfspark.scoring.bad_row_limit import NO_LIMIT, Limit
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output.bad_rows import BadRowsOutput
from tfspark.scoring.output.journal import JobKey
from tfspark.scoring.output.protocol import Mode, Output

Path: TypeAlias = Literal["auto", "spark", "direct"]


@dataclass(frozen=True)
class BatchJob:
    """The settings of a batch job; they correspond to the flags of `jobs/batch_score.py`.

    Attributes:
        model: Path or URI of the model.
        source: The input.
        target: The output.
        mode: What to do when the target exists: `error`, `overwrite` or `append`.
        feed: Input → column, field of a struct, scalar columns to stack, or `Constant`.
        fetch: Output → column; by default every output under its own name.
        keep: Columns of the input to write beside the predictions; by default all.
        allow_missing: Whether a Parquet or ORC file may lack a column that other files have. The
            column is null in the rows of that file.
        path: `spark` reads and writes through Spark's own sources; `direct` lets each task read and
            write its files itself; `auto` takes the direct path if the result is the same.
        bad_rows: Folder for bad rows; without one, the first bad row ends the job.
        max_bad_rows: How many rows may be bad.
        options: The options of all APIs.
        run_id: A key that the user chooses. A job whose key is marked done is not run again.
        chunks: The least number of groups into which the work is divided: groups of input files
            through Spark, waves of tasks on the direct path. If the job is killed, its finished
            groups are kept and not scored again.
    """

    model: str
    source: Dataset
    target: Dataset
    mode: Mode = "error"
    feed: Feed = field(default_factory=dict)
    fetch: Mapping[str, str] | None = None
    keep: Sequence[str] | None = None
    allow_missing: bool = False
    path: Path = "auto"
    bad_rows: str = ""
    max_bad_rows: Limit = NO_LIMIT
    options: ScoreOptions = DEFAULTS
    run_id: str = ""
    chunks: int = 1


@dataclass(frozen=True)
class Outcome:
    """The row counts of one run.

    Attributes:
        rows_in: Rows read.
        rows_out: Rows written.
        null_rows: Rows whose predictions are null.
        bad_rows: Rows that were set aside.
        kept_rows: Rows of `rows_in` that an earlier run had scored.
    """

    rows_in: int
    rows_out: int
    null_rows: int
    bad_rows: int = 0
    kept_rows: int = 0


@dataclass(frozen=True)
class Plan:
    """A job whose parts are all checked. Nothing has run, and nothing is written.

    Attributes:
        package: The model.
        output: The output of the rows.
        path: `spark` or `direct`.
        columns: The columns of the output: name → Spark type.
        rounded: One sentence per column whose numbers are rounded to the model's precision.
        stage: Runs the tasks and writes the rows to a hidden folder.
        snapshot: The input files with sizes and times, or the versions of tables, when the job was
            planned. Two runs with other snapshots are other jobs. `None` for an input without
            files or versions; then only a run id shows that two runs are the same job.
        bad: The output of bad rows; `None` when the first bad row ends the job.
        max_bad_rows: How many rows may be bad.
        job: Identifies the job, so that a later run recognises it.
        options: How to score.
    """

    package: ModelPackage
    output: Output
    path: Literal["spark", "direct"]
    columns: Mapping[str, str]
    rounded: Sequence[str]
    stage: Callable[[], Outcome]
    snapshot: Sequence[object] | None
    bad: BadRowsOutput | None = None
    max_bad_rows: Limit = NO_LIMIT
    job: JobKey = field(default_factory=lambda: JobKey(""))
    options: ScoreOptions = DEFAULTS
