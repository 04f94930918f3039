"""Shows one line in the output of a notebook's cell, and replaces it. Driver.

This module does not import IPython: a process that is a notebook's kernel has imported it already.
An error of the display is logged at level DEBUG, and never ends the job.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

_log = logging.getLogger(__name__)


def notebook_line() -> Callable[[str], None] | None:
    """Return a function that shows a line in the running cell; `None` outside a notebook.

    The first call must come from the thread that runs the cell; later ones may come from others.
    """
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is None:  # a shell on a terminal has none
        return None
    shown: list[Any] = []

    def show(line: str) -> None:
        data = {"text/plain": line}
        try:
            if shown:
                shown[0].update(data, raw=True)
            else:
                shown.append(ipython.display.display(data, raw=True, display_id=True))
        except Exception:  # a frontend may raise anything, and the rows matter more than the line
            _log.debug("the notebook does not show the progress", exc_info=True)

    return show
