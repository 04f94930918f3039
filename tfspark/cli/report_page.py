"""`tfspark report`: writes the page of a JSON report of a job. Driver."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfspark.cli.command_parser import CommandParser
from tfspark.cli.run_log import RunLog
from tfspark.errors import InputNotFoundError, InvalidInputError, TfsparkError, explain
from tfspark.scoring import flags
from tfspark.scoring.flags import Flag
from tfspark.scoring.run_job import run_job

_HINT = "give the file _tfspark_report_RUN.json in the output folder, or the file of --report."

OUTPUT = Flag("--output", "PAGE.html", "file of the page (default: beside the report)")


def new_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = CommandParser(
        prog="tfspark report",
        usage="tfspark report REPORT.json [flags]",
        description="Write the page of a report: one HTML file with the same facts.",
        epilog="Exit codes: 0 written, 2 usage, or Jinja2 is not installed (extra report), 65 the "
        "file is not a report, 66 there is no file, 73 the page would replace "
        "another file, 74 an I/O error.",
    )
    meaning = "the JSON report of a job (a local file)"
    parser.add_argument("report", metavar="REPORT.json", help=meaning)
    flags.add(parser, OUTPUT)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page; return the exit code."""
    args = new_parser().parse_args(argv)

    def written() -> str:
        from tfspark.scoring.page import page_beside, write_page

        place = args.output or page_beside(args.report)
        report = _report(Path(args.report))
        if not args.output:
            _check_other_page(Path(place))
        try:
            write_page(report, place)
        except TfsparkError:
            raise
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise _no_report(Path(args.report), f"{type(error).__name__}: {error}") from error
        return place

    with RunLog() as log:
        return run_job(written, log)


def _check_other_page(place: Path) -> None:
    """Refuse to replace a file that the user did not name, unless it is the page of a report."""
    from tfspark.scoring.page import can_write_pages, head_of, refuse_other_page

    if can_write_pages() and place.exists():
        refuse_other_page(str(place), head_of(place), "--output")


def _report(path: Path) -> Mapping[str, Any]:
    try:
        report = json.loads(path.read_text("utf-8"))
    except OSError as error:
        problem, found = f"The report {path} cannot be read.", error.strerror or ""
        raise InputNotFoundError(explain(problem, found=found, hint=_HINT)) from error
    except ValueError as error:
        raise _no_report(path, "a file that is not JSON") from error
    if not isinstance(report, dict) or "rows_out" not in report:
        raise _no_report(path, "JSON with other content")
    return report


def _no_report(path: Path, found: str) -> TfsparkError:
    expected = "the JSON report of a job, whose path the job prints"
    problem = f"{path} is not a report."
    return InvalidInputError(explain(problem, expected=expected, found=found, hint=_HINT))
