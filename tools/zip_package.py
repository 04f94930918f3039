"""Zips the package `tfspark` for `spark-submit --py-files` and prints the path of the zip.

Called by `spark-submit.sh` as `python zip_package.py REPOSITORY CACHE`, with any Python 3 and
nothing installed. The name of the zip follows from its content, so equal packages share one file, a
changed one gets a new file, and a running job keeps its file. If CACHE cannot be written, the zip
goes to a new temporary folder, because the job reads it after this program has ended.
"""

import hashlib
import os
import sys
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path


def main() -> None:
    """Print the path of an up-to-date zip."""
    repository, cache = Path(sys.argv[1]), Path(sys.argv[2])
    content = _read(repository)
    try:
        print(_write(content, cache))
    except OSError:
        print(_write(content, Path(tempfile.mkdtemp(prefix="tfspark-"))))


def _read(repository: Path) -> "list[tuple[str, bytes]]":
    files = (path for path in (repository / "tfspark").rglob("*") if path.is_file())
    return [
        (path.relative_to(repository).as_posix(), path.read_bytes())
        for path in sorted(files)
        if "__pycache__" not in path.parts
    ]


def _write(content: "list[tuple[str, bytes]]", folder: Path) -> Path:
    target = folder / f"tfspark-{hashlib.sha256(repr(content).encode()).hexdigest()[:16]}.zip"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, aside = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            for name, data in content:
                entry = zipfile.ZipInfo(name)  # without the date of the file
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
        Path(aside).replace(target)  # atomic, so that a second submit never sees an incomplete zip
    finally:
        with suppress(FileNotFoundError):
            Path(aside).unlink()
    return target


if __name__ == "__main__":
    main()
