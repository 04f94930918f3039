"""Finds the jar of the Scala bridge, and the settings of a session that uses it. Driver.

The bridge is optional: without `make bridge` its sides are left out, and a line says so.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.client import ROOT

TARGET = ROOT / "scala-bridge" / "target" / "scala-2.13"


def jar() -> Path | None:
    """Return the newest jar with a native library; its name contains the platform."""
    return max(
        TARGET.glob("tfspark-bridge_*64.jar"), key=lambda path: path.stat().st_mtime, default=None
    )


def settings() -> dict[str, str]:
    """Return the settings of a session with the bridge.

    Raises:
        FileNotFoundError: When the jar does not exist.
    """
    found = jar()
    if found is None:
        raise FileNotFoundError(f"expected the bridge's jar in {TARGET}.\nHint: make bridge")
    return {"spark.jars": str(found)}
