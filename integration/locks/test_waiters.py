"""Sixteen processes that want one lock on a directory at once, with the deadline that commands have: all get it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from swampsync.locks.timing import LockTiming

WAITERS, SECTIONS, SECTION_SECONDS = 16, 3, 0.01

# One process: says that it is ready, begins with all others, and tells each section that it had to itself.
WAITER = textwrap.dedent(
    """
    import json, os, random, sys, uuid
    from swampsync.clock import SystemClock, spawn_daemon
    from swampsync.disk import LocalDisk
    from swampsync.layout import Layout
    from swampsync.locks.directory_guard import DirectoryGuard
    from swampsync.locks.identity import make_holder
    from swampsync.locks.keeper import KeeperParts
    from swampsync.locks.process_table import LinuxProcessTable
    from swampsync.namespace import Namespace

    base, history, sections, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    clock, disk = SystemClock(), LocalDisk()
    processes = LinuxProcessTable(disk)
    parts = KeeperParts(
        clock=clock,
        spawn=spawn_daemon,
        processes=processes,
        holder=make_holder("waiter", pid=os.getpid(), processes=processes),
        new_id=lambda: str(uuid.uuid4()),
        rng=random.Random(),
    )
    guard = DirectoryGuard(Layout(base, base, Namespace("infra")), disk, parts)
    print("ready", flush=True)
    sys.stdin.readline()
    file = os.open(history, os.O_WRONLY | os.O_APPEND)
    for number in range(sections):
        began = clock.uptime()
        with guard.structural_lock(command="waiter") as held:
            waited = clock.uptime() - began
            held.check()
            os.write(file, f"in {os.getpid()}\\n".encode())
            clock.sleep(seconds)
            os.write(file, f"out {os.getpid()}\\n".encode())
        print(json.dumps(waited), flush=True)
    """
)


@pytest.mark.timeout(120)
def test_sixteen_processes_all_get_the_lock(tmp_path: Path) -> None:
    """Nobody's time is over before its turn comes, everybody has all sections, and no two overlap."""
    base, history = tmp_path / "shared", tmp_path / "history"
    base.mkdir()
    history.touch()
    arguments = [str(base), str(history), str(SECTIONS), str(SECTION_SECONDS)]
    waiters = [
        subprocess.Popen(
            [sys.executable, "-c", WAITER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            text=True,
        )
        for _ in range(WAITERS)
    ]
    try:
        for waiter in waiters:
            assert waiter.stdout is not None
            assert waiter.stdout.readline() == "ready\n"
        for waiter in waiters:
            assert waiter.stdin is not None
            waiter.stdin.write("go\n")
            waiter.stdin.flush()
        told = [waiter.communicate(timeout=100)[0] for waiter in waiters]
    finally:
        for waiter in waiters:
            waiter.kill()
            waiter.wait()
    waits = [float(json.loads(line)) for lines in told for line in lines.splitlines()]
    print(f"longest wait {max(waits):.2f} s")
    assert [waiter.returncode for waiter in waiters] == [0] * WAITERS
    assert len(waits) == WAITERS * SECTIONS
    assert max(waits) < LockTiming().wait_seconds
    # Some did wait: they were there at the same time.
    assert sum(wait > SECTION_SECONDS for wait in waits) >= WAITERS // 4
    lines = [line.split() for line in history.read_text().splitlines()]
    assert [event for event, _ in lines] == ["in", "out"] * (WAITERS * SECTIONS)
    assert all(came == went for (_, came), (_, went) in zip(lines[::2], lines[1::2], strict=True))
    assert len({pid for _, pid in lines}) == WAITERS
    assert not any(os.scandir(base / ".locks"))
