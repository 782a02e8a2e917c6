"""The real commands on a bucket, as processes: signals while they hold its lock, take it or wait, and a terminal."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration.locks.test_commands import CLOCK, SIGNALS, SWAMP
from swampsync.cli.interruption import BURST_SECONDS
from swampsync.layout import ObjectKey
from swampsync.testing.lossy_wire import Fault, LossyWire
from swampsync.testing.s3_side_channel import S3Server
from tests.cli.conftest import Outcome, Swamp, swamp, variables

__all__ = ["swamp", "variables"]

LOCK = ".locks/infra.lock"
IMPATIENT = {"SWAMP_LOCK_TIMEOUT_MS": "1"}
# A gc that stands still with the lock of the bucket, until it is told to go on.
HOLDING = """
import os, sys
from swampsync.cli.app import run
from swampsync.repo.remote_structural import RemoteStructural

plan = RemoteStructural._plan

def wait_and_plan(self):
    print("held", flush=True)
    sys.stdin.readline()
    return plan(self)

RemoteStructural._plan = wait_and_plan
sys.exit(run(["data", "gc", "-y"], os.environ))
"""


@dataclass(frozen=True)
class Team:
    """A bucket, and two clones of one repo that share a namespace of it."""

    home: Path
    server: S3Server
    bucket: str
    swamp: Swamp

    @property
    def env(self) -> dict[str, str]:
        return {
            **self.server.key_variables(),
            "HOME": str(self.home),
            "SWAMP_HOME": str(self.home / "swamp"),
        }

    def clone(self, name: str, endpoint: str) -> Path:
        """Make a clone that reaches the bucket by an endpoint; the first one claims the namespace."""
        path = self.home / name
        path.mkdir()
        place = f'    bucket: {self.bucket}\n    endpoint: "{endpoint}"\n'
        config = f'datastore:\n  type: "@swampsync/s3"\n  config:\n{place}'
        (path / ".swamp.yaml").write_text(f"swampVersion: 20260206.200442.0\nrepoId: {self.bucket}\n{config}")
        self.run(path, "namespace", "set", "infra").ok()
        return path

    def run(self, path: Path, *words: str, **more: str) -> Outcome:
        """Run a command in this process."""
        return self.swamp(path, *words, env=self.env | more)

    def start(self, path: Path, *command: str, **more: Any) -> subprocess.Popen[str]:
        """Start a process."""
        pipe = subprocess.PIPE
        streams = {"stdin": pipe, "stdout": pipe, "stderr": pipe} | more
        return subprocess.Popen(command, cwd=path, env={**os.environ, **self.env}, text=True, **streams)

    def start_holding(self, path: Path) -> subprocess.Popen[str]:
        """Start a gc, and return when it has the bucket's lock; any line on its input lets it finish."""
        process = self.start(path, sys.executable, "-c", HOLDING)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    def lock(self) -> dict[str, Any]:
        """Read what the lock says."""
        return dict(json.loads(self.server.store(self.bucket).get(ObjectKey(LOCK)).body))

    def is_free(self) -> bool:
        """Whether the lock was given back."""
        return bool(self.lock().get("released"))


class Plan:
    """Lets answers about the lock come late, and tells when such a request has come."""

    def __init__(self) -> None:
        self.late = 0  # which put of the lock, counted from 1
        self.puts = 0
        self.came = threading.Event()

    def __call__(self, method: str, target: str) -> Fault:
        if method != "PUT" or not target.endswith(LOCK):
            return Fault.NONE
        self.puts += 1
        if self.puts != self.late:
            return Fault.NONE
        self.came.set()
        return Fault.DELAY


@pytest.fixture
def make_team(tmp_path: Path, swamp: Swamp, request: pytest.FixtureRequest) -> Callable[[str], Team]:
    def make(name: str) -> Team:
        server: S3Server = request.getfixturevalue(f"{name}_server")
        bucket = f"signals-{uuid.uuid4().hex[:12]}"
        client = server.client()
        client.create_bucket(Bucket=bucket)
        client.close()
        return Team(tmp_path, server, bucket, swamp)

    return make


def end_by(process: subprocess.Popen[str], name: str) -> None:
    """Send a signal, and see that the process ends by it with one word."""
    process.send_signal(getattr(signal, name))
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (128 + getattr(signal, name), "Interrupted\n")


@pytest.mark.parametrize(("server", "name"), [*(("moto", name) for name in SIGNALS), ("rgw", "SIGTERM")])
def test_signal_while_holding_releases_the_bucket(make_team: Callable[[str], Team], server: str, name: str) -> None:
    """Others are refused with the holder's name; a signal ends it, and they have the lock at once."""
    team = make_team(server)
    ours, others = (team.clone(name, team.server.endpoint) for name in ("ours", "others"))
    holder = team.start_holding(ours)
    assert (team.lock()["pid"], team.is_free()) == (holder.pid, False)
    refused = team.run(others, "data", "gc", "-y", **IMPATIENT)
    assert (refused.status, f"(pid {holder.pid})" in refused.err) == (75, True)
    end_by(holder, name)
    assert (team.lock()["pid"], team.is_free()) == (holder.pid, True)
    team.run(others, "data", "gc", "-y", **IMPATIENT).ok()
    assert team.run(ours, "datastore", "lock", "status", "--json").json["held"] is False


