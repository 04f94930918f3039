"""`tfspark bench`: compares the installed engines on a model, without Spark. Driver.

It makes the rows from the signature: random numbers, and the same short text for every string. For
a model that needs real rows, such as encoded images, call `tfspark.testing.compare_engines`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfspark.cli.command_parser import CommandParser
from tfspark.cli.run_log import RunLog
from tfspark.scoring import arguments, flags
from tfspark.scoring.flags import Flag
from tfspark.scoring.run_job import run_job

if TYPE_CHECKING:
    from tfspark.signature import Signature, TensorSpec

ROWS = Flag("--rows", "N", "number of rows (default: 1024)", arguments.positive, 1024)

# The size of each dimension that the signature leaves open.
_OPEN = 8
_SEED = 1


def new_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = CommandParser(
        prog="tfspark bench",
        usage="tfspark bench MODEL [flags]",
        description="Time the installed engines on a model, with rows made from its signature.",
        epilog="Exit codes: 0 done, 2 usage, 65 the model is broken, or no engine can run it.",
    )
    parser.add_argument("model", metavar="MODEL", help=flags.MODEL.meaning)
    flags.add(parser, flags.VERSION, flags.SIGNATURE, flags.TAGS, flags.ALLOW_OPS, ROWS)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table of the engines; return the exit code."""
    args = new_parser().parse_args(argv)

    def compared() -> str:
        from tfspark.options import SERVING_DEFAULT
        from tfspark.package import load
        from tfspark.testing import compare_engines

        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        signature = args.signature or SERVING_DEFAULT
        package = load(args.model, args.version, signature, args.tags).allowing(args.allow_ops)
        package.check_operations()
        choice = compare_engines(package, rows_of(package.signature, args.rows))
        return f"--engine {choice.engine}"

    with RunLog() as log:
        return run_job(compared, log)


def rows_of(signature: Signature, count: int) -> dict[str, Any]:
    """Return rows for a signature: input → values."""
    return {spec.name: _values(spec, count, number) for number, spec in enumerate(signature.inputs)}


def _values(spec: TensorSpec, count: int, number: int) -> Any:
    import numpy as np

    shape = (count, *(_OPEN if size is None else size for size in spec.row_shape or ()))
    random = np.random.default_rng(_SEED + number)
    if spec.dtype == "string":
        return np.full(shape, "text").tolist()
    if spec.dtype == "bool":
        return random.integers(0, 2, shape).astype(bool).tolist()
    if spec.dtype.startswith(("int", "uint")):
        return random.integers(0, 2, shape).tolist()  # valid indices for every embedding
    return random.normal(size=shape).astype(np.float32).tolist()
