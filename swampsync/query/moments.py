"""Timestamps and durations: parsing, arithmetic and parts, to the nanosecond.

Both are counts of nanoseconds in a Python integer, so that nothing is rounded. The range of a timestamp is the years
1 to 9999, that of a duration ten thousand years either way, as in the protocol buffers that CEL takes them from.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import total_ordering
from typing import Any, ClassVar, Final

from swampsync.query.values import EvaluationError

NANOS: Final = 1_000_000_000
TIMESTAMP_MIN: Final = -62_135_596_800 * NANOS
TIMESTAMP_MAX: Final = 253_402_300_800 * NANOS - 1
DURATION_MAX: Final = 315_576_000_000 * NANOS

_UNITS: Final = {
    "h": 3600 * NANOS, "m": 60 * NANOS, "s": NANOS, "ms": 1_000_000, "us": 1000, "µs": 1000, "μs": 1000, "ns": 1,
}  # fmt: skip


@total_ordering
class _Moment:
    __slots__ = ("nanos",)
    cel_type: ClassVar[str]

    def __init__(self, nanos: int) -> None:
        self.nanos = nanos

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.nanos == other.nanos

    def __lt__(self, other: Any) -> bool:
        return bool(self.nanos < other.nanos)

    def __hash__(self) -> int:
        return hash(self.nanos)


class Timestamp(_Moment):
    """A point in time, in nanoseconds since 1970 UTC."""

    __slots__ = ()
    cel_type = "google.protobuf.Timestamp"


class Duration(_Moment):
    """A signed length of time, in nanoseconds."""

    __slots__ = ()
    cel_type = "google.protobuf.Duration"


def make_timestamp(nanos: int) -> Timestamp:
    """Return a timestamp.

    Raises:
        EvaluationError: It lies outside the years 1 to 9999.
    """
    if not TIMESTAMP_MIN <= nanos <= TIMESTAMP_MAX:
        raise EvaluationError("timestamp out of range")
    return Timestamp(nanos)


def make_duration(nanos: int) -> Duration:
    """Return a duration.

    Raises:
        EvaluationError: It is longer than ten thousand years.
    """
    if not -DURATION_MAX <= nanos <= DURATION_MAX:
        raise EvaluationError("duration out of range")
    return Duration(nanos)


def parse_timestamp(text: str) -> Timestamp:
    """Parse RFC 3339 text (`2026-11-21T09:15:37.969Z`).

    Raises:
        EvaluationError: The text is no such time.
    """
    match = re.fullmatch(
        r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))",
        text,
    )
    if match is None:
        raise EvaluationError("text is no RFC 3339 timestamp")
    date, clock, fraction, sign, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=UTC)
    except ValueError:
        raise EvaluationError("text is no RFC 3339 timestamp") from None
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    if sign:
        if int(hours) > 23 or int(minutes) > 59:
            raise EvaluationError("text is no RFC 3339 timestamp")
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds += -offset if sign == "+" else offset
    return make_timestamp(seconds * NANOS + int((fraction or "").ljust(9, "0")))


def format_timestamp(moment: Timestamp) -> str:
    """Format as RFC 3339, UTC, with as many decimals as the value has (none, three, six or nine)."""
    seconds, nanos = divmod(moment.nanos, NANOS)
    text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat()[:19]
    return text + _decimals(nanos) + "Z"


def parse_duration(text: str) -> Duration:
    """Parse `1h30m`, `-1.5s`, `10ms`.

    Raises:
        EvaluationError: The text is no duration.
    """
    body = text[1:] if text[:1] in {"-", "+"} else text
    if body == "0":
        return Duration(0)
    parts = re.findall(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|us|µs|μs|ns|s)", body) if len(body) <= 200 else []
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise EvaluationError("text is no duration, such as `1h30m` or `90s`")
    total = 0
    for number, unit in parts:
        whole, _, fraction = number.partition(".")
        total += int(whole or "0") * _UNITS[unit]
        total += int(fraction or "0") * _UNITS[unit] // 10 ** len(fraction)
    return make_duration(-total if text[0] == "-" else total)


def format_duration(length: Duration) -> str:
    """Format as seconds with as few decimals as the value has (`5400s`, `1.5s`)."""
    sign = "-" if length.nanos < 0 else ""
    seconds, nanos = divmod(abs(length.nanos), NANOS)
    fraction = f".{nanos:09d}".rstrip("0") if nanos else ""
    return f"{sign}{seconds}{fraction}s"


def _decimals(nanos: int) -> str:
    if not nanos:
        return ""
    if nanos % 1_000_000 == 0:
        return f".{nanos // 1_000_000:03d}"
    return f".{nanos // 1000:06d}" if nanos % 1000 == 0 else f".{nanos:09d}"


# Parts of a timestamp, each from a datetime and the nanoseconds of its second.
TIMESTAMP_PARTS: Final[dict[str, Any]] = {
    "getFullYear": lambda t, _: t.year,
    "getMonth": lambda t, _: t.month - 1,
    "getDate": lambda t, _: t.day,
    "getDayOfMonth": lambda t, _: t.day - 1,
    "getDayOfWeek": lambda t, _: t.isoweekday() % 7,
    "getDayOfYear": lambda t, _: t.timetuple().tm_yday - 1,
    "getHours": lambda t, _: t.hour,
    "getMinutes": lambda t, _: t.minute,
    "getSeconds": lambda t, _: t.second,
    "getMilliseconds": lambda _, nanos: nanos // 1_000_000,
}
# Parts of a duration: the whole of it in the unit, but for the milliseconds, which are those of its last second.
DURATION_PARTS: Final[dict[str, int]] = {
    "getHours": 3600 * NANOS,
    "getMinutes": 60 * NANOS,
    "getSeconds": NANOS,
    "getMilliseconds": 1_000_000,
}


def timestamp_part(name: str, moment: Timestamp, zone: str | None) -> int:
    """Return one part of a timestamp, in UTC or in the zone given (`Europe/Paris`, `+02:00`).

    Raises:
        EvaluationError: There is no such zone, or the time in it lies outside the years 1 to 9999.
    """
    seconds, nanos = divmod(moment.nanos, NANOS)
    try:
        here = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        if zone is not None:
            here = here.astimezone(_zone(zone))
    except (ValueError, OverflowError):
        raise EvaluationError("timestamp out of range") from None
    return int(TIMESTAMP_PARTS[name](here, nanos))


def _zone(name: str) -> Any:
    if name in {"UTC", "Z", ""}:
        return UTC
    if match := re.fullmatch(r"([+-]?)([0-9]{1,2}):([0-9]{2})", name):
        minutes = int(match[2]) * 60 + int(match[3])
        if minutes >= 24 * 60 or int(match[3]) > 59:
            raise EvaluationError("unknown time zone")
        return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
    from zoneinfo import ZoneInfo  # noqa: PLC0415  few queries name a zone

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise EvaluationError("unknown time zone") from None


def duration_part(name: str, length: Duration) -> int:
    """Return a duration in whole hours, minutes or seconds, or the milliseconds of its last second."""
    amount = abs(length.nanos) // DURATION_PARTS[name]
    if name == "getMilliseconds":
        amount %= 1000
    return -amount if length.nanos < 0 else amount
