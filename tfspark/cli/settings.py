"""Values of flags from a TOML file and from the environment. Driver.

A flag takes its value from the first source that has one: command line, file, environment, default.
Sources are not merged, and a flag also overrides the flags that exclude it in later sources. All
values are parsed as on the command line, so the same values are refused, with the same messages.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tfspark.cli.command_parser import CommandParser
from tfspark.errors import did_you_mean
from tfspark.foreign_text import MASK, one_line
from tfspark.scoring import flags
from tfspark.scoring.flags import Flag
from tfspark.scoring.job_parser import ByName, OnceTrue
from tfspark.standard_streams import write_out

CONFIG = Flag(
    "--config",
    "FILE",
    "TOML file with values of flags, such as batch-size = 64; the command line overrides the file, "
    "and the file overrides variables such as TFSPARK_BATCH_SIZE",
)
SHOW_CONFIG = Flag("--show-config", "", "print each value and its source, stop")

# Options of spark-submit without a flag here, and what to write instead.
_ELSEWHERE = {
    "--remote": "the job needs a classic session, as with --master; on Spark Connect, score with "
    "tfspark.predict",
    "--jars": "write --conf spark.jars=…",
    "--packages": "write --conf spark.jars.packages=…",
    "--py-files": "write --conf spark.submit.pyFiles=…",
    "--driver-memory": "write --conf spark.driver.memory=…",
    "--executor-memory": "write --conf spark.executor.memory=…",
    "--executor-cores": "write --conf spark.executor.cores=…",
    "--num-executors": "write --conf spark.executor.instances=…",
}

# Their values may be secrets, which no pattern can recognise.
_MASKED = ("--option", "--output-option", "--conf")
_NOT_SETTINGS = ("--config", "--show-config", "--help")


@dataclass(frozen=True)
class Setting:
    """The value of a flag from one source.

    Attributes:
        flag: Name of the flag with its dashes.
        words: The flag with its values, as on a command line.
        source: The command line, a file or a variable.
    """

    flag: str
    words: tuple[str, ...]
    source: str

    @property
    def text(self) -> str:
        """The values as text for people, with secrets masked."""
        values = [word.removeprefix(f"{self.flag}=") for word in self.words if word != self.flag]
        if self.flag in _MASKED:
            values = [f"{value.partition('=')[0]}={MASK}" for value in values]
        return " ".join(map(one_line, values)) or "true"


class ConfiguredParser(CommandParser):
    """A parser whose flags can also be set by a file and by the environment."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._sources: dict[str, str] = {}

    def add_config_flags(self) -> None:
        """Add `--config` and `--show-config`."""
        flags.add(self.add_argument_group("configuration"), CONFIG, SHOW_CONFIG)

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse; exit with code 0 after `--show-config`, and with code 2 after a usage error."""
        words = sys.argv[1:] if args is None else list(args)
        if not {"-h", "--help"}.isdisjoint(words):  # also with a broken file
            return super().parse_args(words, namespace)
        for flag in (word.partition("=")[0] for word in words):
            if flag in _ELSEWHERE:
                self.error(f"there is no flag {flag}: {_ELSEWHERE[flag]}")
        given = self._given(words)
        settings = self._settings(given)
        self._sources = {one.flag: one.source for one in settings if one not in given}
        if any(one.flag == "--show-config" for one in given):
            self._relax()
        self._refuse_empty(settings)
        more = [word for one in settings if one not in given for word in one.words]
        found = super().parse_args([*more, *words], namespace)
        if found.show_config:
            write_out(self._table(settings))
            self.exit(0)
        return found

    def error(self, message: str) -> NoReturn:
        """Exit with code 2; the message names the file or the variable with the wrong value."""
        for flag, source in self._sources.items():
            if f"argument {flag}:" in message:
                message += f" (from {source})"
        super().error(message)

    def _refuse_empty(self, settings: Sequence[Setting]) -> None:
        """Refuse an empty value of a file or a variable; the advice differs from that for flags."""
        for one in settings:
            if one.flag in self._sources and f"{one.flag}=" in one.words:
                problem = f"the value of {one.flag} is empty; give a value, or remove it"
                self.error(f"{one.source}: {problem}")

    def _given(self, words: Sequence[str]) -> list[Setting]:
        """Return the flags on the command line, each with its words."""
        found: dict[str, list[str]] = {}
        flag = ""
        for word in words:
            name = word.partition("=")[0]
            if name in self._option_string_actions:
                flag = name
            if flag:
                found.setdefault(flag, []).append(word)
        return [Setting(flag, tuple(found[flag]), "command line") for flag in found]

    def _settings(self, given: Sequence[Setting]) -> list[Setting]:
        """Return the setting of each flag, from the first source that has one."""
        chosen: dict[str, Setting] = {one.flag: one for one in given}
        path = next(
            (_first_value(one.words) for one in given if one.flag == "--config"),
            None,
        )
        path = path or os.environ.get("TFSPARK_CONFIG")
        for source in ([*self._of_file(Path(path))] if path else [], [*self._of_environment()]):
            taken = {name for flag in chosen for name in self._excluded_by(flag)}
            chosen |= {one.flag: one for one in source if one.flag not in taken}
        return [*chosen.values()]

    def _excluded_by(self, flag: str) -> set[str]:
        """Return the flag itself, and the flags that exclude it."""
        action = self._option_string_actions[flag]
        groups = [one._group_actions for one in self._mutually_exclusive_groups]
        beside = [one for group in groups if action in group for one in group]
        return {flag, *(name for one in beside for name in one.option_strings)}

    def _of_file(self, path: Path) -> Iterator[Setting]:
        for key, value in self._toml(path).items():
            flag = f"--{key}"
            if flag in _NOT_SETTINGS or flag not in self._option_string_actions:
                near = did_you_mean(key, [name.strip("-") for name in self._names()])
                self.error(f"{path}: there is no setting {key!r}.{near}")
            yield Setting(flag, tuple(self._words(path, flag, value)), str(path))

    def _of_environment(self) -> Iterator[Setting]:
        for flag in self._names():
            name = f"TFSPARK_{flag.strip('-').replace('-', '_').upper()}"
            value = os.environ.get(name)
            if value is None:
                continue
            is_switch = isinstance(self._option_string_actions[flag], OnceTrue)
            if is_switch and value not in ("true", "false"):
                self.error(f"{name}: expected true or false, found {value!r}")
            if value != "false" or not is_switch:
                yield Setting(flag, (flag,) if is_switch else (f"{flag}={value}",), name)

    def _names(self) -> list[str]:
        """Return the flags that a file or the environment can set."""
        return [
            name
            for name in self._option_string_actions
            if name.startswith("--") and name not in _NOT_SETTINGS
        ]

    def _toml(self, path: Path) -> dict[str, Any]:
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            try:
                import tomli as tomllib
            except ImportError:
                self.error("--config needs Python 3.11, or the package tomli (extra cli)")
        try:
            return tomllib.loads(path.read_text("utf-8-sig"))
        except OSError as error:
            self.error(f"argument --config: {path} cannot be read: {error.strerror}")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            self.error(f"argument --config: {path} is not TOML: {error}")

    def _words(self, path: Path, flag: str, value: Any) -> Iterator[str]:
        """Yield a value of a file as words of a command line."""
        action = self._option_string_actions[flag]
        if isinstance(action, OnceTrue):
            if not isinstance(value, bool):
                self.error(f"{path}: {flag.strip('-')} takes true or false")
            if value:
                yield flag
        elif isinstance(action, ByName):
            if not isinstance(value, dict):
                key = flag.strip("-")
                self.error(f"{path}: {key} takes a table, such as [{key}] with NAME = VALUE lines")
            yield from (f"{flag}={name}={_text(one)}" for name, one in _by_name(value))
        elif isinstance(value, dict | bool):
            self.error(f"{path}: {flag.strip('-')} takes one value, found {value!r}")
        else:
            yield f"{flag}={_text(value)}"

    def _relax(self) -> None:
        """Let `--show-config` work without the flags that a run needs."""
        for action in self._actions:
            action.required = False
        for group in self._mutually_exclusive_groups:
            group.required = False

    def _table(self, settings: Sequence[Setting]) -> str:
        chosen = {one.flag: one for one in settings}
        rows = [("flag", "value", "from")]
        for flag in self._names():
            one = chosen.get(flag)
            action = self._option_string_actions[flag]
            value = one.text if one and one.words else _shown(action)
            rows.append((flag, value, one.source if one else "default"))
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        return "".join(f"{a:{widths[0]}}  {b:{widths[1]}}  {c}\n" for a, b, c in rows)


def _first_value(words: Sequence[str]) -> str:
    """Return the value of a flag; words without a flag may follow it."""
    flag, separator, value = words[0].partition("=")
    return value if separator else words[1] if len(words) > 1 else flag


def _by_name(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield names and values; to TOML, `spark.driver.memory` without quotes is three tables."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _by_name(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _text(value: Any) -> str:
    """Write a value of a file as on a command line."""
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(action: argparse.Action) -> str:
    """Write the default of a flag."""
    default = action.default
    if default is None or default in ("", [], {}, ()):
        return "-"
    if isinstance(default, Mapping | list | tuple):
        return ",".join(map(str, default))
    return str(default).lower() if isinstance(default, bool) else str(default)
