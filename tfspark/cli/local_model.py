"""Checks a model on this machine before Spark starts. Driver."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tfspark.options import SERVING_DEFAULT

if TYPE_CHECKING:
    from tfspark.options import ScoreOptions


def check_model(path: str, options: ScoreOptions, *, is_here: bool = False) -> None:
    """Refuse a model on this machine that is broken or does not match its options.

    Args:
        path: Path or URI of a model.
        options: Its options.
        is_here: Whether Spark would read the path on this machine; then a missing model is refused.

    Raises:
        TfsparkError: The error that the job would raise.
    """
    if not (is_here or Path(path).exists()):
        return
    from tfspark.package import load

    signature = options.signature or SERVING_DEFAULT
    package = load(path, options.version, signature, options.tags, options.sha256)
    package.allowing(options.allow_ops).check_operations()
