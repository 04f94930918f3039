"""Train, evaluate and export one reference model: `python -m models NAME --out BASE`.

Input: the name of a model, the base path to export to, and options. Output: the device and the
metrics on stdout, one per line, then the export dir as the last line; curves, metrics and a model
card beside the export. `--list` and `--help` answer without TensorFlow; `--make-data` writes the
synthetic files that a model trains on without `--data`.

Exit codes: 0 done, 2 usage, 65 model or data, 66 no input, 69 no device, 73 the export cannot be
written.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from models import MODELS, Entry, reference
from models.refusal import no_data
from tfspark.errors import TfsparkError, UsageError, did_you_mean, explain

EXIT_CANNOT_CREATE = 73


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; argparse handles `--help` and wrong options."""
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
    parser.add_argument(
        "--make-data",
        type=Path,
        metavar="DIR",
        help="write synthetic files of the layout that --data takes, and stop",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of data and weights (default: 0)")
    parser.add_argument("--epochs", type=_positive, help="epochs (default: the model's own)")
    parser.add_argument(
        "--fold",
        action="store_true",
        help="write the variables as constants, which makes some models faster",
    )
    parser.add_argument(
        "--log-to-mlflow",
        action="store_true",
        help="log model, signature, metrics and card to the server of MLFLOW_TRACKING_URI (extra "
        "mlflow)",
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> Path:
    """Train, evaluate and export the model that the arguments name; print its metrics.

    Args:
        args: the values from `parse_args`.

    Returns:
        The export dir, or the folder with the files of `--make-data`.

    Raises:
        UsageError: when the arguments contradict each other.
        InputNotFoundError: when the data folder does not exist.
        TfsparkError: when data or model are refused, no device answers, or MLflow does not take the
            run.
        OSError: when the export cannot be written.
    """
    _check(args)
    entry = MODELS[args.name]
    _silence_tensorflow()
    module = reference(args.name)
    if args.make_data:
        return module.write_data(args.make_data, args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    from models.training.devices import choose
    from models.training.report import Training, write_report
    from models.training.tracking import check_mlflow, log_training

    if args.log_to_mlflow:
        check_mlflow()

    data = module.dataset(args.seed, **_given(folder=args.data))
    source = _source(entry, args.data)
    devices = choose()
    print(f"device       {devices.title}")
    logs = args.out / module.NAME / "training" / "logs" if entry.logs else None
    start = time.perf_counter()
    with devices.strategy.scope() if entry.spreads else nullcontext():
        model = module.build(args.seed)
    curves = module.train(model, data, seed=args.seed, **_given(epochs=args.epochs, log_dir=logs))
    seconds = time.perf_counter() - start
    metrics = module.evaluate(model, data)
    for metric, value in metrics.items():
        print(f"{metric:<12} {value:.4f}")
    export_dir = module.export(model, args.out, fold=args.fold)
    training = Training(
        args.name, entry.summary, source, devices.title, args.seed, seconds, metrics, curves
    )
    report = write_report(training, export_dir)
    print(f"report       {report}")
    if args.log_to_mlflow:
        print(f"mlflow       {log_training(training, export_dir, report)}")
    return export_dir


def _source(entry: Entry, folder: Path | None) -> str:
    """Return the origin of the data; print a notice when they are synthetic."""
    if folder:
        return f"Your files in `{folder}`."
    if not entry.layout:
        return "Its own data, included in a package or drawn from the seed."
    print(
        f"NOTE: no --data, so this trains on SYNTHETIC data of the same layout ({entry.layout}); "
        "its figures say nothing about the real ones.",
        file=sys.stderr,
    )
    return f"Synthetic, drawn from the seed; the layout is {entry.layout}."


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
        problem = f"No model is called {args.name!r}." if args.name else "No model is named."
        problem += did_you_mean(args.name or "", MODELS)
        expected = f"NAME, one of {', '.join(MODELS)}"
        raise UsageError(explain(problem, expected=expected, hint="run python -m models --list"))
    if (args.out is None) == (args.make_data is None):
        expected = "either --out BASE or --make-data DIR"
        problem = "Give one of --out and --make-data."
        raise UsageError(explain(problem, expected=expected, hint="for example, --out models-out"))
    if (args.data or args.make_data) and not MODELS[args.name].layout:
        problem = f"{args.name} takes no data files: it brings its own"
        found = f"--data {args.data}" if args.data else f"--make-data {args.make_data}"
        raise UsageError(explain(problem, found=found, hint="leave it out"))
    of_export = {"--fold": args.fold, "--log-to-mlflow": args.log_to_mlflow}
    given = [flag for flag, is_set in of_export.items() if is_set]
    if args.make_data and given:
        problem = "--make-data trains no model, so there is nothing to fold or to log."
        raise UsageError(explain(problem, found=", ".join(given), hint="leave it out"))
    if args.data and not args.data.is_dir():
        expected = f"a folder with {MODELS[args.name].layout}"
        raise no_data(args.data, expected, "folder")


def _listing() -> str:
    return "\n".join(f"  {name:<12} {entry.summary}" for name, entry in MODELS.items())


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text!r}")
    return int(text)


def _given(**options: Any) -> dict[str, Any]:
    """Drop the options that were not given, so that each model keeps its defaults."""
    return {name: value for name, value in options.items() if value is not None}


def _silence_tensorflow() -> None:
    """Hide TensorFlow's start-up messages and deprecations, unless a log level is set."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
