"""Formats numbers and shares as text for people. Driver."""

from __future__ import annotations

from math import floor, log10

# A narrow no-break space; ISO 80000-1 separates thousands with a small space.
SPACE = "\u202f"
_DIGITS = 4


def count(number: float) -> str:
    """Return a whole number with a space between thousands: 1 797."""
    return f"{int(number):,}".replace(",", SPACE)


def number(value: float) -> str:
    """Return a number with four digits: 3, 0.0123, 1 797, 1.2e+09; whole numbers keep theirs."""
    size = abs(value)
    if size and not 1e-4 <= size < 1e9:
        return f"{value:.3g}".replace("-", "−", 1) if value < 0 else f"{value:.3g}"
    if value == int(value):
        text = count(size)
    else:
        places = max(_DIGITS - 1 - floor(log10(size)), 0)
        whole, _, fraction = f"{size:.{places}f}".partition(".")
        text = count(int(whole)) + (f".{fraction}".rstrip("0").rstrip(".") if fraction else "")
    return f"−{text}" if value < 0 else text


def share(part: float, whole: float = 1.0) -> str:
    """Return a share in percent; a share that is not zero never looks like zero."""
    percent = 100 * part / whole if whole else 0.0
    if 0 < percent < 0.1:
        return f"<{SPACE}0.1{SPACE}%"
    if 99.9 < percent < 100:
        return f">{SPACE}99.9{SPACE}%"
    places = 0 if percent == int(percent) else 1
    return f"{percent:.{places}f}{SPACE}%"


def seconds(value: float) -> str:
    """Return a duration, with minutes if it has any: 0.42 s, 3 min 05 s."""
    if value < 60:
        return f"{value:.2f}{SPACE}s" if value < 10 else f"{value:.1f}{SPACE}s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    long = f"{minutes}{SPACE}min {rest:02d}{SPACE}s"
    return f"{hours}{SPACE}h {long}" if hours else long
