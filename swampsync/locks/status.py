"""What `lock status` shows and `lock release` breaks; neither ever waits for a lock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from swampsync.clock import Clock
from swampsync.locks.found_locks import FoundLock, Guarded
from swampsync.locks.identity import ProcessState, ProcessTable, find_process_state
from swampsync.locks.lease import LockRecord, Sight
from swampsync.locks.staleness import Standing, Watcher
from swampsync.locks.store import LeaseStore
from swampsync.locks.waiting import find_age

NOTHING_HELD = "no lock held"
HOLDER_CHANGED = "the holder has changed"
IN_USE = "somebody else is taking the lock over"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockState:
    """One lock, for people.

    Args:
        key: Relative to the datastore's base: `.locks/infra.lock`; absolute where it lies elsewhere.
        scope: The model as `type/id`; empty for other locks.
        guarded: What the lock guards.
        state: `held`; `expired` where the holder is known to be gone; `torn` where the file cannot be read.
        record: What the lock says; `None` if torn.
        is_alive: Whether the holder's process runs; `None` where we cannot know.
        age_seconds: Since it was taken, by the wall clocks; `None` if unknown.
        heartbeat_age_seconds: Since the last heartbeat, by the wall clocks; `None` if unknown.
    """

    key: str
    scope: str
    guarded: Guarded
    state: Literal["held", "expired", "torn"]
    record: LockRecord | None
    is_alive: bool | None
    age_seconds: float | None
    heartbeat_age_seconds: float | None


@dataclass(frozen=True, slots=True)
class ReleaseOutcome:
    """What came of breaking a lock.

    Args:
        is_released: Whether it was broken.
        reason: Why not: one of the constants above.
        previous: Who had it; `None` if nobody, or a torn file.
    """

    is_released: bool
    reason: str = ""
    previous: LockRecord | None = None


def describe_lock(
    sight: Sight, found: FoundLock, *, processes: ProcessTable, now: datetime, standing: Standing
) -> LockState:
    """Say of one lock what is known of it.

    The wall clocks of two hosts are not compared: a silent holder elsewhere shows as held, with its age, until it was
    watched for its TTL (`standing`).
    """
    if not isinstance(sight.record, LockRecord):
        return LockState(
            key=found.key,
            scope=found.scope,
            guarded=found.guarded,
            state="torn",
            record=None,
            is_alive=None,
            age_seconds=None,
            heartbeat_age_seconds=None,
        )
    record = sight.record
    process = find_process_state(record, processes)
    heartbeat_age = find_age(record, now)
    is_silent = (
        record.hostname == processes.hostname and heartbeat_age is not None and 0 < record.ttl_ms < heartbeat_age * 1000
    )
    return LockState(
        key=found.key,
        scope=found.scope,
        guarded=found.guarded,
        state="expired" if is_silent or standing.is_takeable else "held",
        record=record,
        is_alive={ProcessState.RUNNING: True, ProcessState.GONE: False}.get(process),
        age_seconds=find_age(record, now, is_first=True),
        heartbeat_age_seconds=heartbeat_age,
    )


def list_locks(
    store: LeaseStore,
    locks: Iterable[FoundLock],
    *,
    processes: ProcessTable,
    clock: Clock,
    watcher: Watcher,
) -> list[LockState]:
    """Look at locks; those that nobody has are left out.

    Args:
        store: Where they live.
        locks: Which.
        processes: Tells which holders of our own machine still run.
        clock: Tells ages.
        watcher: Remembers former looks, for whoever looks again and again.
    """
    states = []
    for found in locks:
        sight = store.inspect(found.path)
        if sight is None:
            watcher.forget(found.path)
            continue
        standing = watcher.look(sight, uptime=clock.uptime())
        states.append(describe_lock(sight, found, processes=processes, now=clock.now(), standing=standing))
    return states


def find_by_nonce(store: LeaseStore, locks: Iterable[FoundLock], nonce: str) -> FoundLock | None:
    """Find the lock that has a nonce; `None` if none of them has."""
    for found in locks:
        sight = store.inspect(found.path)
        if sight is not None and sight.nonce == nonce:
            return found
    return None


def break_lock(store: LeaseStore, key: str, *, nonce: str | None) -> ReleaseOutcome:
    """Break a lock, whoever has it, or only if it still has the nonce that somebody saw.

    Args:
        store: Where it lives.
        key: In the store.
        nonce: Refuse if the lock has another one; `None` for whoever has it now.
    """
    sight = store.inspect(key)
    if sight is None:
        return ReleaseOutcome(is_released=False, reason=NOTHING_HELD)
    previous = sight.record if isinstance(sight.record, LockRecord) else None
    if nonce is not None and sight.nonce != nonce:
        return ReleaseOutcome(is_released=False, reason=HOLDER_CHANGED, previous=previous)
    if store.remove(sight):
        return ReleaseOutcome(is_released=True, previous=previous)
    current = store.inspect(key)
    if current is None:
        return ReleaseOutcome(is_released=False, reason=NOTHING_HELD)
    reason = HOLDER_CHANGED if current.nonce != sight.nonce else IN_USE
    return ReleaseOutcome(is_released=False, reason=reason, previous=previous)
