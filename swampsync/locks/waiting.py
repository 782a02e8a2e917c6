"""Waiting for a lock: the deadline first, one line that names the holder, jittered pauses, an error that helps."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Final

from swampsync.clock import Clock, parse_timestamp
from swampsync.errors import LockHeld, LockTimeout
from swampsync.locks.lease import LockRecord, Sight
from swampsync.locks.timing import LockTiming

_JITTER: Final = 0.25
_WHOLE_LOOK_SECONDS: Final = 0.1  # between two looks that tell whose the lock is and whether its holder lives
_ROUNDING_SECONDS: Final = 0.000_5  # a remainder so small that a clock may not notice a sleep of it


def _no_glance(_key: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class LockWait:
    """Somebody is waited for; told once a lock.

    Args:
        key: Of the lock.
        record: Who holds it; `None` if its file is torn.
        age_seconds: Since the holder's last heartbeat, by the wall clocks; `None` if unknown. For people only.
    """

    key: str
    record: LockRecord | None
    age_seconds: float | None

    def __str__(self) -> str:
        """Say it in one line, as swamp does."""
        return f'waiting for lock "{self.key}" held by {describe_holder(self.record, self.age_seconds)}'


def describe_holder(record: LockRecord | None, age_seconds: float | None) -> str:
    """Name a holder for people: `"me@vm" (pid 3940, data gc, acquired 3693ms ago)`."""
    if record is None:
        return "nobody who can be named (the lock file is empty or torn; it heals after its TTL)"
    details = [f"pid {record.pid}"]
    if record.command:
        details.append(record.command)
    if age_seconds is not None:
        details.append(f"acquired {round(age_seconds * 1000)}ms ago")
    return f'"{record.holder}" ({", ".join(details)})'


def find_age(record: LockRecord | None, now: datetime, *, is_first: bool = False) -> float | None:
    """Return the seconds since a holder's last heartbeat, or since it took the lock; for people, never to decide."""
    text = "" if record is None else (record.held_since if is_first else record.acquired_at)
    try:
        return max(0.0, (now - parse_timestamp(text)).total_seconds())
    except ValueError:
        return None


class Waiting:
    """One wait, for one lock or for several in a row.

    Args:
        clock: Where the time comes from.
        rng: Spreads the pauses.
        timing: How long to pause.
        wait_seconds: For how long to wait in all; 0 for not at all.
        on_wait: Told once for each lock, before the first pause.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        rng: random.Random,
        timing: LockTiming,
        wait_seconds: float | None = None,
        on_wait: Callable[[LockWait], None] | None = None,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._timing = timing
        self._wait_seconds = timing.wait_seconds if wait_seconds is None else wait_seconds
        self._on_wait = on_wait
        self._started = clock.uptime()
        self._told: set[str] = set()
        self._pause = timing.retry_base_seconds
        self._nonce = ""

    def check_deadline(self, sight: Sight | None) -> None:
        """Give up if the time is over; nothing was tried yet where `sight` is `None`.

        Raises:
            LockTimeout: The lock was held for as long as we were to wait.
            LockHeld: We were not to wait at all.
        """
        waited = self._clock.uptime() - self._started
        if sight is None or waited < self._wait_seconds - _ROUNDING_SECONDS:
            return
        record = sight.record if isinstance(sight.record, LockRecord) else None
        age = find_age(record, self._clock.now())
        hint = f"held by {describe_holder(record, age)}; see `swamp datastore lock status`, and only if that holder is "
        hint += f"gone: {release_command(sight.key)}"
        who = "an unknown holder (torn lock file)" if record is None else f"{record.holder} (pid {record.pid})"
        if self._wait_seconds <= 0:
            raise LockHeld(f'Lock "{sight.key}" held by {who}', hint=hint, key=sight.key)
        message = f'Lock "{sight.key}" held by {who} — timed out after {round(waited * 1000)}ms'
        raise LockTimeout(message, hint=hint, key=sight.key)

    def pause(self, sight: Sight, *, glance: Callable[[str], Hashable] = _no_glance, time_left: float = inf) -> None:
        """Say whom we wait for, if that was not said yet, and sleep until it is worth looking again.

        Args:
            sight: What was seen.
            glance: A look that costs next to nothing (`LeaseStore.glance`): while it shows that somebody has the lock,
                a whole look can wait, though not for long.
            time_left: In how many seconds the lock can be taken over if its holder stays silent: never slept past.
        """
        if sight.key not in self._told:
            self._told.add(sight.key)
            if self._on_wait is not None:
                record = sight.record if isinstance(sight.record, LockRecord) else None
                self._on_wait(LockWait(sight.key, record, find_age(record, self._clock.now())))
        now = self._clock.uptime()
        whole_look_at, expires_at = now + _WHOLE_LOOK_SECONDS, now + time_left + _ROUNDING_SECONDS
        seen = glance(sight.key)
        base = self._timing.retry_base_seconds if seen is None else self._timing.glance_base_seconds
        if sight.nonce != self._nonce:
            # The lock moves from hand to hand: keep close. Only a holder that stays earns long pauses.
            self._nonce = sight.nonce
            self._pause = base
        while True:
            self._sleep(min(self._remaining(), expires_at - self._clock.uptime()))
            glanced = None if seen is None else glance(sight.key)
            if glanced is None or self._clock.uptime() >= min(whole_look_at, expires_at) or self._remaining() <= 0:
                return
            if glanced != seen:
                seen, self._pause = glanced, base

    def _sleep(self, longest: float) -> None:
        spread = 1 + self._rng.uniform(-_JITTER, _JITTER)
        self._clock.sleep(max(0.0, min(self._pause * spread, longest, self._timing.retry_max_seconds)))
        self._pause = min(self._pause * 2, self._timing.retry_max_seconds)

    def _remaining(self) -> float:
        return self._wait_seconds - (self._clock.uptime() - self._started)


def release_command(key: str) -> str:
    """Make the command that breaks a lock, whatever it guards and whichever namespace's it is."""
    import shlex  # noqa: PLC0415 - for an error only

    return f"swamp datastore lock release --force --key {shlex.quote(key)}"
