"""A lease that is kept alive: its heartbeat, its loss, its end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from swampsync.clock import Clock, Spawner, Thread, format_timestamp
from swampsync.errors import LeaseLost, SwampsyncError
from swampsync.locks.lease import Lease, LockRecord
from swampsync.locks.store import LeaseStore
from swampsync.locks.timing import LockTiming

_log = logging.getLogger("swampsync.locks")
_JOIN_SECONDS = 5.0


class KeptLease:
    """A lock that we hold; a context manager that gives it back.

    Call `check` before every write that nobody may see or undo once the lock has another holder.

    Args:
        store: Where the lock lives.
        lease: What the store gave.
        clock: Where the time comes from.
        timing: How often to tell that we live, and when to give up on ourselves.
        taken_at: The uptime before the lock was taken.
        on_end: Told once, when the lock was given back.
    """

    def __init__(
        self,
        store: LeaseStore,
        lease: Lease,
        *,
        clock: Clock,
        timing: LockTiming,
        taken_at: float,
        on_end: Callable[[KeptLease], None],
    ) -> None:
        self._store = store
        self._lease = lease
        self._clock = clock
        self._timing = timing
        self._renewed_at = taken_at
        self._on_end = on_end
        # Reentrant: a signal's handler may give everything back while this very thread is in the middle of it.
        self._mutex = threading.RLock()
        self._stop = threading.Event()
        self._is_released = False
        self._lost: str | None = None
        self._thread: Thread | None = None

    @property
    def key(self) -> str:
        """The lock's key."""
        return self._lease.key

    @property
    def nonce(self) -> str:
        """What identifies this acquisition."""
        return self._lease.nonce

    @property
    def record(self) -> LockRecord:
        """What the lock says now."""
        return self._lease.record

    @property
    def is_weak(self) -> bool:
        """Whether the store lacks compare-and-swap, so that a takeover may have had two winners for a moment."""
        return self._lease.is_weak

    @property
    def is_lost(self) -> bool:
        """Whether the lease is known to be lost; cheaper than `check`, and less certain."""
        return self._lost is not None or self._silence() > self._timing.lost_after_seconds

    def start(self, spawn: Spawner) -> None:
        """Start the heartbeat."""
        self._thread = spawn(self._run, name="swampsync-heartbeat")

    def check(self) -> None:
        """Make sure that the lock is still ours.

        Raises:
            LeaseLost: It is not, or we were silent for so long that it may soon not be.
        """
        if self._is_released:
            raise LeaseLost(f"lock `{self.key}` was given back already", key=self.key)
        if self._lost is None and self._silence() > self._timing.lost_after_seconds:
            self._lost = (
                f"lock `{self.key}` was not renewed for {self._silence():.0f} s, so others may take it over: "
                "this process or its connection stood still"
            )
        if self._lost is None:
            try:
                self._store.verify(self._lease)
            except LeaseLost as error:
                self._lost = error.message
        if self._lost is not None:
            raise LeaseLost(self._lost, hint="nothing was written since; run the command again", key=self.key)

    def beat(self) -> bool:
        """Tell once that we live; return whether the store could be reached.

        Raises:
            LeaseLost: The lock has another holder.
        """
        with self._mutex:
            # Under the mutex, so that no heartbeat writes after the release.
            if self._is_released:
                return True
            began = self._clock.uptime()
            try:
                self._lease = self._store.renew(self._lease, format_timestamp(self._clock.now()))
            except LeaseLost as error:
                self._lost = error.message
                raise
            except (OSError, SwampsyncError) as error:
                # Not a loss yet: there is time to try again until `lost_after_seconds`.
                _log.info("heartbeat of lock `%s` failed: %s", self.key, error)
                return False
            self._renewed_at = began
            return True

    def release(self) -> bool:
        """Stop the heartbeat and give the lock back; return whether it was still ours. Harmless when repeated."""
        self._stop.set()
        with self._mutex:
            if self._is_released:
                return False
            self._is_released = True
            is_valid = self._lost is None and self._silence() <= self._timing.lost_after_seconds
            try:
                was_ours = self._store.release(self._lease, is_valid=is_valid)
            except (OSError, SwampsyncError) as error:
                # The work is done; the lock expires by itself, and there is nobody to whom the error would be of use.
                _log.warning("could not give back lock `%s`, it expires by itself: %s", self.key, error)
                was_ours = False
            except BaseException:
                # Interrupted in the middle: the lock goes all the same.
                if is_valid:
                    with suppress(OSError, SwampsyncError):
                        self._store.abandon(self.key, self.nonce)
                raise
            finally:
                self._on_end(self)
        if self._thread is not None:
            self._thread.join(_JOIN_SECONDS)
        return was_ours

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()

    def _silence(self) -> float:
        return self._clock.uptime() - self._renewed_at

    def _run(self) -> None:
        pause = self._timing.heartbeat_seconds
        while not self._clock.wait(self._stop, pause):
            try:
                is_reached = self.beat()
            except LeaseLost:
                return  # `check` tells the work
            pause = self._timing.heartbeat_seconds if is_reached else self._timing.heartbeat_seconds / 5
