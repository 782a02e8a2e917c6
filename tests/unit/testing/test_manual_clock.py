from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial

import pytest

from swampsync.clock import Clock, spawn_daemon
from swampsync.testing.manual_clock import DEFAULT_START, Advance, ManualClock


def test_sleep_moves_both_clocks() -> None:
    """In automatic mode sleeping takes no real time and moves wall clock and uptime alike."""
    clock: Clock = ManualClock()
    before = clock.uptime()
    clock.sleep(3_600)
    assert clock.now() == DEFAULT_START + timedelta(hours=1)
    assert clock.uptime() == before + 3_600


@pytest.mark.parametrize("seconds", [86_400.0, -86_400.0])
def test_wall_step_leaves_uptime_alone(seconds: float) -> None:
    """The wall clock steps a day either way without the uptime noticing."""
    clock = ManualClock()
    before = clock.uptime()
    clock.step_wall(seconds)
    assert clock.now() == DEFAULT_START + timedelta(seconds=seconds)
    assert clock.uptime() == before


def test_advance_refuses_to_run_backwards() -> None:
    """Uptime never steps back."""
    with pytest.raises(ValueError, match="backwards"):
        ManualClock().advance(-1)


def test_suspend_wakes_nobody() -> None:
    """Suspend moves wall clock and uptime, but a sleeper sleeps as long as before once the machine is awake."""
    clock = ManualClock(advance=Advance.BY_HAND)
    woken_at: list[float] = []

    def nap() -> None:
        clock.sleep(10)
        woken_at.append(clock.uptime())

    start = clock.uptime()
    thread = spawn_daemon(nap, name="nap")
    clock.wait_for_sleepers(1)
    clock.suspend(1_000)
    clock.advance(9)
    assert woken_at == []
    clock.advance(1)
    thread.join()
    assert woken_at == [start + 1_010]


def test_wait_ends_when_the_event_is_set() -> None:
    """Waiting in another thread ends with the event, whatever the time."""
    clock = ManualClock()
    event = threading.Event()
    answers: list[bool] = []
    thread = spawn_daemon(lambda: answers.append(clock.wait(event, 1_000_000)), name="waiter")
    clock.wait_for_sleepers(1)
    event.set()
    thread.join()
    assert answers == [True]


def test_wait_by_the_maker_moves_the_clock() -> None:
    """In automatic mode the thread that made the clock never really waits."""
    clock = ManualClock()
    before = clock.uptime()
    assert clock.wait(threading.Event(), 5) is False
    assert clock.uptime() == before + 5


def test_set_event_takes_no_time() -> None:
    """An event that is set already answers at once."""
    clock = ManualClock()
    event = threading.Event()
    event.set()
    before = clock.uptime()
    assert clock.wait(event, 5) is True
    assert clock.uptime() == before


def run_two_beats() -> list[tuple[str, float]]:
    clock = ManualClock(uptime=0.0)
    stop = threading.Event()
    history: list[tuple[str, float]] = []

    def beat(name: str, every: float) -> None:
        while not clock.wait(stop, every):
            history.append((name, clock.uptime()))

    threads = [
        spawn_daemon(partial(beat, "a", 3), name="a"),
        spawn_daemon(partial(beat, "b", 5), name="b"),
    ]
    clock.wait_for_sleepers(2)
    clock.sleep(11)
    stop.set()
    for thread in threads:
        thread.join()
    return history


def test_sleepers_wake_in_order_at_their_own_times() -> None:
    """One long advance runs every sleeper at its deadline, again and again, in a repeatable order."""
    expected = [("a", 3.0), ("b", 5.0), ("a", 6.0), ("a", 9.0), ("b", 10.0)]
    assert [run_two_beats() for _ in range(3)] == [expected] * 3


def test_thread_that_never_rests_is_an_error() -> None:
    """A woken thread that neither sleeps nor ends is reported instead of making runs random."""
    clock = ManualClock(settle_seconds=0.05)
    stop = threading.Event()
    woken = threading.Event()

    def hang() -> None:
        clock.wait(stop, 1)
        woken.wait()

    thread = spawn_daemon(hang, name="hang")
    clock.wait_for_sleepers(1)
    with pytest.raises(TimeoutError, match="a woken thread"):
        clock.advance(1)
    woken.set()
    thread.join()
