"""A strict command-line parser: each flag once, and by its full name. Driver.

Python's parser uses the last of two equal flags, and accepts abbreviations. Here both are usage
errors, and the message for an unknown name suggests the closest known one. The attribute `given` of
the parsed command line has the names of the flags that were given.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from tfspark.errors import did_you_mean
from tfspark.foreign_text import one_line


class JobParser(argparse.ArgumentParser):
    """The parser of a job's command line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)
        self.set_defaults(given=frozenset())
        self.register("action", None, Once)
        self.register("action", "store_true", OnceTrue)

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse; a usage error ends the process with code 2."""
        given = sys.argv[1:] if args is None else list(args)
        known = [flag for flag in self._option_string_actions if flag.startswith("--")]
        for word in given:
            name = word.partition("=")[0]
            if name.startswith("--") and name not in (*known, "--") and " " not in name:
                self.error(f"there is no flag {name}.{did_you_mean(name, known)}")
        found, rest = self.parse_known_args(given, namespace)
        if rest:
            self.error(_left_over(given, rest))
        return found

    def error(self, message: str) -> NoReturn:
        """Exit with code 2; the message is made safe to print."""
        super().error(one_line(message))


def _left_over(given: Sequence[str], rest: Sequence[str]) -> str:
    """Report the position of words without a flag, but not the words: they may be secrets."""
    if rest[0].startswith("-"):
        return f"there is no flag {rest[0].partition('=')[0]}"
    before = given[: given.index(rest[0])] if rest[0] in given else given
    flag = next((word for word in reversed(before) if word.startswith("--")), "")
    place = f" after {flag.partition('=')[0]}" if flag else ""
    count = "1 word" if len(rest) == 1 else f"{len(rest)} words"
    return f"{count}{place} without a flag; separate values with commas, and quote spaces"


class Once(argparse.Action):
    """Stores a value; refuses a second one."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store the value."""
        name = option_string or str(self.metavar or self.dest)
        if name in namespace.given:
            parser.error(f"argument {name}: it is given twice")
        if values == "":  # such as "$KEY" with a variable that is not set
            can_leave_out = option_string and not _is_needed(parser, self)
            advice = "leave the flag out" if can_leave_out else "give a value"
            parser.error(f"argument {name}: the value is empty; {advice}")
        namespace.given |= {name}
        setattr(namespace, self.dest, values)


def _is_needed(parser: argparse.ArgumentParser, action: argparse.Action) -> bool:
    """Whether a command line needs the flag, or one of a group with it."""
    groups = [one for one in parser._mutually_exclusive_groups if one.required]
    return action.required or any(action in one._group_actions for one in groups)


class OnceTrue(Once):
    """Stores `True`."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, default=False, **options)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,  # noqa: ARG002
        option_string: str | None = None,
    ) -> None:
        """Store `True`."""
        super().__call__(parser, namespace, True, option_string)


class ByName(argparse.Action):
    """Collects repeated `NAME=VALUE` flags in a dict; refuses a name that is given twice."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add one pair."""
        name, value = values
        found = dict(getattr(namespace, self.dest))
        if name in found:
            parser.error(f"argument {option_string}: {name!r} is given twice")
        namespace.given |= {option_string}
        setattr(namespace, self.dest, {**found, name: value})


def one_of(*words: str) -> Callable[[str], str]:
    """Return the parser of one of several words."""

    def parse(text: str) -> str:
        if text not in words:
            near = did_you_mean(text, words)
            raise argparse.ArgumentTypeError(
                f"expected {' or '.join(words)}, found {text!r}.{near}"
            )
        return text

    return parse
