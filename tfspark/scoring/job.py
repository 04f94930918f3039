"""What a batch job is asked for, and the plan that answers it. Driver.

A `BatchJob` is the user's words; a `Plan` is a job whose every part was checked, with one call
left to make: `stage`, which runs the tasks, writes the rows aside and counts them.
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
    """What a user asks of a batch job; its flags are those of `jobs/batch_score.py`.

    Attributes:
        model: Path or URI of the model.
        source: Where rows come from.
        target: Where rows go.
        mode: What to do when the target exists: `error`, `overwrite` or `append`.
        feed: Input → column, field of a struct, scalar columns to stack, or `Constant`.
        fetch: Output → column; by default every output under its own name.
        keep: Columns of the input to write beside the predictions; by default all.
        allow_missing: Allow that a Parquet or ORC file lacks a column which others have: it is null
            in the rows of that file.
        path: `spark` reads and writes through Spark's own sources; `direct` lets each task read and
            write its files itself; `auto` goes direct where the result is the same.
        bad_rows: Folder for bad rows; without one, the first bad row ends the job.
        max_bad_rows: How many rows may be bad.
        options: The options of all APIs.
        run_id: A key of the user's own: a job whose key is marked done is not run again.
        chunks: Into how many groups the work is divided at least. A finished one is kept when the
            job is killed, and not scored again: groups of input files through Spark, and waves of
            tasks on the direct path.
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
    """What the tasks of one run did.

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
    """A job whose every part was checked: nothing has run, nothing is written.

    Attributes:
        package: The model.
        output: Where the rows go.
        path: The way that they take.
        columns: The columns of the output: name → Spark type.
        rounded: One sentence per column whose numbers are rounded to the model's precision.
        stage: Runs the tasks and writes the rows aside.
        snapshot: What the input was when the job was planned; it makes a job the same job.
        bad: Where bad rows go, if the job sets them aside.
        max_bad_rows: How many rows may be bad.
        job: What this run does, for runs that come after it.
        options: How to score.
    """

    package: ModelPackage
    output: Output
    path: Literal["spark", "direct"]
    columns: Mapping[str, str]
    rounded: Sequence[str]
    stage: Callable[[], Outcome]
    snapshot: Sequence[object]
    bad: BadRowsOutput | None = None
    max_bad_rows: Limit = NO_LIMIT
    job: JobKey = field(default_factory=lambda: JobKey(""))
    options: ScoreOptions = DEFAULTS
