"""The real commands, as processes: signals while they wait and while they hold, a holder that stands still, `exec`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from swampsync.clock import SystemClock

SWAMP = Path(sys.executable).with_name("swamp")
CLOCK = SystemClock()
ENVIRON = {"PATH": os.pathsep.join([str(SWAMP.parent), os.environ["PATH"]])}
SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"]
TTL_SECONDS = 30.0
# A put that stands still in the middle of its write, with the model's lock, until it is told to go on.
HOLDING = """
import os, sys
from swampsync.cli.app import run
from swampsync.disk import LocalDisk

rename = LocalDisk.rename

def wait_and_rename(self, source, target):
    if target.endswith("/raw"):
        sys.stdin.readline()
    rename(self, source, target)

LocalDisk.rename = wait_and_rename
sys.exit(run(["data", "put", "m", "x", ".swamp.yaml"], os.environ))
"""


class Place:
    """One repo in a namespace of a shared directory."""

    def __init__(self, root: Path) -> None:
        self.repo, self.shared = root / "repo", root / "shared"
        self.repo.mkdir()
        self.run("repo", "init")
        self.run("datastore", "setup", "filesystem", "--path", str(self.shared), "-n", "infra")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return self.start_with([str(SWAMP), *arguments], stdin=subprocess.DEVNULL)

    def start_holding(self) -> subprocess.Popen[str]:
        """Start a put, and return when it has the model's lock; any line on its input lets it finish."""
        process = self.start_with([sys.executable, "-c", HOLDING], stdin=subprocess.PIPE)
        wait_for(lambda: ".lock" in self.locks())
        return process

    def start_with(self, command: list[str], *, stdin: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.repo,
            env={**os.environ, **ENVIRON},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, status: int = 0) -> str:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=120)
        assert process.returncode == status, err
        return out

    def locks(self) -> list[str]:
        """Name the lock files, and whatever taking them leaves."""
        found = [path for path in self.shared.rglob("*.lock*") if path.is_file()]
        found += [path for path in self.shared.rglob(".*-*") if path.name.startswith((".acquire-", ".takeover-"))]
        return sorted(path.name for path in found)


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    end = CLOCK.uptime() + seconds
    while not condition():
        assert CLOCK.uptime() < end, "it did not happen"
        CLOCK.sleep(0.005)


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, err = process.communicate(timeout=60)
    return process.returncode, err


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("name", SIGNALS)
def test_signal_while_holding_releases(place: Place, name: str) -> None:
    """A signal ends a put that holds its model's lock, and neither lock nor version is left."""
    process = place.start_holding()
    process.send_signal(getattr(signal, name))
    status, err = end(process)
    assert (status, err) == (128 + getattr(signal, name), "Interrupted\n")
    assert place.locks() == []
    assert json.loads(place.run("data", "list", "--json"))["models"] == []


@pytest.mark.parametrize("name", SIGNALS)
def test_signal_while_waiting_leaves_the_holder_alone(place: Place, name: str) -> None:
    """A gc that waits for a writer gives up at once; the writer has its lock as before, and finishes."""
    writer = place.start_holding()
    waiter = place.start("data", "gc", "-y")
    assert waiter.stderr is not None
    while "waiting for lock" not in (line := waiter.stderr.readline()):
        assert line, "it never waited"
    waiter.send_signal(getattr(signal, name))
    status, err = end(waiter)
    assert (status, err) == (128 + getattr(signal, name), "Interrupted\n")
    assert place.locks() == [".lock"]
    writer.communicate("go on\n", timeout=60)
    assert writer.returncode == 0
    assert place.locks() == []


@pytest.mark.parametrize("flags", [(), ("--append",)], ids=["put", "append"])
def test_slow_input_keeps_nobody_waiting(place: Place, flags: tuple[str, ...]) -> None:
    """While a put or an append waits for its input, others write the model; killed, it leaves what the next removes."""

    def staged() -> list[Path]:
        return list(place.shared.glob("infra/.staging/*"))

    os.environ["SWAMP_LOCK_TIMEOUT_MS"] = "1"
    try:
        place.run("data", "put", "m", "x", ".swamp.yaml", "--streaming")
        slow = [
            place.start_with([str(SWAMP), "data", "put", "m", "x", *flags], stdin=subprocess.PIPE) for _ in range(2)
        ]
        for process in slow:
            assert process.stdin is not None
            process.stdin.write("x" * 2_000_000)
        wait_for(lambda: len(staged()) == 2)
        place.run("data", "put", "m", "x", ".swamp.yaml", "--streaming")
        place.run("data", "gc", "-y")
        slow[0].kill()
        slow[0].communicate(timeout=60)
        assert len(staged()) == 2
        place.run("data", "put", "m", "y", ".swamp.yaml")
        assert len(staged()) == 1
        slow[1].communicate("y", timeout=60)
        assert slow[1].returncode == 0
        assert staged() == []
        assert not (place.shared / "infra" / ".staging").exists()
        document = json.loads(place.run("data", "get", "m", "x", "--no-content", "--json"))
        before = (place.repo / ".swamp.yaml").stat().st_size
        assert document["version"] == (2 if flags else 3)
        assert document["size"] == 2_000_001 + (before if flags else 0)
    finally:
        del os.environ["SWAMP_LOCK_TIMEOUT_MS"]


