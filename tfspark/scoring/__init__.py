"""The batch job as a library, for `jobs/` and for schedulers. Driver and executor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfspark.scoring.output.recover import recover

__all__ = ["recover"]


def __getattr__(name: str) -> Any:
    """Import on first use: `jobs/` answer `--help` without Spark."""
    if name == "recover":
        from tfspark.scoring.output.recover import recover

        return recover
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
