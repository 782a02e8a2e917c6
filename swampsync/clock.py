"""Time as a parameter: what the library knows of clocks, waiting and threads.

Nothing else in the package reads a clock, sleeps or starts a thread, so that tests and simulators can drive
all of it (`swampsync.testing.manual_clock`).
"""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from, and how to wait."""

    def now(self) -> datetime:
        """Return the wall clock as an aware UTC time; it may step either way."""
        ...

    def uptime(self) -> float:
        """Return seconds of a clock that never steps back and runs through suspend."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        ...

    def wait(self, event: threading.Event, timeout_seconds: float) -> bool:
        """Wait until `event` is set or the time is over; return whether it is set."""
        ...


class Thread(Protocol):
    """A started thread, as far as we use it."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread to end."""
        ...


class Spawner(Protocol):
    """How a background thread is started."""

    def __call__(self, target: Callable[[], None], *, name: str) -> Thread:
        """Start `target` in a daemon thread called `name`."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Return the wall clock, UTC."""
        return datetime.now(UTC)

    def uptime(self) -> float:
        """Return seconds since boot, suspend included where the system can tell (Linux)."""
        # macOS has no CLOCK_BOOTTIME; its CLOCK_MONOTONIC runs through sleep.
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        time.sleep(seconds)

    def wait(self, event: threading.Event, timeout_seconds: float) -> bool:
        """Wait until `event` is set or the time is over."""
        return event.wait(timeout_seconds)


class _Daemon:
    """A thread of the running interpreter that keeps no process alive."""

    def __init__(self, target: Callable[[], None]) -> None:
        self._target = target
        self._running = threading.Lock()
        self._running.acquire()

    def run(self) -> None:
        try:
            self._target()
        finally:
            self._running.release()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread to end."""
        if self._running.acquire(timeout=-1 if timeout is None else timeout):
            self._running.release()


def spawn_daemon(target: Callable[[], None], *, name: str) -> Thread:  # noqa: ARG001 -- other spawners name threads
    """Start a daemon thread of the running interpreter, and do not wait until it runs.

    `threading.Thread.start` waits: on a busy machine for milliseconds, in which whoever calls holds a lock.
    """
    daemon = _Daemon(target)
    _thread.start_new_thread(daemon.run, ())
    return daemon


def format_timestamp(moment: datetime) -> str:
    """Format as swamp does: UTC, three decimals, `Z` (`2026-11-21T09:15:37.969Z`)."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def parse_timestamp(text: str) -> datetime:
    """Parse an ISO 8601 time with a zone into aware UTC.

    Raises:
        ValueError: The text is no ISO 8601 time, or has no zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time without a zone: {text!r}")
    return moment.astimezone(UTC)
