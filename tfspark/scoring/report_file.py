"""Writes the report of a job and its page; refuses to replace other files. Driver.

The path of the report is the last line that a job prints. The page with the same facts is beside
it. Both files are written as a whole: a killed job leaves the old file or none.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tfspark.errors import OutputExistsError, TfsparkError, UsageError, explain
from tfspark.foreign_text import one_line
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.page import (
    HEAD,
    NoTemplatesError,
    can_write_pages,
    head_of,
    page_beside,
    page_of,
    refuse_other_page,
)
from tfspark.scoring.report import Report
from tfspark.scoring.whole_file import write_whole
from tfspark.spark.cluster.failures import cause
from tfspark.spark.cluster.files import HadoopFiles, local_path

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)

# The beginning of a report; the rest may be missing, because its job was killed or a disk was full.
_CUT = re.compile(rb'\{\s*"job"\s*:\s*"(batch|sql)_score"\s*,\s*"run"\s*:')


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
    folder = target.path.rstrip("/") if target and not path else ""
    place = path or (f"{folder}/{name}" if folder else f"file:{Path.cwd() / name}")
    is_private = not path and not folder
    files = HadoopFiles(spark, place)
    with _after_the_rows(place):
        is_gone = bool(folder) and not files.is_folder(folder)
    if is_gone:
        raise _without_folder(folder)
    with _after_the_rows(place):
        if _run_at(files, place) == report.run:  # written by this run before it was killed, or done
            return _shown_path(files, place)
        written = _write(files, place, report.to_json(), is_private)
    _write_page(files, page_beside(place), report, is_private)
    return written


@contextmanager
def _after_the_rows(place: str) -> Iterator[None]:
    """Say in each error that the rows are written."""
    try:
        yield
    except Exception as error:
        raise TfsparkError(
            explain(
                f"The rows are written, but the report is not: {place}.",
                found=cause(error),
                hint="do not run the job again only for the report.",
            )
        ) from error


def _without_folder(folder: str) -> TfsparkError:
    return TfsparkError(
        explain(
            f"The report is not written: its folder {folder} does not exist.",
            found="a run that is done, and an output that was removed later",
            hint="choose another --run-id to write the rows again, or name a file with --report.",
        )
    )


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
