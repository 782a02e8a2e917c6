"""When data may go: expiry by lifetime, and which versions a cap or an age leaves. Pure decisions, no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from swampsync.artifacts.metadata import Metadata
from swampsync.clock import parse_timestamp
from swampsync.errors import InvalidInput

_DURATION: Final = re.compile(r"([0-9]+)(mo|y|h|m|d|w)")
_UNITS: Final = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(days=7),
    "mo": timedelta(days=30),
    "y": timedelta(days=365),
}


class LifetimeKind(Enum):
    """What ends a lifetime."""

    DURATION = "duration"
    EPHEMERAL = "ephemeral"
    INFINITE = "infinite"
    JOB = "job"
    WORKFLOW = "workflow"


class ExpiryReason(Enum):
    """Why an artifact expired, in swamp's words."""

    DURATION = "duration-expired"
    WORKFLOW = "workflow-deleted"
    JOB = "job-deleted"


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A parsed lifetime; `duration` is set for durations only."""

    kind: LifetimeKind
    duration: timedelta | None = None


def parse_duration(text: str) -> timedelta:
    """Parse `30d`, `2mo`, `1y`: `m` is a minute, `mo` 30 days, `y` 365 days; what is too long is the longest there is.

    Raises:
        InvalidInput: The text is no number with such a unit.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InvalidInput(f"`{text}` is no duration", hint="for example: 30m, 12h, 30d, 2w, 6mo, 1y")
    try:
        return int(match[1]) * _UNITS[match[2]]
    except (OverflowError, ValueError):
        return timedelta.max


def parse_lifetime(text: str) -> Lifetime:
    """Parse a lifetime; a duration of zero is `workflow`, as in swamp.

    Raises:
        InvalidInput: The text is neither a duration nor one of swamp's words.
    """
    if _DURATION.fullmatch(text):
        duration = parse_duration(text)
        return Lifetime(LifetimeKind.DURATION, duration) if duration else Lifetime(LifetimeKind.WORKFLOW)
    try:
        return Lifetime(LifetimeKind(text))
    except ValueError:
        pass
    raise InvalidInput(f"`{text}` is no lifetime", hint="a duration like 30d, or: infinite, workflow, job")


def find_expiry(metadata: Metadata, now: datetime, run_exists: Callable[[str, str], bool]) -> ExpiryReason | None:
    """Say why an artifact is expired, judged by its latest version, or `None` if it is not.

    Deletion markers and tombstones are never expired. Without the ids of its run, a `workflow` or `job` lifetime
    does not end: when unsure, data is kept.

    Args:
        metadata: The latest version.
        now: The time, aware.
        run_exists: Says whether the run of (workflow id, run id) still exists; where it cannot tell, it says yes.
    """
    if metadata.is_deleted:
        return None
    lifetime = parse_lifetime(metadata.lifetime)
    if lifetime.duration is not None:
        return ExpiryReason.DURATION if _is_older(metadata, now, lifetime.duration) else None
    if lifetime.kind in {LifetimeKind.WORKFLOW, LifetimeKind.JOB}:
        workflow_id, run_id = metadata.owner.workflow_id, metadata.owner.workflow_run_id
        if workflow_id is None or run_id is None or run_exists(workflow_id, run_id):
            return None
        return ExpiryReason.JOB if lifetime.kind is LifetimeKind.JOB else ExpiryReason.WORKFLOW
    return None


def is_expired(metadata: Metadata, now: datetime, run_exists: Callable[[str, str], bool]) -> bool:
    """Say whether an artifact is expired, judged by its latest version; see `find_expiry`."""
    return find_expiry(metadata, now, run_exists) is not None


def find_surplus(versions: Iterable[Metadata], now: datetime) -> tuple[int, ...]:
    """Decide which versions of an artifact its garbage collection does not keep; their numbers, lowest first.

    Each step's versions are counted by themselves, under the policy of that step's newest version. A cap of N keeps
    the N newest versions with content; a duration keeps what is younger. The newest version of a step always stays,
    and so does the artifact's newest, a deletion marker or tombstone included; markers use up no cap. Under a
    tombstone the history also goes when its lifetime, a duration, is over.

    Args:
        versions: All whole versions of one artifact, in any order.
        now: The time, aware.
    """
    newest_first = sorted(versions, key=lambda version: version.version, reverse=True)
    if not newest_first:
        return ()
    is_renamed = newest_first[0].renamed_to is not None
    steps: dict[str, list[Metadata]] = {}
    for version in newest_first:
        steps.setdefault(version.owner.step_name or "", []).append(version)
    kept_always = {newest_first[0].version}
    if not is_renamed:
        kept_always |= {step[0].version for step in steps.values()}
    surplus: set[int] = set()
    for step in steps.values():
        surplus.update(_surplus_of_step(step, now))
        if is_renamed:
            surplus.update(version.version for version in step if _is_past_lifetime(version, now))
    return tuple(sorted(surplus - kept_always))


def _surplus_of_step(step: list[Metadata], now: datetime) -> list[int]:
    policy = step[0].garbage_collection
    if policy is None:
        return []
    if isinstance(policy, str):
        age = parse_duration(policy)
        return [version.version for version in step if _is_older(version, now, age)]
    surplus = []
    kept = 0
    for version in step:
        if kept >= policy:
            surplus.append(version.version)
        elif not version.is_deleted:
            kept += 1
    return surplus


def _is_past_lifetime(version: Metadata, now: datetime) -> bool:
    lifetime = parse_lifetime(version.lifetime)
    return lifetime.duration is not None and _is_older(version, now, lifetime.duration)


def _is_older(version: Metadata, now: datetime, age: timedelta) -> bool:
    return now - parse_timestamp(version.created_at) > age
