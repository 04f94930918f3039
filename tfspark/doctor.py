"""Runs `tfspark doctor` as a module: `python -m tfspark.doctor [MODEL]`. Driver."""

from __future__ import annotations

import sys

from tfspark.cli.doctor import main, new_parser, run

__all__ = ["main", "new_parser", "run"]

if __name__ == "__main__":
    sys.exit(main())
