"""Processes that take one lock again and again, and somebody who kills and stops them.

Holders are hurt by themselves, at places that were chosen (`hurting`). Others are hurt from outside, whatever they are
doing, whenever the crowd has done a certain share of its work.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from integration.locks.hurting import Hurt
from integration.locks.lock_history import Kill
from swampsync.clock import SystemClock

WORKERS: Final = 8
STOP_SECONDS: Final = 3.0  # longer than the TTL
CLOCK: Final = SystemClock()
_READY_SECONDS: Final = 60.0
_DAY: Final = 86_400.0


@dataclass
class Crowd:
    """The processes, and what was done to them.

    Args:
        settings: What all workers are told.
        acquisitions: How often each takes the lock.
        rng: Chooses whom to hurt, and when.
        directory: Where the workers' progress is noted.
        hurts: What workers do to themselves, as far as they have not done it yet.
    """

    settings: dict[str, Any]
    acquisitions: int
    rng: random.Random
    directory: Path
    hurts: dict[int, Hurt]
    workers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    kills: list[Kill] = field(default_factory=list)  # from outside
    own_kills: int = 0
    stopped: dict[int, float] = field(default_factory=dict)
    stops: int = 0

    def run(self, *, kills: int, stops: int) -> None:
        """Let everybody finish, and hurt so many of them from outside, spread over all of the work."""
        everything = WORKERS * self.acquisitions
        outside = sorted((self.rng.uniform(0.05, 0.9) * everything, n < kills) for n in range(kills + stops))
        for number in range(WORKERS):
            self.start(number)
        try:
            self.wait_until_ready()
            while self.tend():
                if outside and self.count_all() >= outside[0][0] and (free := self.find_free()):
                    _, is_kill = outside.pop(0)
                    (self.kill if is_kill else self.stop)(self.rng.choice(free))
                CLOCK.sleep(0.05)
        finally:
            for worker in self.workers.values():
                if worker.poll() is None:
                    worker.send_signal(signal.SIGKILL)
                worker.wait()

    def start(self, number: int) -> None:
        """Start a worker, or start it again after it was killed."""
        settings = self.settings | {
            "number": number,
            "seed": self.rng.randrange(2**32),
            "acquisitions": self.acquisitions,
            "done": max(0, self.count_done(number)),
            "hurts": [list(asdict(self.hurts[number]).values())] if number in self.hurts else [],
            # Half of them share this host and see each other's pids; the others are strangers.
            "host": f"host-{number}" if number % 2 else "",
            "skew_seconds": (number - WORKERS // 2) * _DAY / 2,
        }
        with (self.directory / f"progress-{number}").open("ab") as progress:
            self.workers[number] = subprocess.Popen(
                [sys.executable, "-m", "integration.locks.lock_worker", json.dumps(settings)],
                stdout=progress,
                cwd=Path(__file__).parents[2],
            )

    def count_done(self, number: int) -> int:
        """Say how often a worker has given the lock back; -1 as long as it never was ready."""
        with suppress(FileNotFoundError):
            lines = (self.directory / f"progress-{number}").read_bytes().splitlines()
            return int(lines[-1]) if lines else -1
        return -1

    def count_all(self) -> int:
        """Say how often all of them have given the lock back."""
        return sum(max(0, self.count_done(number)) for number in self.workers)

    def find_free(self) -> list[int]:
        """Name the workers that may be hurt: all that run."""
        return [n for n, worker in self.workers.items() if worker.poll() is None and n not in self.stopped]

    def kill(self, number: int) -> None:
        """Kill a worker, and start it again for what it had not done."""
        worker = self.workers[number]
        self.kills.append(Kill(worker.pid, CLOCK.uptime()))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        self.start(number)

    def stop(self, number: int) -> None:
        """Stop a worker for longer than its TTL."""
        self.workers[number].send_signal(signal.SIGSTOP)
        self.stopped[number] = CLOCK.uptime()
        self.stops += 1

    def tend(self) -> bool:
        """Start again who has killed itself, let go on who was stopped for long enough; say whether any still runs."""
        for number, worker in list(self.workers.items()):
            status = worker.poll()
            if status == -signal.SIGKILL:
                self.own_kills += 1
                del self.hurts[number]
                self.start(number)
            elif status is None and self._has_stopped_itself(number):
                del self.hurts[number]
                self.stopped[number] = CLOCK.uptime()
                self.stops += 1
            if number in self.stopped and CLOCK.uptime() - self.stopped[number] > STOP_SECONDS:
                worker.send_signal(signal.SIGCONT)
                del self.stopped[number]
        return any(worker.poll() is None or worker.returncode == -signal.SIGKILL for worker in self.workers.values())

    def wait_until_ready(self) -> None:
        """Let the workers begin when all of them can."""
        deadline = CLOCK.uptime() + _READY_SECONDS
        while min(self.count_done(number) for number in self.workers) < 0:
            assert CLOCK.uptime() < deadline, "the workers did not start"
            CLOCK.sleep(0.02)
        Path(self.settings["go"]).touch()

    def _has_stopped_itself(self, number: int) -> bool:
        with suppress(ChildProcessError):  # it has just ended
            seen = os.waitid(os.P_PID, self.workers[number].pid, os.WSTOPPED | os.WNOHANG)
            return seen is not None and number not in self.stopped
        return False
