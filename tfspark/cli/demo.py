"""`tfspark demo`: scores a sample that comes with tfspark, and prints the commands. Driver."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

from tfspark.cli import score
from tfspark.cli.command_parser import CommandParser
from tfspark.standard_streams import write_out

FOLDER = "tfspark-demo"
_ROWS = "homes.parquet"
_SHOWN = 5


def new_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = CommandParser(
        prog="tfspark demo",
        usage="tfspark demo [FOLDER]",
        description="Copy a model and 1000 rows to a folder, score them with Spark on this "
        "machine, and show the result.",
        epilog="Exit codes: those of tfspark score.",
    )
    meaning = f"folder for the model, the rows and the result (default: {FOLDER})"
    parser.add_argument("folder", metavar="FOLDER", nargs="?", default=FOLDER, help=meaning)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Score the sample; return the exit code."""
    parser = new_parser()
    folder = Path(parser.parse_args(argv).folder)
    try:
        if folder.is_dir() and any(folder.iterdir()) and not (folder / _ROWS).exists():
            parser.error(f"the folder {folder} has other files; name a new one")
        with as_file(files(__package__).joinpath("sample")) as sample:
            shutil.copytree(sample, folder, dirs_exist_ok=True)
    except OSError as error:
        parser.error(f"the folder {folder} cannot be written: {error.strerror or error}")
    model, rows, scored = (str(folder / name) for name in ("model", _ROWS, "scored"))
    words = ["--model", model, "--input", rows, "--output", scored, "--mode", "overwrite"]
    write_out(f"$ {shlex.join(['tfspark', 'score', *words])}\n")
    code = score.main(words)
    if code:
        return code
    commands = (
        ["inspect", model],
        ["sql", "--register", f"price={model}", "--query", _query(rows)],
        ["score", "-h"],
    )
    more = "".join(f"  {shlex.join(['tfspark', *line])}\n" for line in commands)
    write_out(f"\nThe first rows of {scored}:\n{_first_rows(scored)}\n\nMore to try:\n{more}")
    return 0


def _query(rows: str) -> str:
    call = "price(struct(area, city, rooms))"
    return f"SELECT city, avg({call}.price) AS price FROM parquet.`{rows}` GROUP BY city"


def _first_rows(folder: str) -> str:
    import pyarrow.parquet as pq

    from tfspark.scoring.diagnosis import aligned

    table = pq.read_table(folder).sort_by("id").slice(0, _SHOWN)
    return aligned(
        [table.column_names, *([*map(_cell, row.values())] for row in table.to_pylist())]
    )


def _cell(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
