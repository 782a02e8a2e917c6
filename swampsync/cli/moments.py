"""Times and commits as people write them: `2d` ago, an ISO time, the number of a commit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from swampsync.errors import InvalidInput

if TYPE_CHECKING:
    from swampsync.clock import Clock

AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="SEQ|TIME", help="As it was at a commit (42), a time (ISO) or so long ago (2h)."),
]
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def parse_moment(text: str, clock: Clock, *, option: str) -> datetime:
    """Read a duration, which is so long ago, or an ISO time with a zone.

    Raises:
        InvalidInput: It is neither.
    """
    from swampsync.artifacts.lifetimes import parse_duration
    from swampsync.artifacts.metadata import is_duration
    from swampsync.clock import parse_timestamp

    if is_duration(text):
        now = clock.now()
        return now - min(parse_duration(text), now - _EARLIEST)
    try:
        return parse_timestamp(text)
    except ValueError as error:
        meant = _with_zone(text)
        problem = "is neither a duration (2h, 3d) nor an ISO time" if meant is None else "names no time zone"
        raise InvalidInput(f"`{text}` {problem}", hint=f"{option} {meant or '2026-11-21T09:30:00Z'}") from error


def _with_zone(text: str) -> str | None:
    """Write a time without a zone as one in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is not None else f"{moment.isoformat(timespec='seconds')}Z"


def parse_as_of(text: str, clock: Clock, *, option: str = "--as-of") -> int | datetime:
    """Read the number of a commit, or a moment.

    Raises:
        InvalidInput: It is none of these.
    """
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    return parse_moment(text, clock, option=option)