def test_killed_holder_of_a_bucket_is_followed_at_once(make_team: Callable[[str], Team]) -> None:
    """What SIGKILL leaves is a dead process's lock to everybody on the same machine."""
    team = make_team("moto")
    ours, others = (team.clone(name, team.server.endpoint) for name in ("ours", "others"))
    with team.start_holding(ours) as holder:
        holder.kill()
    assert not team.is_free()
    team.run(others, "data", "gc", "-y", **IMPATIENT).ok()
    assert team.is_free()


@pytest.mark.parametrize("put", [1, 2], ids=["taking", "releasing"])
def test_signal_while_the_lock_is_put_releases_it(make_team: Callable[[str], Team], put: int) -> None:
    """A signal that comes while the answer of the lock's own put is on its way leaves no lock either."""
    team = make_team("moto")
    plan = Plan()
    with LossyWire.before(team.server.endpoint, plan, delay_seconds=0.5) as wire:
        ours = team.clone("ours", wire.endpoint)
        plan.late, plan.puts = put, 0
        process = team.start(ours, str(SWAMP), "data", "gc", "-y")
        assert plan.came.wait(60)
        end_by(process, "SIGTERM")
        assert team.is_free()
        assert (plan.puts, team.lock()["pid"]) == (2, process.pid)


class Frozen:
    """Lets nothing pass any more once the lock was put."""

    def __init__(self) -> None:
        self.is_armed = False
        self.came = threading.Event()  # the first request that is not answered
        self.thaw = threading.Event()
        self._is_put = False

    def __call__(self, method: str, target: str) -> Fault:
        if self._is_put:
            self.came.set()
            self.thaw.wait()
        self._is_put = self.is_armed and method == "PUT" and target.endswith(LOCK)
        return Fault.NONE


@pytest.mark.parametrize("count", [1, 2], ids=["once", "twice"])
def test_signal_where_the_bucket_answers_no_more_ends_the_command(make_team: Callable[[str], Team], count: int) -> None:
    """With the lock held and the connection dead it ends within seconds, at once if asked twice, and others go on."""
    team = make_team("moto")
    frozen = Frozen()
    with LossyWire.before(team.server.endpoint, frozen) as wire:
        ours, others = team.clone("ours", wire.endpoint), team.clone("others", team.server.endpoint)
        frozen.is_armed = True
        process = team.start(ours, str(SWAMP), "data", "gc", "-y")
        assert frozen.came.wait(60)
        began = CLOCK.uptime()
        process.send_signal(signal.SIGINT)
        if count == 2:
            CLOCK.sleep(BURST_SECONDS + 0.2)  # what comes sooner is part of the first
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        took = CLOCK.uptime() - began
        frozen.thaw.set()
    assert (process.returncode, err.splitlines()[0]) == (130, "Interrupted")
    assert "expires by itself" in err
    assert took < 4 if count == 2 else 4 < took < 15
    assert not team.is_free()
    team.run(others, "data", "gc", "-y", **IMPATIENT).ok()


def test_signal_while_waiting_for_a_bucket_leaves_the_holder_alone(make_team: Callable[[str], Team]) -> None:
    """A gc that waits for another clone gives up at once; the other one finishes."""
    team = make_team("moto")
    ours, others = (team.clone(name, team.server.endpoint) for name in ("ours", "others"))
    holder = team.start_holding(others)
    waiter = team.start(ours, str(SWAMP), "data", "gc", "-y")
    assert waiter.stderr is not None
    line = waiter.stderr.readline()
    assert line.startswith(f'waiting for lock "{LOCK}" held by'), line
    end_by(waiter, "SIGINT")
    assert (team.lock()["pid"], team.is_free()) == (holder.pid, False)
    holder.communicate("go on\n", timeout=60)
    assert (holder.returncode, team.is_free()) == (0, True)


@pytest.mark.parametrize("command", ["data gc", "data prune"])
def test_question_in_a_terminal_keeps_no_other_clone_waiting(make_team: Callable[[str], Team], command: str) -> None:
    """While a person thinks about the answer another clone has the lock; the answer then is carried out."""
    team = make_team("moto")
    ours, others = (team.clone(name, team.server.endpoint) for name in ("ours", "others"))
    if command == "data gc":
        for _ in range(3):
            team.run(ours, "data", "put", "m", "x", ".swamp.yaml", "--gc", "1").ok()
    else:
        team.run(ours, "model", "create", "command/shell", "m").ok()
        team.run(ours, "data", "put", "m", "x", ".swamp.yaml").ok()
        for definition in (ours / "models").rglob("*.yaml"):
            definition.unlink()
    terminal, end = pty.openpty()
    try:
        with team.start(ours, str(SWAMP), *command.split(), stdin=end, stderr=end) as process:
            os.close(end)  # so that reading fails, not waits, if the process ends
            assert "[y/N] " in read_until(terminal, "[y/N] ")
            team.run(others, "datastore", "compact", **IMPATIENT).ok()
            assert (team.lock()["command"], team.is_free()) == ("datastore compact", True)
            os.write(terminal, b"y\n")
            out, _ = process.communicate(timeout=60)
    finally:
        os.close(terminal)
    assert (process.returncode, out.split(" ")[0]) == (0, "Deleted" if command == "data gc" else "Reclaimed")
    assert (team.lock()["command"], team.is_free()) == (command, True)


def read_until(terminal: int, text: str) -> str:
    """Read what a terminal shows until it shows a text."""
    shown = ""
    while text not in shown:
        shown += os.read(terminal, 1024).decode()
    return shown
