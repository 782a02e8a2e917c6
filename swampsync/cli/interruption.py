"""Signals that ask the process to end: an exception that gives everything back, and an end where nothing answers.

Python runs a signal's handler between two of its instructions, and a whole request is one of them. Where a bucket does
not answer, that lasts until the time-out, and then the lock's release asks the same bucket, for minutes in all. So a
thread reads the signals as they come, and ends the process where it has not ended some seconds after the first one, and
at once when it is asked again. That leaves what a crash leaves: pending work, and a lock that expires by itself.

Who passes a signal on often sends two, to the process and to its group (`timeout` does), or adds its own to that of a
terminal. So what comes within a second of the first is the same request: it neither ends the process nor interrupts
the giving back.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from swampsync.clock import Spawner

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_SECONDS: Final = 5.0  # as swamp
BURST_SECONDS: Final = 1.0


class Interrupted(BaseException):
    """A signal asked the process to end; locks are released on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Interruption:
    """What a signal does to one command.

    Args:
        leave: Ends the process with an exit status, from any thread and whatever it is doing.
        patience_seconds: For how long after a signal everything may take its time.
        spawn: Starts the thread; `None` for a daemon.
        uptime: Seconds of a clock that never steps back.
    """

    def __init__(
        self,
        leave: Callable[[int], None],
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        spawn: Spawner | None = None,
        uptime: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leave = leave
        self._patience_seconds = patience_seconds
        self._spawn = spawn
        self._uptime = uptime
        self._asked_at: float | None = None  # known to the handler alone
        self._pipe: tuple[int, int] | None = None
        self._before = -1

    def handle(self) -> None:
        """Let signals be exceptions from now on, but for those that the process was told to ignore."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and `&` leave it
                signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal: raise it, unless it is an echo of the one before.

        Raises:
            Interrupted: Somebody asks that the process end, for the first time or again.
        """
        now = self._uptime()
        if self._asked_at is not None and now - self._asked_at < BURST_SECONDS:
            return
        self._asked_at = now
        raise Interrupted(number)

    def watch(self) -> None:
        """Make sure that the process ends even if nothing answers; for commands that ask a bucket."""
        if self._pipe is not None:
            return
        from swampsync.clock import spawn_daemon  # not for commands that ask no bucket

        reading, writing = os.pipe()
        os.set_blocking(writing, False)  # as `set_wakeup_fd` wants it
        self._pipe = (reading, writing)
        self._before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        (self._spawn or spawn_daemon)(lambda: self._read(reading), name="swampsync-signals")

    def end(self) -> None:
        """Stop watching: the command has ended."""
        if self._pipe is not None:
            signal.set_wakeup_fd(self._before)
            os.close(self._pipe[1])  # the thread sees the end, and closes its own
            self._pipe = None

    def _read(self, reading: int) -> None:
        import select

        number, asked_at, wait = 0, 0.0, None
        with suppress(OSError):
            while True:
                if not select.select([reading], [], [], wait)[0]:
                    break
                seen = os.read(reading, 64)
                if not seen:
                    number = 0
                    break
                now = self._uptime()
                # A program that runs under a lock gets its signals itself, and may take its time.
                ours = [n for n in seen if n in SIGNALS and signal.getsignal(n) == self._interrupt]
                if ours and not number:
                    number, asked_at = ours[0], now
                elif ours and now - asked_at >= BURST_SECONDS:
                    number = ours[0]
                    break
                if number:
                    wait = max(0.0, asked_at + self._patience_seconds - now)
        os.close(reading)
        if number:
            self._leave(128 + number)
