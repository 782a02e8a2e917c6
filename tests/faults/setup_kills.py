"""A set-up with data, killed at a chosen step: what must hold at once, and what after it was run again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from swampsync.disk import LocalDisk
from swampsync.errors import SwampsyncError
from swampsync.testing.dying_disk import DyingDisk, Killed
from swampsync.testing.faulty_store import Call, Fault, Faulty, SimulatedCrash
from tests.unit.repo.moving_yard import Yard

# A process that is certainly gone: its locks are taken over at once.
DEAD_PID = (1 << 22) - 1


class Scene:
    """A repo with a little of everything at one place, about to move to another."""

    def __init__(self, root: Path, source: str, target: str) -> None:
        self.root = root
        self.source, self.target = source, target
        self.yard = Yard(root)
        self.repo = self.yard.repo()
        if source != "local":
            self.yard.set_up(self.repo, source)
        self.yard.put(self.repo, "state", "one", "two")
        self.yard.write_files(self.repo, {"audit/commands.jsonl": b'{"a":1}\n'})
        self.before = self.yard.versions(self.repo)
        self.others = self.yard.others(self.repo)

    def run(self, *, disk: DyingDisk | None = None) -> None:
        """Set the new place up; die there if the disk or the server says so."""
        world = self.yard.world(disk, pid=DEAD_PID)
        with suppress(Killed, SimulatedCrash, SwampsyncError):
            self.yard.set_up(self.repo, self.target, world=world)

    def check_in_between(self, what: object, *, puts: bool) -> None:
        """Whatever the configuration says now: everything is read there, and work goes on."""
        assert self.yard.versions(self.repo) == self.before, what
        if puts:
            self.yard.put(self.repo, "state", "between")
            self.before = self.yard.versions(self.repo)
            assert len(self.before) == 3, what

    def check_after(self, what: object) -> None:
        """The same command again ends as if undisturbed: everything once, nothing left behind."""
        with suppress(SwampsyncError):  # a directory that is in use already says so
            self.yard.set_up(self.repo, self.target)
        assert self.yard.versions(self.repo) == self.before, what
        assert self.yard.others(self.repo) == self.others, what
        with self.yard.open(self.repo) as repo:
            config = repo.config
        place = self.target.partition("/")[0].replace("local", ".swamp")
        assert str(getattr(config.datastore, "bucket", "") or getattr(config.datastore, "path", "")).endswith(
            place.removeprefix("s3:")
        ), what
        left = self.yard.left_at(self.repo / ".swamp")
        litter = ("setup",) if self.target == "local" else ("setup", "data/")
        assert not [path for path in left if path.startswith(litter)], (what, left)
        # A command between the configuration and the databases finds another log, and keeps what it knew aside.
        known = {body for _, body in self.before.values()} | {*self.others.values()}
        for path in left:
            if path.startswith("kept-aside/") and "auto-definitions" not in path:
                assert (self.repo / ".swamp" / path).read_bytes() in known, (what, path)
        if self.source == "old":
            left = self.yard.left_at(self.root / "old")
            assert not [path for path in left if not path.startswith(".")], (what, left)  # locks of the dead
        published = self.yard.server.keys("other") if self.target.startswith("s3:") else []
        claims = [key for key in published if key.endswith("/metadata.yaml")]
        assert len(claims) in {0, len(self.before)}, (what, claims)


def kill_on_disk(root: Path, source: str, target: str, *, first: int, stride: int, puts: bool = False) -> int:
    """Kill a set-up before its writing operations `first`, `first + stride`, …; return how many it has."""
    lives = first
    while True:
        place = root / f"run-{lives}"
        place.mkdir()
        scene = Scene(place, source, target)
        disk = DyingDisk(LocalDisk(), lives=lives)
        scene.run(disk=disk)
        scene.check_in_between(lives, puts=puts)
        scene.check_after(lives)
        shutil.rmtree(place)
        if not disk.is_dead:
            return disk.operations
        lives += stride


def fail_requests(root: Path, source: str, target: str, fault: Fault, *, is_hit: Callable[[Call, int], bool]) -> int:
    """Let requests go wrong, one a run, as `is_hit` says of a call and the number of the run; return how many did."""
    number = 0
    while True:
        place = root / f"run-{number}"
        place.mkdir()
        scene = Scene(place, source, target)
        hits = 0

        def plan(call: Call, number: int = number) -> Fault | None:
            nonlocal hits
            if hits or not is_hit(call, number):
                return None
            hits += 1
            return fault

        scene.yard.server.wrap = lambda store, plan=plan: Faulty(store, plan)  # type: ignore[misc]
        scene.run()
        scene.yard.server.wrap = lambda store: store
        scene.check_in_between(number, puts=False)
        scene.check_after(number)
        shutil.rmtree(place)
        if not hits:
            return number
        number += 1


def counting(*, stride: int) -> Callable[[Call, int], bool]:
    """Hit request 0 in the first run, request `stride` in the second, and so on."""
    seen: dict[int, int] = {}

    def is_hit(_call: Call, number: int) -> bool:
        seen[number] = seen.get(number, -1) + 1
        return seen[number] == number * stride

    return is_hit


def at_first_commit(call: Call, number: int) -> bool:
    """Hit the put of the first commit, in the first run."""
    return number == 0 and call.method == "put" and "_log/" in call.key
