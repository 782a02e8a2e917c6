from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from swampsync.clock import spawn_daemon
from swampsync.errors import LockTimeout
from swampsync.locks.clone_lock import CloneLock
from swampsync.maintenance.racing import race
from swampsync.testing.lease_bench import StillClock
from swampsync.testing.manual_clock import ManualClock

HOLD = "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); input()"


def make(path: Path, clock: ManualClock, told: list[str] | None = None, *, wait_seconds: float = 60) -> CloneLock:
    return CloneLock(
        str(path),
        clock=clock,
        rng=random.Random(0),
        wait_seconds=wait_seconds,
        on_wait=None if told is None else told.append,
    )


def test_second_holder_waits_and_is_told(tmp_path: Path) -> None:
    """One push or pull at a time; the other is told once why it waits, and gives up after its time."""
    clock, told = ManualClock(), list[str]()
    with make(tmp_path / "lock", clock).hold():
        before = clock.uptime()
        with (
            pytest.raises(LockTimeout, match="timed out after 5000ms") as caught,
            make(tmp_path / "lock", clock, told, wait_seconds=5).hold(),
        ):
            pass
        assert clock.uptime() - before == pytest.approx(5)
        assert caught.value.key == str(tmp_path / "lock")
    assert told == ["waiting for another command in this clone to finish syncing"]
    with make(tmp_path / "lock", clock, wait_seconds=0).hold():
        pass


def test_dead_process_holds_nothing(tmp_path: Path) -> None:
    """The system itself frees the lock of a process that was killed."""
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(LockTimeout), make(path, ManualClock(), wait_seconds=1).hold():
            pass
        child.kill()
    with make(path, ManualClock(), wait_seconds=0).hold():
        pass


def test_threads_take_turns(tmp_path: Path) -> None:
    """Threads of one process exclude each other as processes do, also through one object."""
    lock = make(tmp_path / "lock", StillClock())
    inside: list[int] = []

    def work(number: int) -> None:
        with lock.hold():
            inside.append(number)
            assert inside == [number]
            inside.clear()

    assert race(8, work, spawner=spawn_daemon) == [None] * 8


def test_exception_frees_the_lock(tmp_path: Path) -> None:
    """Every way out gives the lock back."""
    clock = ManualClock()
    with pytest.raises(KeyboardInterrupt), make(tmp_path / "lock", clock).hold():
        raise KeyboardInterrupt
    with make(tmp_path / "lock", clock, wait_seconds=0).hold():
        pass
