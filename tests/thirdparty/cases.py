"""Every model of `tests/thirdparty`: `python -m tests.thirdparty.cases FOLDER` writes them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.thirdparty import (
    batches,
    composites,
    element_types,
    kernels,
    modern,
    names,
    old_forms,
    scalars,
    unknown_ranks,
)
from tests.thirdparty.case import Case

CASES: tuple[Case, ...] = (
    *old_forms.CASES,
    *unknown_ranks.CASES,
    *scalars.CASES,
    *composites.CASES,
    *kernels.CASES,
    *batches.CASES,
    *element_types.CASES,
    *names.CASES,
    *modern.CASES,
)


def write(case: Case, folder: Path) -> Path:
    """Write version 1 of a case's model, unless it is there; return its base path."""
    base = folder / case.model
    if not base.exists():
        case.save(base / "1")
    return base


def main(arguments: Sequence[str]) -> None:
    """Write every model to a folder."""
    (folder,) = arguments
    for case in CASES:
        print(write(case, Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
