"""The command line of a batch job that scores a case."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.thirdparty.case import Case


def flags(case: Case, base: Path, *more: object) -> list[str]:
    """Return the arguments of `batch_score.py`."""
    told = ["--model", base, *_columns(case), *_options(case), *more]
    return [str(one) for one in told]


def _columns(case: Case) -> Iterator[str]:
    for name, given in case.feed.items():
        if isinstance(given, str | list):
            yield from ("--feed", f"{name}={given if isinstance(given, str) else ','.join(given)}")
        else:
            yield from ("--constant", f"{name}={_text(given)}")
    for name, column in (case.fetch or {}).items():
        yield from ("--fetch", f"{name}={column}")


def _options(case: Case) -> Iterator[str]:
    for option, value in case.options.items():
        if option == "output_shapes":
            for name, shape in value.items():
                yield from ("--output-shape", f"{name}={','.join(map(str, shape))}")
        elif option == "tags":
            yield from ("--tags", ",".join(value))
        elif value is True:
            yield f"--{option}"
        else:
            yield from (f"--{option.replace('_', '-')}", str(value))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
