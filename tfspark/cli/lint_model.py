"""`tfspark lint`: lists operations of a model that do more than compute. Driver."""

from __future__ import annotations

from collections.abc import Sequence

from tfspark.cli.command_parser import CommandParser
from tfspark.cli.run_log import RunLog
from tfspark.errors import ForbiddenOperationError, explain
from tfspark.foreign_text import one_line
from tfspark.package import lint
from tfspark.scoring import flags
from tfspark.scoring.run_job import run_job
from tfspark.standard_streams import write_out


def new_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = CommandParser(
        prog="tfspark lint",
        usage="tfspark lint MODEL [flags]",
        description="List operations of a model that use files, the network, other processes or "
        "Python. The model is not run.",
        epilog="Exit codes: 0 none found, 2 usage, 65 some found, or the model is broken.",
    )
    parser.add_argument("model", metavar="MODEL", help=flags.MODEL.meaning)
    flags.add(parser, flags.VERSION, flags.TAGS, flags.ALLOW_OPS)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Check a model; return the exit code."""
    args = new_parser().parse_args(argv)

    def checked() -> str:
        found = [
            one for one in lint(args.model, args.version, args.tags) if one.op not in args.allow_ops
        ]
        if not found:
            return "no operation does more than compute"
        write_out("".join(f"{one_line(finding)}\n" for finding in found))
        names = ",".join(sorted({finding.op for finding in found}))
        count = "1 operation does" if len(found) == 1 else f"{len(found)} operations do"
        hint = f"if you trust the model, allow them with --allow-ops {names}."
        raise ForbiddenOperationError(explain(f"{count} more than compute.", hint=hint))

    with RunLog() as log:
        return run_job(checked, log)
