"""A clock that only tests move.

Three times run apart, as on a real machine: the wall clock, which people and NTP step either way; the uptime, which
never steps back and runs through suspend; and the awake time, by which sleeping threads are woken and which stands
still while the machine is suspended.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

DEFAULT_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
DEFAULT_UPTIME: Final = 1_000.0
_POLL_SECONDS: Final = 0.002


class Advance(Enum):
    """Who moves a `ManualClock`."""

    AUTOMATIC = "automatic"  # sleeping takes no real time: it moves the clock
    BY_HAND = "by hand"  # sleepers wait until a test calls `advance`


@dataclass(eq=False, slots=True)
class _Sleeper:
    """A thread that waits for a time."""

    deadline: float
    thread: int = field(default_factory=threading.get_ident)


class ManualClock:
    """A `Clock` under a test's control.

    In automatic mode `sleep` moves the clock at once, in whatever thread it is called, and so does `wait` in the
    thread that made the clock; `wait` in any other thread (a heartbeat) lasts until somebody else has moved the
    clock that far. Moving the clock wakes sleepers one after the other in the order of their deadlines, each at
    its own time, and goes on when the woken thread sleeps again or has ended: runs repeat themselves exactly.

    Args:
        start: The wall clock's first time, aware.
        uptime: The first uptime in seconds.
        advance: Who moves the clock.
        settle_seconds: Real seconds after which a woken thread that neither sleeps nor ends is an error.
    """

    def __init__(
        self,
        start: datetime = DEFAULT_START,
        uptime: float = DEFAULT_UPTIME,
        *,
        advance: Advance = Advance.AUTOMATIC,
        settle_seconds: float = 5.0,
    ) -> None:
        self._wall = start.astimezone(UTC)
        self._uptime = uptime
        self._awake = 0.0
        self._advance = advance
        self._settle_seconds = settle_seconds
        self._maker = threading.get_ident()
        self._condition = threading.Condition()
        self._sleepers: list[_Sleeper] = []
        self.slept: list[float] = []
        """Every `sleep` that was asked for, in seconds."""

    def now(self) -> datetime:
        """Return the wall clock."""
        with self._condition:
            return self._wall

    def uptime(self) -> float:
        """Return seconds that never step back."""
        with self._condition:
            return self._uptime

    def sleep(self, seconds: float) -> None:
        """Move the clock (automatic), or wait until it has been moved that far."""
        self.slept.append(seconds)
        if self._advance is Advance.AUTOMATIC:
            self.advance(max(0.0, seconds))
        else:
            self._wait_for(lambda: False, seconds)

    def wait(self, event: threading.Event, timeout_seconds: float) -> bool:
        """Wait until `event` is set or the time is over."""
        if event.is_set():
            return True
        if self._advance is Advance.AUTOMATIC and threading.get_ident() == self._maker:
            self.advance(max(0.0, timeout_seconds))
        else:
            self._wait_for(event.is_set, timeout_seconds)
        return event.is_set()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on every clock, waking sleepers in the order of their deadlines.

        Raises:
            ValueError: Time does not run backwards; see `step_wall`.
        """
        if seconds < 0:
            raise ValueError("time does not run backwards; step the wall clock instead")
        with self._condition:
            target = self._awake + seconds
        while True:
            with self._condition:
                due = min((s for s in self._sleepers if s.deadline <= target), key=lambda s: s.deadline, default=None)
                passed = max(0.0, (target if due is None else due.deadline) - self._awake)
                self._awake += passed
                self._uptime += passed
                self._wall += timedelta(seconds=passed)
                if due is None:
                    return
                self._sleepers.remove(due)
                self._condition.notify_all()
            self._settle(due.thread)

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back if negative; nothing else notices."""
        with self._condition:
            self._wall += timedelta(seconds=seconds)

    def suspend(self, seconds: float) -> None:
        """Let the machine sleep: wall clock and uptime move on, and no sleeper wakes."""
        with self._condition:
            self._wall += timedelta(seconds=seconds)
            self._uptime += seconds

    def wait_for_sleepers(self, count: int) -> None:
        """Return once `count` threads wait for this clock.

        Raises:
            TimeoutError: They did not within `settle_seconds` of real time.
        """
        self._wait_really(lambda: len(self._sleepers) >= count, f"{count} sleeping threads")

    def _wait_for(self, is_done: Callable[[], bool], seconds: float) -> None:
        with self._condition:
            sleeper = _Sleeper(self._awake + max(0.0, seconds))
            if sleeper.deadline <= self._awake:
                return
            self._sleepers.append(sleeper)
            self._condition.notify_all()
            try:
                while sleeper in self._sleepers and not is_done():
                    # An event that is set elsewhere cannot notify this condition: look again now and then.
                    self._condition.wait(_POLL_SECONDS)
            finally:
                if sleeper in self._sleepers:
                    self._sleepers.remove(sleeper)

    def _settle(self, thread: int) -> None:
        # Not every thread has a `Thread` that knows whether it ended: heartbeats are started without one.
        if thread != threading.get_ident():
            self._wait_really(
                lambda: (
                    thread not in sys._current_frames()  # noqa: SLF001 - the only list of all threads
                    or any(s.thread == thread for s in self._sleepers)
                ),
                "a woken thread to sleep again or to end",
            )

    def _wait_really(self, is_done: Callable[[], bool], what: str) -> None:
        limit = time.monotonic() + self._settle_seconds
        with self._condition:
            while not is_done():
                if time.monotonic() > limit:
                    raise TimeoutError(f"waited {self._settle_seconds:g} real seconds for {what}")
                self._condition.wait(_POLL_SECONDS)
