"""Eight processes, two hundred acquisitions each, with kill -9, SIGSTOP and clocks that are days apart.

The history is one file that every holder appends to. A holder's writes must lie together: as soon as another one has
written, the former must not write again. The one exception is documented in `design/locks.md`: a process that is
stopped for longer than its TTL between the look at its lease and the write that follows; the history tells how long
that took, and such a step is counted instead of judged.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from swampsync.clock import SystemClock
from swampsync.testing.s3_side_channel import S3Server

WORKERS = 8
TTL_SECONDS = 2.0
HEARTBEAT_SECONDS = 0.5
STOP_SECONDS = 3.0
HEAL_SECONDS = TTL_SECONDS + 2.0
DAY = 86_400.0
CLOCK = SystemClock()


@dataclass
class Crowd:
    """The processes, and what was done to them."""

    settings: dict[str, Any]
    acquisitions: int
    rng: random.Random
    directory: Path
    workers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    done: dict[int, int] = field(default_factory=dict)
    kills: list[float] = field(default_factory=list)
    stopped: dict[int, float] = field(default_factory=dict)
    stops: int = 0

    def start(self, number: int) -> None:
        """Start a worker, or start it again after it was killed."""
        settings = self.settings | {
            "number": number,
            "seed": self.rng.randrange(2**32),
            "acquisitions": self.acquisitions - self.done.get(number, 0),
            # Half of them share this host and see each other's pids; the others are strangers.
            "host": f"host-{number}" if number % 2 else "",
            "skew_seconds": (number - WORKERS // 2) * DAY / 2,
        }
        script = Path(__file__).with_name("lock_worker.py")
        with (self.directory / f"progress-{number}").open("ab") as progress:
            self.workers[number] = subprocess.Popen(
                [sys.executable, str(script), json.dumps(settings)], stdout=progress, cwd=Path(__file__).parents[2]
            )

    def running(self) -> list[int]:
        """Name the workers that have not finished."""
        return [number for number, worker in self.workers.items() if worker.poll() is None]

    def kill(self, number: int) -> None:
        """Kill a worker, and start it again for what it had not done."""
        worker = self.workers[number]
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        self.kills.append(CLOCK.uptime())
        self.stopped.pop(number, None)
        lines = (self.directory / f"progress-{number}").read_bytes().splitlines()
        self.done[number] = self.done.get(number, 0) + (int(lines[-1]) if lines else 0)
        (self.directory / f"progress-{number}").write_bytes(b"")
        if self.done[number] < self.acquisitions:
            self.start(number)

    def stop(self, number: int) -> None:
        """Stop a worker for longer than its TTL."""
        self.workers[number].send_signal(signal.SIGSTOP)
        self.stopped[number] = CLOCK.uptime()
        self.stops += 1

    def resume_due(self) -> None:
        """Let those go on that were stopped for long enough."""
        for number, since in list(self.stopped.items()):
            if CLOCK.uptime() - since > STOP_SECONDS:
                self.workers[number].send_signal(signal.SIGCONT)
                del self.stopped[number]

    def run(self, *, kills: int, stops: int) -> None:
        """Let everybody finish, and hurt somebody now and then, mostly whoever holds the lock."""
        for number in range(WORKERS):
            self.start(number)
        CLOCK.sleep(1.0)
        try:
            while running := self.running():
                self.resume_due()
                free = [number for number in running if number not in self.stopped]
                holder = self.last_writer()
                victim = holder if holder in free and self.rng.random() < 0.7 else self.rng.choice(free or running)
                if len(self.kills) < kills and self.rng.random() < 0.5 and victim in free:
                    self.kill(victim)
                elif self.stops < stops and victim in free and not self.stopped:
                    self.stop(victim)
                CLOCK.sleep(self.rng.uniform(0.2, 0.8))
        finally:
            for worker in self.workers.values():
                if worker.poll() is None:
                    worker.send_signal(signal.SIGKILL)
                worker.wait()

    def last_writer(self) -> int | None:
        """Say who wrote last, which is most probably who holds the lock."""
        lines = read_history(self.directory / "history")
        return int(lines[-1]["worker"]) if lines else None


def read_history(path: Path) -> list[dict[str, Any]]:
    """Read whole lines; a killed worker never leaves half a line, because each is one write."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def find_overlaps(lines: list[dict[str, Any]]) -> tuple[list[str], int]:
    """Find holders that wrote after another one had; also count steps in which a process stood still."""
    lengths = {(e["nonce"], e["began"]): e["at"] - e["began"] for e in lines if e["event"] == "written"}
    current, over, overlaps, in_doubt = "", set[str](), [], 0
    for line in lines:
        if line["event"] != "write":
            continue
        if line["nonce"] == current:
            continue
        if line["nonce"] in over:
            # A step that never ended was cut by a kill; how long it took, nobody knows.
            if lengths.get((line["nonce"], line["began"]), STOP_SECONDS) > TTL_SECONDS - 1.5 * HEARTBEAT_SECONDS:
                in_doubt += 1
                continue
            overlaps.append(f"{line['nonce']} of worker {line['worker']} wrote again after {current}")
        if current:
            over.add(current)
        current = line["nonce"]
    return overlaps, in_doubt


