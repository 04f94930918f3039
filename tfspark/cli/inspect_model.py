"""`tfspark inspect`: shows a SavedModel as text or JSON, without TensorFlow or Spark. Driver."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from tfspark.cli.command_parser import CommandParser
from tfspark.cli.run_log import RunLog
from tfspark.foreign_text import one_line
from tfspark.inspection import FUNCTION, Inspection, TaggedGraph, inspect
from tfspark.scoring import flags
from tfspark.scoring.flags import Flag
from tfspark.scoring.run_job import run_job
from tfspark.standard_streams import write_out

JSON = Flag("--json", "", "print JSON")

# The number of kinds of operations that the text shows; the JSON has all.
_SHOWN_KINDS = 12


def new_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = CommandParser(
        prog="tfspark inspect",
        usage="tfspark inspect MODEL [flags]",
        description="Show tag sets, signatures, operations and size of a model, and calls to copy.",
        epilog="Exit codes: 0 shown, 2 usage, 65 the model is broken or does not exist.",
    )
    parser.add_argument("model", metavar="MODEL", help=flags.MODEL.meaning)
    flags.add(parser, flags.VERSION, JSON)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Show a model; return the exit code."""
    args = new_parser().parse_args(argv)

    def shown() -> str:
        found = inspect(args.model, args.version)
        if not args.json:
            return "\n".join(page(found))
        write_out(json.dumps(found.as_json(), indent=2).replace("\x7f", "\\u007f") + "\n")
        return ""

    with RunLog() as log:
        return run_job(shown, log)


def page(found: Inspection) -> Iterator[str]:
    """Yield the lines of the page."""
    version = "" if found.version is None else f" version {found.version}"
    yield f"{one_line(found.name)}{version}"
    yield f"  path    {one_line(found.path)}"
    yield f"  size    {found.size:,} bytes in {found.file_count} files"
    yield f"  digest  {found.digest}"
    for graph in found.graphs:
        yield from _graph(graph)
    copied = found.to_copy()
    if "python" in copied:
        yield f"Python  {one_line(copied['python'])}"
    if "sql" in copied:
        yield f"SQL     {one_line(copied['sql'])}"
        yield f"        (tfspark sql --register {FUNCTION}={one_line(found.path)} --query …)"


def _graph(graph: TaggedGraph) -> Iterator[str]:
    writer = (
        f", written by TensorFlow {graph.tensorflow_version}" if graph.tensorflow_version else ""
    )
    yield one_line(f"tag set {','.join(graph.tags) or '(empty)'}{writer}")
    for signature in graph.signatures:
        yield from (f"  {line}" for line in signature.describe().splitlines())
    if not graph.signatures:
        yield "  no signature: it cannot be scored"
    total, kinds = sum(graph.operations.values()), len(graph.operations)
    some = [f"{op} {count}" for op, count in [*graph.operations.items()][:_SHOWN_KINDS]]
    more = f", and {kinds - len(some)} more kinds" if kinds > len(some) else ""
    yield one_line(f"  {total} operations of {kinds} kinds: {', '.join(some)}{more}")
    if graph.findings:
        yield f"  {len(graph.findings)} of them do more than compute; tfspark lint lists them"
    else:
        yield "  all of them only compute"
