"""Where the Scala bridge's jar is, and what a session needs for it. Driver.

The bridge is optional: where `make bridge` has not been run, its sides are left out, which is said.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.client import ROOT

TARGET = ROOT / "scala-bridge" / "target" / "scala-2.13"


def jar() -> Path | None:
    """Return the newest jar with a native library in it, which is named for its platform."""
    return max(
        TARGET.glob("tfspark-bridge_*64.jar"), key=lambda path: path.stat().st_mtime, default=None
    )


def settings() -> dict[str, str]:
    """Return the settings of a session with the bridge.

    Raises:
        FileNotFoundError: When there is no jar.
    """
    found = jar()
    if found is None:
        raise FileNotFoundError(f"expected the bridge's jar in {TARGET}.\nHint: make bridge")
    return {"spark.jars": str(found)}
