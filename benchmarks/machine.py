"""Facts about the machine of a benchmark: processor, memory, versions, other load. Driver."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import time
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.roster import ROOT, python_in

_PACKAGES = ("pyspark", "tensorflow-cpu", "tensorflow", "keras", "numpy", "pandas", "pyarrow")
_OF_PEERS = ("tf2onnx", "onnx", "onnxruntime", "openvino")
_ASK = (
    "import sys; from importlib.metadata import distributions; "
    "print(*(d.metadata['Name'] + ' ' + d.version for d in distributions()), sep='\\n')"
)


def machine() -> dict[str, Any]:
    """Return facts about this machine and its packages."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="minutes"),
        "processor": _first(r"model name\s*:\s*(.+)", "/proc/cpuinfo") or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "commit": _commit(),
        "versions": {
            "python": platform.python_version(),
            "java": _java(),
            **_installed(),
        },
    }


def peer_versions(peer: str) -> dict[str, str]:
    """Return the versions in the environment of a peer."""
    lines = _output_of(python_in(peer), "-c", _ASK).lower().replace("_", "-").splitlines()
    found = dict(line.split(" ", 1) for line in lines)
    wanted = dict.fromkeys((peer, *_OF_PEERS, *_PACKAGES))
    return {name: found[name] for name in wanted if name in found}


def busy_share(seconds: float = 2.0) -> float:
    """Return the current load of this machine, from 0 to 1."""
    first = _ticks()
    time.sleep(seconds)
    busy, every = (after - before for before, after in zip(first, _ticks(), strict=True))
    return round(busy / max(every, 1), 3)


def _ticks() -> tuple[int, int]:
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return sum(fields) - idle, sum(fields)


def _installed() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    if shutil.which("git") is None:
        return "unknown"
    return _output_of("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else "java"
    if shutil.which(java) is None:
        return "none"
    done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "([^"]+)"', done.stderr)
    return found.group(1) if found else "unknown"


def _first(pattern: str, path: str) -> str:
    found = re.search(pattern, Path(path).read_text())
    return found.group(1) if found else ""


def _output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
