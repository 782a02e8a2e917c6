"""Whatever changes a clone does so while nobody else can have the clone's lock."""

from __future__ import annotations

import io
import pkgutil
import random
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from swampsync.artifacts.metadata import Metadata
from swampsync.catalog.database import Database
from swampsync.disk import WriteMode
from swampsync.errors import LockTimeout
from swampsync.layout import Layout
from swampsync.locks.clone_lock import CloneLock
from swampsync.log.catch_up import read_state
from swampsync.log.undelete import find_removed
from swampsync.repo.scanning import _Locks
from swampsync.sync.push_plan import PushLimits
from swampsync.sync.scan_run import run_scan
from swampsync.sync.syncer import Syncer
from tests.unit.sync.conftest import MODEL, Desk, Team, draft

CONFIRMED = PushLimits(is_confirmed=True)
WRITE = "a write into the databases"
# What changes the copy, the databases or the log, by where it is called from.
STEPS = {
    "pull": "swampsync.sync.syncer:pull",
    "start over": "swampsync.sync.starting_over:start_over",
    "apply": "swampsync.sync.applying:Applier.apply",
    "renumber": "swampsync.sync.resolving:Resolver.renumber",
    "adopt": "swampsync.sync.adopting:Adopter.adopt",
    "push": "swampsync.sync.push:Pusher.push",
    "hydrate": "swampsync.sync.hydrate:Hydrator.hydrate",
    "require": "swampsync.sync.hydrate:Hydrator.require",
    "restore": "swampsync.sync.restoring:Restorer.restore",
    "take back": "swampsync.sync.taking_back:take_back",
    "record versions": "swampsync.sync.recording:Recorder.versions",
    "record a removal": "swampsync.sync.recording:Recorder.removed",
    "record a file": "swampsync.sync.recording:Recorder.file",
    "remove a version": "swampsync.sync.local_copy:LocalCopy.remove_version",
    "sweep": "swampsync.sync.scan_run:sweep_leftovers",
    "take in a version": "swampsync.sync.taking_in:Intake.take_version",
    "take in a file": "swampsync.sync.taking_in:Intake.take_file",
    "take in removals": "swampsync.sync.taking_in:Intake.take_removals",
}


@dataclass
class Watch:
    """Asks at each step of one desk, as another process of the clone would, whether the lock can be had."""

    path: Path
    desk: Desk
    is_on: bool = True
    inside: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)

    def lock(self) -> CloneLock:
        return CloneLock(str(self.path), clock=self.desk.clock, rng=random.Random(0), wait_seconds=0)

    def note(self, step: str) -> None:
        if not self.is_on:
            return
        try:
            with self.lock().hold():
                self.outside.add(step)
        except LockTimeout:
            self.inside.add(step)

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Let another clone work, which has a lock of its own."""
        self.is_on = False
        yield
        self.is_on = True


@pytest.fixture
def watch(team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch(tmp_path / "_sync.lock", team.desk("ann"))

    def spy(name: str, where: str) -> None:
        step = pkgutil.resolve_name(where)

        def noted(*rest: object, **more: object) -> object:
            watch.note(name)
            return step(*rest, **more)

        monkeypatch.setattr(where.replace(":", "."), noted)

    for name, where in STEPS.items():
        spy(name, where)
    atomic = Database.atomic

    def noted_atomic(database: Database) -> AbstractContextManager[sqlite3.Connection]:
        if database in (watch.desk.state.database, watch.desk.catalog.database):
            watch.note(WRITE)
        return atomic(database)

    monkeypatch.setattr(Database, "atomic", noted_atomic)
    return watch


@dataclass
class Commands:
    """What commands of one clone do, each step as `Syncer` has it."""

    desk: Desk
    syncer: Syncer

    def put(self, name: str, content: str) -> Metadata:
        desk = self.desk
        floor = desk.state.highest.find(desk.key(name))
        written = desk.artifacts.put(MODEL, name, io.BytesIO(content.encode()), draft(), floor=floor)
        return self.syncer.record_versions(MODEL, [written], kind="put")[0]

    def write(self, path: str, content: str) -> None:
        """Write a file, which no command recorded."""
        target = self.desk.copy.path(path)
        self.desk.disk.makedirs(target.rpartition("/")[0])
        with self.desk.disk.open_write(target, WriteMode.TRUNCATE) as file:
            file.write(content.encode())

    def scan(self, *, takes_removals: bool = False) -> None:
        class Guard:
            def model_lock(self, *_: object, **__: object) -> AbstractContextManager[None]:
                return nullcontext()

        self.desk.clock.advance(5)
        locks = _Locks(self.syncer, Guard())  # type: ignore[arg-type]
        run_scan(self.syncer.clone, self.syncer.copy, locks, takes_removals=takes_removals)
        self.desk.clock.advance(5)


def raw(name: str, number: int) -> str:
    return f"{Layout.version_path(MODEL.type, MODEL.id, name, number)}/raw"


def test_every_step_is_done_while_nobody_else_can_have_the_lock(team: Team, watch: Watch) -> None:
    """Pull, push, renumbering, hydration, scans, removals, undeleting and starting over hold the clone's one lock."""
    ann, bob = watch.desk, team.desk("bob")
    syncer = Syncer(ann.clone, watch.lock())
    commands = Commands(ann, syncer)
    syncer.pull()
    with watch.elsewhere():
        for name in ("state", "other", "third"):
            bob.put(name, "bob")
        bob.push()
    assert commands.put("state", "ann").version == 1
    syncer.push()  # renumbers
    assert ann.artifacts.read(MODEL, "state").version == 2
    syncer.require(raw("state", 1))
    syncer.hydrate()
    commands.write("files/notes.txt", "one")
    syncer.record_file("files/notes.txt", kind="put")
    syncer.push()
    syncer.record_removal(MODEL, "other", [1], kind="delete")
    syncer.push(CONFIRMED)
    now = read_state(ann.clone.log)[0]
    syncer.restore(find_removed(ann.clone.log, now=now, since=None, wants=lambda _: True))
    gone = syncer.record_removal_for_now(MODEL, "third", [1], kind="gc")
    assert syncer.take_back(gone) == 1
    # What other programs did: a version that was edited, a file that was changed, one that is gone.
    commands.write(raw("state", 2), "ANN")
    commands.write("files/notes.txt", "two")
    commands.write("files/new.txt", "x")
    commands.scan()
    syncer.push()
    ann.copy.remove("files/new.txt")
    commands.scan(takes_removals=True)
    syncer.adopt_all(kind="setup")
    with watch.elsewhere():  # the bucket is emptied and begun anew
        for key in [info.key for info in team.memory.list("")]:
            team.memory.delete(key)
        other = team.desk("eve")
        other.put("fresh", "eve")
        other.push()
    assert syncer.pull().is_replaced
    assert watch.outside == set()
    assert watch.inside == {*STEPS, WRITE}


def test_steps_without_the_lock_are_seen(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above can fail: with a lock that locks nothing, every step is outside."""

    syncer = Syncer(watch.desk.clone, watch.lock())
    monkeypatch.setattr(syncer._lock, "hold", lambda **_: nullcontext())
    Commands(watch.desk, syncer).put("state", "one")
    syncer.push()
    assert watch.inside == set()
    assert watch.outside >= {"pull", "push", "record versions", WRITE}
