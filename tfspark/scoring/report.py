"""The report of a job as JSON: counts, seconds of each phase, model and versions. Driver.

The job adds phases and facts as it runs. The path of the JSON document is the last line that a job
prints. A page with the same facts is written beside it.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tfspark.errors import OutputExistsError, TfsparkError, UsageError, explain
from tfspark.foreign_text import one_line, redacted
from tfspark.package import ModelPackage
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.json_text import copied, indented
from tfspark.scoring.page import (
    HEAD,
    NoTemplatesError,
    can_write_pages,
    head_of,
    page_beside,
    page_of,
    refuse_other_page,
)
from tfspark.scoring.run_name import check_run_name
from tfspark.scoring.whole_file import write_whole
from tfspark.signature import TensorSpec, format_shape
from tfspark.spark.cluster.failures import cause
from tfspark.spark.cluster.files import HadoopFiles, local_path

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)

# A commit may be recorded in a property of a table, and the size of a property is limited.
_NOT_RECORDED = ("cards", "statistics", "drift")
# The beginning of a report; the rest may be missing, because its job was killed or a disk was full.
_CUT = re.compile(rb'\{\s*"job": "(batch|sql)_score",\s*"run": ')


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


def check_report(spark: SparkSession, path: str | None) -> None:
    """Refuse a path that cannot hold a report; called before the job.

    Raises:
        UsageError: It is a folder, or on a file system that Spark does not know.
        OutputExistsError: It is below a file, or where this user cannot write, or it or its page
            would replace another file.
    """
    if path is None:
        return
    files = HadoopFiles(spark, path)
    where = files.qualified(path)
    files.check_creatable(where)
    if files.is_folder(where):
        raise UsageError(
            explain(f"The report cannot be written to {path}.", expected="a file", found="a folder")
        )
    # A file without content may have been made for the report, or is left of a killed job.
    head = _head(files, where) if files.exists(where) else b""
    if head and not _CUT.match(head) and not _run_at(files, path):
        problem = f"--report would replace {path}, which is not a report."
        raise OutputExistsError(explain(problem, hint="name a new file."))
    _check_page(files, page_beside(path))


def _check_page(files: HadoopFiles, place: str) -> None:
    """Refuse to replace something that is not a page of a report."""
    where = files.qualified(place)
    if can_write_pages() and files.exists(where):
        refuse_other_page(place, _head(files, where), "--report")


def _head(files: HadoopFiles, where: str) -> bytes:
    """Return the first bytes of a file; nothing for folders and pipes."""
    local = local_path(where)
    if local is not None:
        return head_of(local)
    return b"" if files.is_folder(where) else files.head(where, HEAD)


def write_report(
    spark: SparkSession, report: Report, target: Dataset | None, path: str | None
) -> str:
    """Write a report and return its path.

    Args:
        spark: The session, whose file systems reach the path.
        report: The finished report.
        target: The output of the rows. By default the report goes into this folder, with a name
            that Spark's readers ignore; for a table, it goes into the working directory, and only
            this user can read it, because it shows rows that the table may hide from others.
        path: A path or URI that the user chose; `None` for the default.

    Raises:
        TfsparkError: When the report cannot be written. The rows are published, but they may have
            been removed since.
    """
    name = f"_tfspark_report_{report.run}.json"
    place = path or (
        f"{target.path.rstrip('/')}/{name}"
        if target and target.path
        else f"file:{Path.cwd() / name}"
    )
    is_private = not path and not (target and target.path)
    files = HadoopFiles(spark, place)
    if not path and target and target.path and not files.is_folder(target.path):
        problem = f"The report is not written: its folder {target.path} does not exist."
        found = "a run that is done, and an output that was removed later"
        hint = "choose another --run-id to write the rows again, or name a file with --report."
        raise TfsparkError(explain(problem, found=found, hint=hint))
    try:
        if _run_at(files, place) == report.run:  # written by this run before it was killed, or done
            return _shown_path(files, place)
        written = _write(files, place, report.to_json(), is_private)
    except Exception as error:
        raise TfsparkError(
            explain(
                f"The rows are written, but the report is not: {place}.",
                found=cause(error),
                hint="do not run the job again only for the report.",
            )
        ) from error
    _write_page(files, page_beside(place), report, is_private)
    return written


def _write_page(files: HadoopFiles, place: str, report: Report, is_private: bool) -> None:
    """Write the page of a report. The rows are published, so an error is only logged."""
    try:
        _check_page(files, place)
        _write(files, place, page_of(report.document()), is_private)
    except NoTemplatesError as error:
        _log.info("%s", error)
    except Exception as error:
        _log.warning("the page %s is not written: %s", one_line(place), cause(error))


def _run_at(files: HadoopFiles, place: str) -> str:
    """Return the run of the report at a place; empty without a report.

    The caller keeps the report of a finished run, because the record of its commit has no
    statistics to write it again.
    """
    where = files.qualified(place)
    local = local_path(where)
    if not files.exists(where) or (local is not None and not local.is_file()):
        return ""  # to read a pipe such as /dev/stdout would take forever
    with TemporaryDirectory(prefix="tfspark-") as folder:
        copy = Path(folder) / "report.json"
        files.copy_to_local(where, copy)
        try:
            return str(json.loads(copy.read_bytes())["run"])
        except (ValueError, KeyError, TypeError):  # another file, which is replaced
            return ""


def _shown_path(files: HadoopFiles, place: str) -> str:
    where = files.qualified(place)
    return str(local_path(where) or where)


def _write(files: HadoopFiles, place: str, text: str, is_private: bool) -> str:
    where = files.qualified(place)
    local = local_path(where)
    if local is None:
        files.write_text(where, text)
        return where
    local.parent.mkdir(parents=True, exist_ok=True)
    write_whole(local, text, is_private=is_private)
    return str(local)
