"""Keeping leases: waiting for a lock, keeping it alive, giving it back on every path."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from swampsync.clock import Clock, Spawner, format_timestamp
from swampsync.errors import LockHeld, SwampsyncError
from swampsync.locks.identity import ProcessTable
from swampsync.locks.kept import KeptLease
from swampsync.locks.lease import Holder, Lease, LockRecord, Sight, make_record
from swampsync.locks.parent import NO_PARENT, ParentHolder
from swampsync.locks.staleness import Watcher
from swampsync.locks.store import LeaseStore
from swampsync.locks.timing import LockTiming
from swampsync.locks.waiting import LockWait, Waiting


@dataclass(frozen=True, kw_only=True)
class KeeperParts:
    """What every keeper of one process needs.

    Args:
        clock: Where the time comes from.
        spawn: Starts heartbeat threads.
        processes: Tells which holders of our own machine still run.
        holder: Who we are.
        new_id: Makes nonces.
        rng: Spreads the pauses between tries.
        timing: Durations.
        on_wait: Told once for each lock that is waited for.
        on_notice: Told whenever a lock is taken in a way that promises less than people may think.
        parent: The process that started us, where it holds locks for us.
    """

    clock: Clock
    spawn: Spawner
    processes: ProcessTable
    holder: Holder
    new_id: Callable[[], str]
    rng: random.Random
    timing: LockTiming = field(default_factory=LockTiming)
    on_wait: Callable[[LockWait], None] | None = None
    on_notice: Callable[[str], None] | None = None
    parent: ParentHolder = NO_PARENT


class LeaseKeeper:
    """Takes locks of one store, waiting for them, and keeps them alive.

    May be used from several threads: two threads that want one lock wait for each other, as two processes do.

    Args:
        store: Where the locks live.
        parts: See `KeeperParts`.
    """

    def __init__(self, store: LeaseStore, parts: KeeperParts) -> None:
        self.store = store
        self.parts = parts
        self._held: dict[str, tuple[int, KeptLease]] = {}
        # Reentrant: a signal's handler may give everything back while this very thread is in the middle of it.
        self._mutex = threading.RLock()

    def make_waiting(self, wait_seconds: float | None = None) -> Waiting:
        """Make one allowance of time, which several calls of `acquire` may share."""
        parts = self.parts
        problem = parts.timing.find_wait_problem() if wait_seconds is None else None
        if problem is not None and parts.on_notice is not None:
            parts.on_notice(problem)
        return Waiting(
            parts.clock, rng=parts.rng, timing=parts.timing, wait_seconds=wait_seconds, on_wait=parts.on_wait
        )

    def make_watcher(self) -> Watcher:
        """Make what remembers how long locks were seen unchanged."""
        timing = self.parts.timing
        return Watcher(
            self.parts.processes, default_ttl_seconds=timing.ttl_seconds, max_gap_seconds=timing.heartbeat_seconds
        )

    def acquire(
        self, key: str, *, command: str, wait_seconds: float | None = None, waiting: Waiting | None = None
    ) -> KeptLease:
        """Take a lock, waiting for it; its heartbeat runs when this returns.

        Args:
            key: Of the lock.
            command: What it is taken for, for people (`data gc`); no secrets.
            wait_seconds: For how long to wait; `None` as `LockTiming` says, 0 for not at all.
            waiting: An allowance of time that is shared with other waits, instead of `wait_seconds`.

        Raises:
            LockTimeout: Somebody else held the lock for all that time.
            LockHeld: Somebody else holds it and we do not wait; or we hold it ourselves, here or in our parent.
        """
        self._refuse_nesting(key)
        parts = self.parts
        waiting = waiting or self.make_waiting(wait_seconds)
        record = make_record(
            parts.holder,
            nonce=parts.new_id(),
            command=command,
            acquired_at=format_timestamp(parts.clock.now()),
            ttl_seconds=parts.timing.ttl_seconds,
        )
        try:
            lease, taken_at = self._wait_for(key, record, waiting)
            kept = KeptLease(
                self.store, lease, clock=parts.clock, timing=parts.timing, taken_at=taken_at, on_end=self._forget
            )
            with self._mutex:
                self._held[kept.nonce] = (threading.get_ident(), kept)
            kept.start(parts.spawn)
        except BaseException:
            # Interrupted, perhaps after the lock was taken and before anybody knew.
            with self._mutex:
                _, started = self._held.get(record.nonce, (0, None))
            if started is not None:
                started.release()
            else:
                with suppress(OSError, SwampsyncError):
                    self.store.abandon(key, record.nonce)
            raise
        return kept

    def wait_until_free(self, key: str, *, waiting: Waiting, watcher: Watcher) -> None:
        """Return when nobody else has the lock; one whose holder is dead is removed, not stepped around.

        Raises:
            LockTimeout: Somebody had it all the time.
            LockHeld: Somebody has it and we do not wait.
        """
        sight: Sight | None = None
        while True:
            waiting.check_deadline(sight)
            sight = self.store.inspect(key)
            if sight is None or self.is_ours(sight):
                watcher.forget(key)
                return
            if watcher.look(sight, uptime=self.parts.clock.uptime()).is_takeable and self.store.remove(sight):
                sight = None
                continue
            waiting.check_deadline(sight)
            waiting.pause(sight, glance=self.store.glance, time_left=watcher.find_time_left(sight))

    def is_ours(self, sight: Sight) -> bool:
        """Whether this thread holds the lock that was seen, or the parent process does and waits for us."""
        with self._mutex:
            thread, _ = self._held.get(sight.nonce, (None, None))
        return thread == threading.get_ident() or self.is_parents(sight)

    def is_parents(self, sight: Sight) -> bool:
        """Whether the parent process holds the lock that was seen, and waits for us."""
        return isinstance(sight.record, LockRecord) and self.parts.parent.holds(sight.record, self.parts.processes)

    def holds(self, key: str) -> bool:
        """Whether this thread holds the lock."""
        with self._mutex:
            return any(t == threading.get_ident() and k.key == key for t, k in self._held.values())

    def leases(self) -> tuple[KeptLease, ...]:
        """Return what all threads of this process hold through this keeper."""
        with self._mutex:
            return tuple(kept for _, kept in self._held.values())

    def _wait_for(self, key: str, record: LockRecord, waiting: Waiting) -> tuple[Lease, float]:
        clock = self.parts.clock
        watcher = self.make_watcher()
        sight: Sight | None = None
        while True:
            waiting.check_deadline(sight)
            began = clock.uptime()
            record = self._restamp(record)
            found = self.store.try_acquire(key, record)
            if isinstance(found, Lease):
                return found, began
            sight = found
            if isinstance(sight.record, LockRecord) and sight.nonce in self.parts.parent.nonces:
                raise _deadlock(key, "the command that started this one")
            if watcher.look(sight, uptime=clock.uptime()).is_takeable:
                lease = self.store.take_over(sight, record)
                if lease is not None:
                    return lease, began
            waiting.check_deadline(sight)
            waiting.pause(sight, glance=self.store.glance, time_left=watcher.find_time_left(sight))

    def _restamp(self, record: LockRecord) -> LockRecord:
        now = format_timestamp(self.parts.clock.now())
        return make_record(
            self.parts.holder,
            nonce=record.nonce,
            command=record.command,
            acquired_at=now,
            ttl_seconds=self.parts.timing.ttl_seconds,
        )

    def _refuse_nesting(self, key: str) -> None:
        if self.holds(key):
            raise _deadlock(key, "this very command")

    def _forget(self, kept: KeptLease) -> None:
        with self._mutex:
            self._held.pop(kept.nonce, None)


def _deadlock(key: str, who: str) -> LockHeld:
    return LockHeld(
        f"lock `{key}` is held by {who}, which would wait for itself",
        hint="run the inner command after the outer one has finished",
        key=key,
    )
