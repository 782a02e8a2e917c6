"""What `datastore status --max-age` watches for: what waits longer than it should.

The question of a monitor is whether somebody has to look: whether what this clone shows is too old, or what was written
here did not get out. A store that cannot be reached for a moment is no reason; for longer than the age it is, because
then the last look at the log is as long ago. That others have published something since the last look is none either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from swampsync.clock import parse_timestamp
from swampsync.repo.standing import Standing

_NAMED: Final = 10


class Cause(StrEnum):
    """Why a status is not as it should be."""

    NOT_SYNCED = "not synced"  # the log was looked at too long ago, or never
    PENDING = "pending"  # something waits to be published
    FAILED = "failed"  # something could not be published or fetched
    UNREACHABLE = "unreachable"  # a directory cannot be used: nothing says since when


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """One reason, in one namespace.

    Args:
        cause: Which.
        namespace: Where; empty in solo mode.
        since: Since when the oldest of it waits; `None` for ever, or if nobody knows.
        age_seconds: How long ago that is.
        count: How many versions and files it concerns; 0 if it is not about any.
        paths: The first of them.
        detail: What went wrong.
    """

    cause: Cause
    namespace: str
    since: str | None = None
    age_seconds: float | None = None
    count: int = 0
    paths: tuple[str, ...] = ()
    detail: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Make a document of it."""
        return {
            "cause": self.cause.value,
            "namespace": self.namespace,
            "since": self.since,
            "ageSeconds": None if self.age_seconds is None else round(self.age_seconds, 3),
            "count": self.count,
            "paths": list(self.paths),
            "detail": self.detail,
        }


def find_overdue(standing: Standing, *, max_age_seconds: float, now: datetime) -> list[Overdue]:
    """Find what waits longer than it should.

    Args:
        standing: How the repo stands.
        max_age_seconds: How long anything may take.
        now: The time.
    """
    sync = standing.sync
    if sync is None:
        health = standing.health
        return [] if health.is_healthy else [Overdue(cause=Cause.UNREACHABLE, namespace="", detail=health.problem)]
    found = []
    for namespace, at, age, problem in (
        (sync.namespace, sync.synced_at, sync.age_seconds, standing.health.problem),
        *((one.namespace, one.synced_at, one.age_seconds, one.problem) for one in standing.followed),
    ):
        if age is None or age > max_age_seconds:
            found.append(
                Overdue(cause=Cause.NOT_SYNCED, namespace=namespace, since=at, age_seconds=age, detail=problem)
            )
    # What cannot be published is told as that once it has failed for long enough; until then it waits like the rest.
    letters = [(letter.first_at, letter.path, letter.last_error) for letter in sync.dead_letters]
    failed = {path for at, path, _ in letters if _age(at, now) > max_age_seconds}
    waiting = [(entry.at, entry.path, None) for entry in sync.pending if entry.path not in failed]
    for cause, items in ((Cause.PENDING, waiting), (Cause.FAILED, letters)):
        found += _older(cause, sync.namespace, items, max_age_seconds=max_age_seconds, now=now)
    return found


def _age(at: str, now: datetime) -> float:
    return (now - parse_timestamp(at)).total_seconds()


def _older(
    cause: Cause,
    namespace: str,
    items: Sequence[tuple[str, str, str | None]],
    *,
    max_age_seconds: float,
    now: datetime,
) -> Iterator[Overdue]:
    """Say of things with a time, a path and a reason which are too old, as one cause."""
    ages = [(_age(at, now), at, path, detail) for at, path, detail in items]
    old = sorted((item for item in ages if item[0] > max_age_seconds), key=lambda item: (-item[0], item[2]))
    if old:
        age, since, _, detail = old[0]
        yield Overdue(
            cause=cause,
            namespace=namespace,
            since=since,
            age_seconds=age,
            count=len(old),
            paths=tuple(path for _, _, path, _ in old[:_NAMED]),
            detail=detail,
        )