@pytest.mark.parametrize("name", SIGNALS)
def test_signal_ends_a_watch(place: Place, name: str) -> None:
    """A watch of the locks ends with one word, after whole lines."""
    process = place.start("datastore", "lock", "status", "--watch", "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == {"held": False, "datastoreType": "filesystem"}
    process.send_signal(getattr(signal, name))
    assert end(process)[0] == 128 + getattr(signal, name)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_exec_keeps_its_lock_until_the_program_has_ended(place: Place, name: str) -> None:
    """A signal is for the program, which may take its time; only then is the lock given back."""
    program = "trap 'sleep 0.5; test -f \"$LOCK\" && exit 7; exit 8' TERM HUP; echo ready; "
    program += "while :; do sleep 0.05; done"
    os.environ["LOCK"] = str(place.shared / ".locks" / "infra.lock")
    try:
        process = place.start("exec", "--lock", "--", "sh", "-c", program)
    finally:
        del os.environ["LOCK"]
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert place.locks() == ["infra.lock"]
    process.send_signal(getattr(signal, name))
    assert end(process)[0] == 7
    assert place.locks() == []


def test_exec_runs_commands_of_every_kind_under_its_lock(place: Place) -> None:
    """A script that puts, collects, prunes and compacts, two of them at once, and one more `exec --lock` in between."""
    script = "swamp data put m x < /dev/null && swamp data gc -y && swamp exec --lock -- swamp data prune -y"
    script += " && { swamp data gc -y & swamp datastore compact & wait $! && wait; } && swamp data put m x < /dev/null"
    place.run("exec", "--lock", "--", "sh", "-c", script)
    assert json.loads(place.run("data", "versions", "m", "x", "--json"))["versions"][0]["version"] == 2
    assert place.locks() == []


def test_child_of_a_killed_parent_stops_before_its_next_write(place: Place) -> None:
    """The lock died with the parent; a structural child notices, exits 75, and leaves nothing locked."""
    for number in range(1500):
        (place.repo / "src").mkdir(exist_ok=True)
        (place.repo / "src" / f"f{number}").write_text(str(number))
    for _ in range(2):
        place.run("data", "import", "src", "--model", "m")
    for path in (place.shared / "infra").rglob("metadata.yaml"):
        path.write_text(path.read_text().replace("garbageCollection: 10", "garbageCollection: 1"))
    parent = place.start("exec", "--lock", "--", "swamp", "data", "gc", "-y")
    wait_for(lambda: "infra.lock.child" in place.locks(), 60)
    parent.send_signal(signal.SIGKILL)
    # The child has the other end of the pipes: their end is its end.
    _, err = parent.communicate(timeout=120)
    assert "has ended" in err
    assert "infra.lock.child" not in place.locks()
    place.run("data", "gc", "-y")
    assert place.locks() == []


@pytest.mark.holds("I11")
@pytest.mark.timeout(300)
def test_import_that_stood_still_longer_than_its_ttl_tears_nothing(place: Place) -> None:
    """SIGSTOP in the middle of an import; another writer takes over after a TTL; the import then exits 75.

    What it had not published it never publishes, what the successor put stays, and catalog and tree agree.
    """
    (place.repo / "src").mkdir()
    for number in range(3000):
        (place.repo / "src" / f"f{number}").write_text(str(number))
    place.run("model", "create", "command/shell", "m")
    importing = place.start("data", "import", "src", "--model", "m")
    wait_for(lambda: len(list((place.shared / "infra" / "data").glob("*/*/*/f*"))) > 500)
    importing.send_signal(signal.SIGSTOP)
    began = CLOCK.uptime()
    place.run("data", "put", "m", "f1", "src/f2")
    waited = CLOCK.uptime() - began
    print(f"taken over after {waited:.1f} s")
    assert TTL_SECONDS - 1 < waited < TTL_SECONDS + 10
    importing.send_signal(signal.SIGCONT)
    status, err = end(importing)
    assert status == 75, err
    assert ".lock" in err
    assert place.locks() == []
    listed = json.loads(place.run("data", "search", "--json"))
    assert [item["name"] for item in listed["results"]] == ["f1"]
    place.run("data", "get", "m", "f1", "-o", "copy")
    assert (place.repo / "copy").read_text() == "2"
    checked = json.loads(place.run("datastore", "reindex", "--dry-run", "--json"))
    assert (checked["added"], checked["changed"], checked["removed"], checked["problems"]) == (0, 0, 0, [])
    assert not list(place.shared.rglob("*.tmp"))