def find_slow_heals(lines: list[dict[str, Any]], kills: list[float]) -> list[str]:
    """Find kills after which nobody wrote for too long, although there was work to do."""
    times = sorted(e["at"] for e in lines if e["event"] == "write")
    slow = []
    for killed_at in kills:
        following = [t for t in times if t > killed_at]
        if following and following[0] - killed_at > HEAL_SECONDS:
            slow.append(f"{following[0] - killed_at:.1f} s")
    return slow


def check_history(tmp_path: Path, settings: dict[str, Any], *, acquisitions: int, kills: int, stops: int) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    crowd = Crowd(
        settings
        | {
            "history": str(tmp_path / "history"),
            "ttl_seconds": TTL_SECONDS,
            "heartbeat_seconds": HEARTBEAT_SECONDS,
        },
        acquisitions,
        random.Random(seed),
        tmp_path,
    )
    began = CLOCK.uptime()
    crowd.run(kills=kills, stops=stops)
    lines = read_history(tmp_path / "history")
    overlaps, in_doubt = find_overlaps(lines)
    holders = len({e["nonce"] for e in lines})
    print(
        f"{CLOCK.uptime() - began:.1f} s, {holders} holders, {len(lines)} lines, {len(crowd.kills)} kills, "
        f"{crowd.stops} stops, {in_doubt} steps in doubt"
    )
    assert all(worker.returncode == 0 for worker in crowd.workers.values())
    assert overlaps == []
    assert find_slow_heals(lines, crowd.kills) == []
    assert holders >= WORKERS * acquisitions
    # A quick machine may be through with its work before everybody was hurt; most must have been.
    assert len(crowd.kills) > kills // 2
    assert crowd.stops >= stops // 2


def event(nonce: str, began: float, at: float, kind: str = "write") -> dict[str, Any]:
    return {"event": kind, "worker": 1, "nonce": nonce, "began": began, "at": at}


def test_checker_finds_what_it_looks_for() -> None:
    """A holder that writes again after another one is found; one that stood still in a step is counted."""
    good = [event("a", 0, 0), event("a", 0, 0.1, "written"), event("b", 1, 1), event("b", 1, 1.1, "written")]
    assert find_overlaps(good) == ([], 0)
    again = [event("a", 2, 2), event("a", 2, 2.1, "written")]
    overlaps, in_doubt = find_overlaps(good + again)
    assert (len(overlaps), in_doubt) == (1, 0)
    stood_still = [event("a", 0.2, 4), event("a", 0.2, 4.1, "written")]
    assert find_overlaps(good + stood_still) == ([], 1)
    assert find_slow_heals(good, [0.5]) == []
    assert find_slow_heals([*good, event("c", 9, 9)], [2.0]) == ["7.0 s"]


@pytest.mark.timeout(300)
def test_directory_holders_never_overlap(tmp_path: Path) -> None:
    """On a directory no two holders overlap, and every kill heals within the TTL and two seconds."""
    key = str(tmp_path / "shared" / ".locks" / "infra.lock")
    check_history(tmp_path, {"key": key}, acquisitions=200, kills=10, stops=6)
    names = {path.name for path in (tmp_path / "shared" / ".locks").iterdir()}
    assert not any(name.startswith(".takeover-") for name in names)


@pytest.mark.timeout(900)
def test_bucket_holders_never_overlap(tmp_path: Path, s3_server: S3Server, s3_bucket: str) -> None:
    """In a bucket the same holds, although there the lock is only courtesy."""
    bucket = {
        "name": s3_server.name,
        "endpoint": s3_server.endpoint,
        "access_key_id": s3_server.keys.access_key_id,
        "secret": s3_server.keys.secret_access_key,
        "bucket": s3_bucket,
        "prefix": "history",
    }
    settings = {"key": ".locks/infra.lock", "bucket": bucket}
    check_history(tmp_path, settings, acquisitions=200, kills=10, stops=6)
