"""A process that is asked to end gives its locks back on the way out."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from swampsync.disk import LocalDisk
from swampsync.locks.process_table import make_process_table
from swampsync.locks.sighting import look_at
from swampsync.locks.staleness import Standing, Watcher

HOLD = """
import os, random, signal, sys, uuid
from swampsync.clock import SystemClock, spawn_daemon
from swampsync.disk import LocalDisk
from swampsync.layout import Layout
from swampsync.locks.directory_guard import DirectoryGuard
from swampsync.locks.identity import make_holder
from swampsync.locks.keeper import KeeperParts
from swampsync.locks.process_table import make_process_table
from swampsync.namespace import Namespace

def end(number, frame):
    raise SystemExit(128 + number)

for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, name), end)
processes = make_process_table(LocalDisk())
parts = KeeperParts(
    clock=SystemClock(), spawn=spawn_daemon, processes=processes,
    holder=make_holder("ana", pid=os.getpid(), processes=processes),
    new_id=lambda: str(uuid.uuid4()), rng=random.Random(),
)
guard = DirectoryGuard(Layout(sys.argv[1], sys.argv[1], Namespace.parse("infra")), LocalDisk(), parts)
with guard.structural_lock(command="data gc"):
    print("held", flush=True)
    while True:
        SystemClock().sleep(0.05)  # a signal just before a sleep is handled after it
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_lock_after_a_signal(tmp_path: Path, name: str) -> None:
    """After SIGINT, SIGTERM and SIGHUP nothing is left; what SIGKILL leaves is dead at the first look."""
    path = tmp_path / ".locks" / "infra.lock"
    number = getattr(signal, name)
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert path.exists()
        process.send_signal(number)
    if name != "SIGKILL":
        assert process.returncode == 128 + number
        assert list(path.parent.iterdir()) == []
        return
    sight = look_at(LocalDisk(), str(path))
    assert sight is not None
    watcher = Watcher(make_process_table(LocalDisk()), default_ttl_seconds=30, max_gap_seconds=10)
    assert watcher.look(sight, uptime=0) is Standing.DEAD
