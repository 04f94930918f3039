"""Packs an environment for the executors: `make env-archive ENGINE=openvino`.

The archive has tfspark, its packages and one engine. It has neither PySpark, which the nodes have,
nor Python itself: the nodes need the same Python at the same path, which the program prints. Spark
unpacks the archive on each executor (`--archives environment.tar.gz#environment`); docs/clusters.md
shows how.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ("tf-cpu", "tf", "openvino")
OUTPUT = ROOT / "dist" / "environment.tar.gz"
# Executors read the archive once. A higher level of gzip takes much longer, for a few percent less.
_LEVEL = 3
_MB = 1 << 20


def new_parser() -> argparse.ArgumentParser:
    """Return the parser of the program."""
    parser = argparse.ArgumentParser(prog="env_archive", description="Pack an environment.")
    parser.add_argument("--engine", default="tf-cpu", choices=ENGINES, help="default: tf-cpu")
    parser.add_argument("--python", default=sys.executable, help="the Python of the nodes")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="default: dist/…")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Build the environment and pack it; return the exit code."""
    args = new_parser().parse_args(argv)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.output.parent) as folder:
        environment = Path(folder, "environment")
        if not install(environment, args.engine, args.python):
            return 1
        unfinished = Path(folder, args.output.name)
        pack(environment, unfinished)
        unfinished.replace(args.output)  # a running job reads the old archive to its end
        python = (environment / "bin" / "python").readlink()
    megabytes = args.output.stat().st_size / _MB
    print(f"{args.output}: {megabytes:.0f} MB; the nodes need {python}")
    return 0


def install(environment: Path, engine: str, python: str) -> bool:
    """Create an environment that can be moved, with the pinned packages; return whether it worked.

    Bytecode is compiled here, because each executor would otherwise compile it again.
    """
    uv, folder = [sys.executable, "-m", "uv"], str(environment)
    make = [*uv, "venv", "--quiet", "--relocatable", "--no-project", "--python", python, folder]
    add = [*uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", folder]
    packages = ["--constraints", str(ROOT / "constraints.txt"), f"{ROOT}[{engine},report,tfrecord]"]
    steps = (make, [*add, *packages, "pandas"])  # Spark's Arrow functions import pandas
    return all(subprocess.run(step, check=False).returncode == 0 for step in steps)


def pack(environment: Path, archive: Path) -> None:
    """Write the content of a folder; names are relative, and links stay links."""
    with tarfile.open(archive, "w:gz", compresslevel=_LEVEL) as tar:
        tar.add(environment, ".", filter=_of_nobody)


def _of_nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Remove the account that packs from an entry."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    if find_spec("uv") is None:
        sys.exit("env_archive: uv is not installed in this Python; run `make env-archive`.")
    sys.exit(main())
