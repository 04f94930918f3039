"""The command `tfspark`: finds the module of a command and runs it. Driver.

It imports only the module of the called command, so `tfspark --help` starts as fast as Python.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

from tfspark import __version__
from tfspark.standard_streams import prepare_streams, write_out

# Command → its module in this package, and its summary.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "score": ("score", "score a dataset with a model"),
    "sql": ("sql", "run a query that calls models as functions"),
    "inspect": ("inspect_model", "show inputs, outputs and operations of a model"),
    "lint": ("lint_model", "list operations of a model that do more than compute"),
    "doctor": ("doctor", "check whether a Spark session can score"),
    "bench": ("bench_engines", "compare the speed of the installed engines on a model"),
    "recover": ("recover_output", "publish or remove the files that killed jobs left at an output"),
    "report": ("report_page", "write the page of a report"),
    "demo": ("demo", "score a sample dataset that comes with tfspark"),
    "completion": ("completion", "print the completion script for bash, zsh or tcsh"),
}

_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    prepare_streams()
    words = sys.argv[1:] if argv is None else list(argv)
    first = words[0] if words else "--help"
    if first in ("-h", "--help", "help"):
        write_out(page())
        return 0
    if first == "--version":
        write_out(f"tfspark {__version__}\n")
        return 0
    if first not in COMMANDS:
        return _unknown(first)
    module = import_module(f"tfspark.cli.{COMMANDS[first][0]}")
    code: int = module.main(words[1:])
    return code


def page() -> str:
    """Return the help."""
    listed = "".join(f"  {name:11} {what}\n" for name, (_, what) in COMMANDS.items())
    return (
        "usage: tfspark COMMAND …\n\n"
        "Score any TensorFlow SavedModel on Spark, without losing a row.\n\n"
        f"commands:\n{listed}\n"
        "tfspark COMMAND -h lists the flags of a command; --help explains them.\n"
        "tfspark --version shows the version.\n"
    )


def _unknown(name: str) -> int:
    from tfspark.errors import UsageError, did_you_mean, explain, listing

    near = did_you_mean(name, COMMANDS)
    known = listing(COMMANDS)
    error = explain(
        f"There is no command {name}.", expected=known, hint=f"see tfspark --help.{near}"
    )
    sys.stderr.write(f"error: {UsageError(error)}\n")
    return _USAGE
