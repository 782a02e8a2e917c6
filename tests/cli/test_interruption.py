"""What signals do to a command: an exception, and an end where nothing answers any more."""

from __future__ import annotations

import io
import json
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from swampsync.cli.app import _leave
from swampsync.cli.console import Console
from swampsync.cli.interruption import BURST_SECONDS, SIGNALS, Interrupted, Interruption
from swampsync.testing.manual_clock import ManualClock


@dataclass
class Process:
    """Stands for the process that would be ended."""

    statuses: list[int] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)
    clock: ManualClock = field(default_factory=ManualClock)
    seen: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))  # a signal, by the thread

    def leave(self, status: int) -> None:
        self.statuses.append(status)
        self.left.set()

    def spawn(self, target: Callable[[], None], *, name: str) -> threading.Thread:
        self.threads.append(threading.Thread(target=target, name=name))
        self.threads[-1].start()
        return self.threads[-1]

    def uptime(self) -> float:
        now = self.clock.uptime()
        if threading.current_thread() in self.threads:
            self.seen.release()
        return now

    def watched(self, patience_seconds: float) -> Interruption:
        made = Interruption(self.leave, patience_seconds=patience_seconds, spawn=self.spawn, uptime=self.uptime)
        made.handle()
        made.watch()
        made.watch()
        return made


@pytest.fixture
def process() -> Iterator[Process]:
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    made = Process()
    yield made
    for thread in made.threads:
        thread.join(10)
        assert not thread.is_alive()
    assert signal.set_wakeup_fd(-1) == -1
    for number, handler in handlers.items():
        signal.signal(number, handler)


def send(number: int) -> None:
    with pytest.raises(Interrupted) as caught:
        signal.raise_signal(number)
    assert caught.value.number == number


@pytest.mark.parametrize("number", SIGNALS)
def test_second_signal_ends_the_process_at_once(process: Process, number: int) -> None:
    """Whoever asks again does not want to wait for the locks to be given back."""
    interruption = process.watched(60)
    send(number)
    assert process.seen.acquire(timeout=10)
    process.clock.advance(BURST_SECONDS)
    send(number)
    assert process.left.wait(10)
    assert process.statuses == [128 + number]
    interruption.end()


@pytest.mark.parametrize("pause_seconds", [0, 0.003, 0.9 * BURST_SECONDS])
def test_burst_of_signals_counts_as_one(process: Process, pause_seconds: float) -> None:
    """What `timeout` sends to a process and to its group neither ends it nor interrupts the giving back."""
    interruption = process.watched(60)
    send(signal.SIGTERM)
    for number in (signal.SIGTERM, signal.SIGHUP):
        assert process.seen.acquire(timeout=10)
        process.clock.advance(pause_seconds / 2)
        signal.raise_signal(number)  # raises nothing
    assert process.seen.acquire(timeout=10)
    interruption.end()
    process.threads[0].join(10)
    assert process.statuses == []


def test_signals_that_are_read_at_once_are_a_burst(process: Process) -> None:
    """However late the thread gets to read: what came together is one request, and the process is ended for the one."""
    interruption = process.watched(0.01)
    for index in range(3):
        send(signal.SIGTERM) if index == 0 else signal.raise_signal(signal.SIGTERM)
    assert process.left.wait(10)
    assert process.statuses == [143]
    interruption.end()


def test_process_that_does_not_end_is_ended(process: Process) -> None:
    """After a signal everything has so long and no longer."""
    interruption = process.watched(0.01)
    send(signal.SIGTERM)
    assert process.left.wait(10)
    assert process.statuses == [143]
    interruption.end()


def test_command_that_ends_in_time_is_left_alone(process: Process) -> None:
    """Who has ended in time, interrupted or not, is not ended once more, and the thread goes."""
    interruption = process.watched(60)
    send(signal.SIGINT)
    interruption.end()
    interruption.end()
    process.threads[0].join(10)
    assert (len(process.threads), process.statuses) == (1, [])


def test_signals_that_a_program_gets_do_not_count(process: Process) -> None:
    """While signals go to a program that runs under a lock, any number of them ends nothing here."""
    interruption = process.watched(0)
    passed_on: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: passed_on.append(number))
    for _ in range(3):
        signal.raise_signal(signal.SIGTERM)
    interruption.end()
    process.threads[0].join(10)
    assert (passed_on, process.statuses) == ([signal.SIGTERM] * 3, [])


def test_ignored_signal_stays_ignored(process: Process) -> None:
    """What `nohup` ignores is not handled."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Interruption(process.leave).handle()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    send(signal.SIGTERM)


@pytest.mark.parametrize("is_json", [False, True], ids=["text", "json"])
def test_leaving_says_what_may_be_left(monkeypatch: pytest.MonkeyPatch, *, is_json: bool) -> None:
    """The last words name the lock that may be left, and the command that shows it."""
    statuses: list[int] = []
    monkeypatch.setattr("os._exit", statuses.append)
    err = io.StringIO()
    _leave(130, Console(is_json=is_json, stderr=err))
    hint = "left before the bucket had answered; a lock that stays there expires by itself: swamp datastore lock status"
    if is_json:
        assert json.loads(err.getvalue()) == {"error": "interrupted", "code": "interrupted", "hint": hint}
    else:
        assert err.getvalue() == f"Interrupted\nhint: {hint}\n"
    assert statuses == [130]
