"""Train, evaluate and export one reference model: `python -m models NAME --out BASE`.

In: the name of a model, the base path to export to, and options. Out: the metrics on stdout, one
a line, then the export dir as the last line. `--list` and `--help` answer without TensorFlow.

Exit codes: 0 done, 2 usage, 65 model or data, 66 no input, 73 the export cannot be written.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models import MODELS, reference
from tfspark.errors import InputNotFoundError, TfsparkError, UsageError, did_you_mean, explain

EXIT_CANNOT_CREATE = 73


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; argparse itself answers `--help` and wrong options."""
    parser = argparse.ArgumentParser(
        prog="python -m models",
        description="Train one reference model and export it as a SavedModel.",
        epilog="models:\n" + _listing(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the model, see below")
    parser.add_argument("--list", action="store_true", help="print the names of all models")
    parser.add_argument("--out", type=Path, metavar="BASE", help="folder of the exported models")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of your own data files")
    parser.add_argument("--seed", type=int, default=0, help="of data and weights (default: 0)")
    parser.add_argument("--epochs", type=_positive, help="instead of the model's own number")
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> Path:
    """Train, evaluate and export the model that the arguments name; print its metrics.

    Args:
        args: what `parse_args` returns.

    Returns:
        The export dir.

    Raises:
        UsageError: when the arguments do not go together.
        InputNotFoundError: when the data folder is not there.
        TfsparkError: when data or model are refused.
        OSError: when the export cannot be written.
    """
    _check(args)
    args.out.mkdir(parents=True, exist_ok=True)
    _quieten()
    module = reference(args.name)
    data = module.dataset(args.seed, **_given(folder=args.data))
    model = module.build(args.seed)
    module.train(model, data, seed=args.seed, **_given(epochs=args.epochs))
    for metric, value in module.evaluate(model, data).items():
        print(f"{metric:<12} {value:.4f}")
    return module.export(model, args.out)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = parse_args(argv)
    if args.list:
        print(_listing())
        return 0
    try:
        print(run(args))
    except TfsparkError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return exc.exit_code
    except OSError as exc:
        print(f"error: cannot write the export: {exc}", file=sys.stderr)
        return EXIT_CANNOT_CREATE
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.name not in MODELS:
        problem = f"No model is called {args.name!r}." if args.name else "Which model?"
        problem += did_you_mean(args.name or "", MODELS)
        expected = f"NAME, one of {', '.join(MODELS)}"
        raise UsageError(explain(problem, expected=expected, hint="python -m models --list"))
    if args.out is None:
        raise UsageError(explain("Where to?", expected="--out BASE", hint="--out /tmp/models"))
    if args.data and not MODELS[args.name].layout:
        problem = f"{args.name} takes no --data: it brings its own"
        raise UsageError(explain(problem, found=f"--data {args.data}", hint="leave --data out"))
    if args.data and not args.data.is_dir():
        expected = f"a folder with {MODELS[args.name].layout}"
        raise InputNotFoundError(explain(f"No data in {args.data}", expected=expected))


def _listing() -> str:
    return "\n".join(f"  {name:<12} {entry.summary}" for name, entry in MODELS.items())


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text!r}")
    return int(text)


def _given(**options: Any) -> dict[str, Any]:
    """Drop the options that were left out, so that each model keeps its own defaults."""
    return {name: value for name, value in options.items() if value is not None}


def _quieten() -> None:
    """Keep TensorFlow's start-up notes and deprecations off a terminal; a set level wins."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
