"""`tfspark completion`: prints the completion script for a shell, made by shtab. Driver."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from tfspark.cli.command import COMMANDS
from tfspark.cli.command_parser import CommandParser
from tfspark.scoring.job_parser import one_of
from tfspark.standard_streams import write_out

SHELLS = ("bash", "zsh", "tcsh")


def new_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = CommandParser(
        prog="tfspark completion",
        usage="tfspark completion bash|zsh|tcsh",
        description="Print the completion script for a shell. For bash: "
        "tfspark completion bash > ~/.local/share/bash-completion/completions/tfspark",
        epilog="Exit codes: 0 printed, 2 usage, or shtab is not installed (extra cli).",
    )
    parser.add_argument("shell", metavar="|".join(SHELLS), type=one_of(*SHELLS), help="the shell")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the script; return the exit code."""
    parser = new_parser()
    args = parser.parse_args(argv)
    try:
        shtab: Any = import_module("shtab")
    except ImportError:
        parser.error("the package shtab is not installed; run: pip install shtab")
    write_out(f"{shtab.complete(whole_parser(), shell=args.shell)}\n")
    return 0


def whole_parser() -> argparse.ArgumentParser:
    """Return one parser with all commands, as shtab needs it."""
    parser = argparse.ArgumentParser("tfspark")
    commands = parser.add_subparsers()
    for name, (module, summary) in COMMANDS.items():
        found: CommandParser = import_module(f"tfspark.cli.{module}").new_parser()
        commands.add_parser(name, help=summary, parents=[found], add_help=False)
    return parser
