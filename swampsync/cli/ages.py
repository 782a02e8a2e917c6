"""Ages as people read and write them: `30s`, `5m`, `1h`, `2d`."""

from __future__ import annotations

import re
from typing import Final

from swampsync.errors import InvalidInput

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_AGE: Final = re.compile(r"([0-9]{1,9})([smhdw])")


def parse_age(text: str, *, option: str) -> float:
    """Read an age as seconds.

    Raises:
        InvalidInput: It is no whole number of seconds, minutes, hours, days or weeks.
    """
    match = _AGE.fullmatch(text)
    if match is None:
        raise InvalidInput(
            f"`{text}` is no age: a whole number and one of s, m, h, d, w", hint=f"{option} 30s, 5m, 1h or 2d"
        )
    return float(int(match[1]) * _UNITS[match[2]])


def format_age(seconds: float) -> str:
    """Write an age in the largest unit of which it has two: `90 s`, `5 min`, `30 h`, `4 days`."""
    whole = max(int(seconds), 0)
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if whole >= 2 * size:
            return f"{whole // size:,} {unit}"
    return f"{whole} s"
