"""Shortens OpenVINO's messages to the lines about the model. Executor."""

from __future__ import annotations

import re

from tfspark.foreign_text import quoted_lines

# Places in OpenVINO's sources, and advice for the authors of converters.
_NOISE = re.compile(r"^(Exception from|Check '|To facilitate|FrontEnd API failed|Summary:)")
_MOST_LINES = 6


def reason_of(error: BaseException) -> str:
    """Return the message of an OpenVINO error, without its source locations."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not _NOISE.match(line)]
    return quoted_lines("\n".join(told[:_MOST_LINES])) or type(error).__name__
