"""Checks what a reader of executed notebooks sees: no warnings, no log lines, no traces of Java.

    python -m tools.notebook_outputs notebooks-out/*.ipynb

The files are only read. It ends with an error that lists each line that should not be there.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# A line of a log, of a warning, or of a trace of Java or Python.
_NOISE = re.compile(
    r"\b(?:DEBUG|INFO|WARN|WARNING)\b|Warning: |^\s+at [\w.$]+\(|^Traceback |Exception: "
)


def main(files: Sequence[Path]) -> None:
    """Check the notebooks.

    Raises:
        SystemExit: When an output has such a line, or a notebook was not executed.
    """
    found = [
        f"{file.name}: {problem}"
        for file in files
        for problem in problems(json.loads(file.read_text("utf-8")))
    ]
    if found:
        sys.exit("\n".join(["a reader of the notebooks would see:", *found]))
    print(f"{len(files)} notebooks have clean outputs")


def problems(notebook: Any) -> Iterator[str]:
    """Yield each line that a reader should not see; a line on the standard error is one."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    if not any(cell["execution_count"] for cell in code):
        yield "it was not executed"
    for cell in code:
        for output in cell["outputs"]:
            on_error = output.get("name") == "stderr"
            for line in "".join(output.get("text", ())).splitlines():
                if line.strip() and (on_error or _NOISE.search(line)):
                    yield line


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
