"""The report of a job as JSON: counts, seconds of each phase, model and versions. Driver.

The job adds phases and facts as it runs. `report_file` writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from time import perf_counter
from typing import Any

from tfspark.foreign_text import redacted
from tfspark.package import ModelPackage
from tfspark.scoring.json_text import copied, indented
from tfspark.scoring.run_name import check_run_name
from tfspark.signature import TensorSpec, format_shape

# A commit may be recorded in a property of a table, and the size of a property is limited.
_NOT_RECORDED = ("cards", "statistics", "drift")


@dataclass
class Report:
    """The account of one run.

    Attributes:
        job: Name of the job.
        run: Identifier of this run; the names of its staged files contain it.
        started: Start time in UTC (ISO 8601).
        model: Path, name, version, digest and signature of the model; one per name in a SQL job, or
            in a job with several models.
        cards: Name of a model → its model card; a single model has an empty name. Models without
            a card are missing.
        engine: The engine that scored and why another engine did not; with `--engine fastest` also
            the rows per second of each engine in one worker. In a job with several models, one such
            value per name. Empty in a SQL job, and if this run scored no row.
        input: The input, as text.
        output: The output, as text.
        path: The path of the rows: `spark` or `direct`.
        rows_in: Rows read; `None` in a SQL job, because a query may read rows many times.
        rows_out: Rows written.
        null_rows: Rows with a null input, whose predictions are null; with several models, rows
            that the last model did not score; `None` in a SQL job, because the driver does not know
            which columns of the result are predictions.
        bad_rows: Rows that could not be scored and were set aside; `rows_out` does not count them.
        bad_rows_output: Folder of the bad rows; empty when the first bad row ends the job.
        kept_rows: Rows of `rows_in` that an earlier, unfinished run of this job had scored.
        scored_rows: The other rows of `rows_in`, which this run scored; `None` in a SQL job.
        rounded: One sentence per column whose numbers are rounded to the model's precision, such as
            "column 'x' double → float32".
        seconds: Wall time by phase, in seconds.
        versions: Versions of Spark, and of Python, TensorFlow, NumPy and Arrow on the workers.
        statistics: Statistics of the rows that this run scored; see `tfspark.sketches.summary`.
            Empty with `--no-stats`, in a SQL job, and if a task could not collect them.
        drift: The drift since an earlier run; see `tfspark.scoring.drift`. Empty without a
            baseline.
    """

    job: str
    run: str
    started: str
    model: dict[str, Any] = field(default_factory=dict)
    cards: dict[str, str] = field(default_factory=dict)
    engine: dict[str, Any] = field(default_factory=dict)
    input: str = ""
    output: str = ""
    path: str = "spark"
    rows_in: int | None = None
    rows_out: int = 0
    null_rows: int | None = None
    bad_rows: int = 0
    bad_rows_output: str = ""
    kept_rows: int = 0
    scored_rows: int | None = None
    rounded: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    statistics: dict[str, Any] = field(default_factory=dict)
    drift: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a dictionary, with secrets masked."""
        return self._masked(one.name for one in fields(self))

    def record(self) -> dict[str, Any]:
        """Return the account for the record of a commit, without values of rows and long parts."""
        return self._masked(one.name for one in fields(self) if one.name not in _NOT_RECORDED)

    def _masked(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: copied(getattr(self, name), redacted) for name in names}

    def of_run(self, account: Mapping[str, Any]) -> Report:
        """Return the report of an earlier run; fields that it lacks keep their values.

        Raises:
            OutputBusyError: No job writes such a report.
        """
        check_run_name(account)
        known = {key.name for key in fields(self)}
        return replace(self, **{name: value for name, value in account.items() if name in known})

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the seconds of a block to the account."""
        started = perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + perf_counter() - started, 3)

    def document(self) -> dict[str, Any]:
        """Return the account with the total, which is the sum of the phases."""
        document = self.as_dict()
        document["seconds"] = {**self.seconds, "total": round(sum(self.seconds.values()), 3)}
        return document

    def to_json(self) -> str:
        """Return the document as JSON."""
        document = self.document()
        # `json` escapes all control characters except this one.
        return indented(document).replace("\x7f", "\\u007f") + "\n"


def model_facts(package: ModelPackage) -> dict[str, Any]:
    """Return the facts about a model for the report."""
    return {
        "path": package.place,
        "name": package.name,
        "version": package.version,
        "digest": package.digest,
        "signature": package.signature.name,
        "inputs": [_spec(spec) for spec in package.signature.inputs],
        "outputs": [_spec(spec) for spec in package.signature.outputs],
        "tensorflow": package.tensorflow_version,
    }


def _spec(spec: TensorSpec) -> dict[str, str]:
    """Return the facts about an input or output."""
    shape = "unknown" if spec.shape is None else format_shape(spec.shape)
    return {"name": spec.name, "dtype": spec.dtype, "shape": shape, "spark": spec.sql}
