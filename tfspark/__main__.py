"""Runs the command `tfspark`: `python -m tfspark`. Driver."""

from __future__ import annotations

import sys

from tfspark.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
