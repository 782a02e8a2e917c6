"""The one local lock of a clone: push, pull, renumbering and hydration change its copy and its state one at a time.

This is mutual exclusion of processes on one machine, by `flock`; it is no lease, and a dead process holds nothing.
filelock does the same on Unix, and stands in where there is no `flock`; loading it costs every look at a log 8 ms.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from swampsync.clock import Clock
from swampsync.errors import LockHeld, LockTimeout

_PAUSE_SECONDS: Final = 0.02
_MAX_PAUSE_SECONDS: Final = 0.5


class CloneLock:
    """Mutual exclusion inside one clone; not reentrant.

    Args:
        path: Of the lock file, in the repo's own `.swamp`.
        clock: Where the time comes from.
        rng: Spreads the pauses between tries.
        wait_seconds: For how long to wait.
        on_wait: Told once if the lock is held.
        on_held: Called under the lock once it was taken; raises to give it back.
    """

    def __init__(
        self,
        path: str,
        *,
        clock: Clock,
        rng: random.Random,
        wait_seconds: float = 60.0,
        on_wait: Callable[[str], None] | None = None,
        on_held: Callable[[], None] | None = None,
    ) -> None:
        self._path = path
        self._clock = clock
        self._rng = rng
        self._wait_seconds = wait_seconds
        self._on_wait = on_wait
        self._on_held = on_held

    @contextmanager
    def hold(self, *, is_waiting: bool = True) -> Iterator[None]:
        """Hold the lock.

        Args:
            is_waiting: Whether to wait for it; else there is one try.

        Raises:
            LockTimeout: Another process or thread of this clone held it for all that time.
            LockHeld: One holds it, and we do not wait.
        """
        started = self._clock.uptime()
        pause = _PAUSE_SECONDS
        is_told = False
        while (release := _try_lock(self._path)) is None:
            if not is_waiting:
                raise LockHeld("another command in this clone is syncing", key=self._path)
            waited = self._clock.uptime() - started
            if waited >= self._wait_seconds:
                raise LockTimeout(
                    f"another command in this clone is syncing — timed out after {round(waited * 1000)}ms",
                    hint="wait for it to finish; a process that died holds nothing",
                    key=self._path,
                )
            if self._on_wait is not None and not is_told:
                is_told = True
                self._on_wait("waiting for another command in this clone to finish syncing")
            remaining = self._wait_seconds - (self._clock.uptime() - started)
            self._clock.sleep(max(0.0, min(pause * self._rng.uniform(0.75, 1.25), remaining)))
            pause = min(pause * 2, _MAX_PAUSE_SECONDS)
        try:
            if self._on_held is not None:
                self._on_held()
            yield
        finally:
            release()


def _try_lock(path: str) -> Callable[[], None] | None:
    """Take the lock and return what gives it back, or `None` if somebody has it."""
    try:
        import fcntl
    except ImportError:
        return _try_filelock(path)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    # Closing gives it back; the file stays, or two processes could hold locks on two files of one name.
    return lambda: os.close(descriptor)


def _try_filelock(path: str) -> Callable[[], None] | None:
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock.release
