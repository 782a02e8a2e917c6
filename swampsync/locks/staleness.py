"""Deciding whether a lock may be taken over: a function of what was seen, and for how long.

Wall clocks of two hosts are never compared. A waiter looks again and again, and counts by its own clock, which runs
through suspend, for how long the lock has not changed; a holder that lives changes it with every heartbeat.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import inf

from swampsync.locks.identity import ProcessState, ProcessTable, find_process_state
from swampsync.locks.lease import LockRecord, Sight


class Standing(Enum):
    """What a waiter makes of a lock."""

    RELEASED = "released"  # the holder let go (buckets only)
    LIVE = "live"
    DEAD = "dead"  # the holder's process ran here and is gone
    EXPIRED = "expired"  # unchanged for a whole TTL, or torn for as long
    TORN = "torn"  # unreadable, but perhaps being written

    @property
    def is_takeable(self) -> bool:
        """Whether a waiter may take the lock over."""
        return self in {Standing.RELEASED, Standing.DEAD, Standing.EXPIRED}


@dataclass(frozen=True, slots=True)
class Watch:
    """How long somebody has watched a lock that did not change.

    Args:
        mark: What the lock looked like; see `Sight.mark`.
        seconds: For how long, up to the last look.
        uptime: Of the last look.
    """

    mark: tuple[int, bytes]
    seconds: float
    uptime: float


def find_ttl(sight: Sight, default_seconds: float) -> float:
    """Return for how long the holder of a lock may be silent, in seconds: what it says itself, if that is sane."""
    if isinstance(sight.record, LockRecord) and sight.record.ttl_ms > 0:
        return sight.record.ttl_ms / 1000
    return default_seconds


def continue_watch(
    previous: Watch | None, sight: Sight, *, uptime: float, process: ProcessState, max_gap_seconds: float
) -> Watch:
    """Return the watch after one more look.

    A holder that runs on our own machine was suspended, or stopped from running, whenever we were. Of a gap between
    two looks that is longer than the waiter would have chosen, only `max_gap_seconds` count against such a holder.
    """
    if previous is None or previous.mark != sight.mark:
        return Watch(sight.mark, 0.0, uptime)
    limit = max_gap_seconds if process is ProcessState.RUNNING else inf
    gap = min(max(0.0, uptime - previous.uptime), limit)
    return Watch(sight.mark, previous.seconds + gap, uptime)


def judge(sight: Sight, watch: Watch, *, process: ProcessState, default_ttl_seconds: float) -> Standing:
    """Say what a lock is worth that has been watched for a while."""
    record = sight.record
    if isinstance(record, LockRecord):
        if record.is_released:
            return Standing.RELEASED
        if process is ProcessState.GONE:
            return Standing.DEAD
    if watch.seconds >= find_ttl(sight, default_ttl_seconds):
        return Standing.EXPIRED
    return Standing.LIVE if isinstance(record, LockRecord) else Standing.TORN


class Watcher:
    """Remembers what one waiter has seen of the locks that it waits for.

    Args:
        processes: Tells which holders of our own machine still run.
        default_ttl_seconds: For locks that do not say themselves how long their holder may be silent.
        max_gap_seconds: See `continue_watch`.
    """

    def __init__(self, processes: ProcessTable, *, default_ttl_seconds: float, max_gap_seconds: float) -> None:
        self._processes = processes
        self._default_ttl_seconds = default_ttl_seconds
        self._max_gap_seconds = max_gap_seconds
        self._watches: dict[str, Watch] = {}

    def look(self, sight: Sight, *, uptime: float) -> Standing:
        """Take one more look into account and judge the lock."""
        record = sight.record
        process = (
            find_process_state(record, self._processes) if isinstance(record, LockRecord) else ProcessState.UNKNOWN
        )
        watch = continue_watch(
            self._watches.get(sight.key), sight, uptime=uptime, process=process, max_gap_seconds=self._max_gap_seconds
        )
        self._watches[sight.key] = watch
        return judge(sight, watch, process=process, default_ttl_seconds=self._default_ttl_seconds)

    def find_time_left(self, sight: Sight) -> float:
        """Say in how many seconds a lock can be taken over if it stays as it was at the last look.

        Infinite where it was not looked at, and where it could be taken over already but was not to be had.
        """
        watch = self._watches.get(sight.key)
        if watch is None or watch.mark != sight.mark:
            return inf
        left = find_ttl(sight, self._default_ttl_seconds) - watch.seconds
        return left if left > 0 else inf

    def forget(self, key: str) -> None:
        """Forget a lock that is no longer there."""
        self._watches.pop(key, None)
