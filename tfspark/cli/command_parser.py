"""The parser of a command: full help with `--help`, one line per flag with `-h`. Driver."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from tfspark.scoring.job_parser import JobParser
from tfspark.standard_streams import write_out

# The short help shows the meaning of a flag only up to its first remark.
_FIRST_PART = re.compile(r"[^;:(]+")
_WIDTH = 100
_LONGEST_MEANING = 70
_LONGEST_VALUE = 20


class CommandParser(JobParser):
    """A strict parser with two forms of help."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, add_help=False)
        self.add_argument("-h", action=_ShortHelp, help="show the flags, one per line, and exit")
        self.add_argument("--help", action="help", help="show this help and exit")

    def print_help(self, file: Any = None) -> None:
        """Write the full help."""
        if file is None:
            write_out(self.format_help())
        else:
            super().print_help(file)


class _ShortHelp(argparse.Action):
    """Prints each flag on one line."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, **options)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,  # noqa: ARG002
        values: Any,  # noqa: ARG002
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        """Print the help."""
        write_out("\n".join(_short_help(parser)) + "\n")
        parser.exit()


def _short_help(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield parser.format_usage().rstrip()
    yield ""
    yield textwrap.fill(parser.description or "", _WIDTH)
    for group in parser._action_groups:
        actions = [
            one for one in group._group_actions if one.help and one.dest not in ("h", "help")
        ]
        if actions:
            yield ""
            yield f"{group.title}:"
            yield from map(_line, actions)
    yield ""
    yield "--help explains each flag."


def _line(action: argparse.Action) -> str:
    name = action.option_strings[-1] if action.option_strings else str(action.metavar)
    value = str(action.metavar or "") if action.option_strings else ""
    if len(value) > _LONGEST_VALUE:
        value = "|".join([*value.split("|")[:2], "…"])
    meaning = _FIRST_PART.match(action.help or "")
    text = meaning[0].strip() if meaning else ""
    if len(text) > _LONGEST_MEANING:
        text = text.partition(",")[0]
    return f"  {f'{name} {value}':33} {text}"
