"""A scan that is killed while it takes things in."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import pytest

from swampsync.backends.memory import MemoryStore
from swampsync.clock import SystemClock
from swampsync.errors import NotFound
from swampsync.layout import Layout
from swampsync.log.catch_up import read_state
from swampsync.namespace import SOLO
from swampsync.repo import Repo
from swampsync.repo.sync_report import SyncOptions
from swampsync.sync.push_plan import PushLimits
from swampsync.testing.dying_disk import DyingDisk, Killed
from tests.stateful.team import IMMORTAL, Office
from tests.unit.sync.conftest import MODEL, Team
from tests.unit.sync.test_scanning import OUTPUT, path_of, published, scan, swamp_writes, write


@pytest.mark.holds("I11")
def test_scan_survives_a_kill_at_every_step_on_the_disk() -> None:
    """A process killed anywhere while it takes things in loses nothing and doubles nothing; the next scan goes on."""
    lives = 0
    while True:
        team = Team(SOLO)
        ann, bob = team.desk("ann"), team.desk("bob")
        like = published(ann, "state", "one", "two")
        bob.pull()
        bob.hydrate()
        swamp_writes(bob, "state", 1, "other", like)
        write(bob, path_of("state", 2, "raw"), "TWO")
        write(bob, OUTPUT, "x")
        dying = DyingDisk(bob.disk, lives=lives)
        bob.use(bob.store, disk=dying)
        with suppress(Killed):
            scan(bob)
        bob.use(bob.store)
        scan(bob)
        bob.push()
        ann.pull()
        contents = [content for _, content in sorted(ann.versions("state").items())]
        assert contents[:2] == ["one", "two"], lives
        assert sorted(contents[2:]) == ["TWO", "other"], lives
        assert OUTPUT in ann.files()
        assert bob.versions("state") == ann.versions("state")
        team.close()
        if not dying.is_dead:
            break
        lives += 1
    assert lives > 10


@pytest.mark.holds("I11")
def test_what_a_killed_removal_left_is_not_taken_in(tmp_path: Path) -> None:
    """A process killed anywhere while it deletes leaves nothing that a scan brings back once others have deleted it."""
    is_done, confirmed = False, PushLimits(is_confirmed=True)
    lives = 0
    while not is_done:
        office = Office(tmp_path / str(lives), MemoryStore(SystemClock()))
        ann, bob = office.member("ann"), office.member("bob")
        ended: list[bool] = []

        def delete(repo: Repo, ended: list[bool] = ended) -> None:
            with suppress(NotFound):
                repo.data.apply_delete(repo.data.plan_delete("m", name="state", version=1))
            ended.append(True)

        ann.run(lambda repo: repo.data.put("m", "state", io.BytesIO(b"one")))
        bob.run(lambda repo: repo.synchroniser.sync(SyncOptions(hydrate=True)))
        bob.run(delete, lives=lives)
        is_done = bool(ended)
        ann.run(delete, lives=IMMORTAL)
        bob.run(lambda repo: repo.synchroniser.sync(SyncOptions(is_scanning=True, limits=confirmed)))
        state, _ = read_state(office.log())
        assert [row.path for row in state.artifacts()] == [], lives
        assert not list((bob.directory / ".swamp" / "remote").rglob("raw")), lives
        lives += 1
    assert lives > 10


def test_what_a_killed_renumbering_left_is_not_taken_in() -> None:
    """The place that a version had before somebody else took its number is nobody's, also if its owner died there."""
    lives = 0
    while True:
        team = Team(SOLO)
        ann, bob = team.desk("ann"), team.desk("bob")
        ann.put("state", "ann's")
        ann.push()
        ann.delete("state", 1)
        ann.push(PushLimits(is_confirmed=True))
        bob.put("state", "bob's")
        dying = DyingDisk(bob.disk, lives=lives)
        bob.use(bob.store, disk=dying)
        with suppress(Killed):
            bob.pull()
        bob.use(bob.store)
        bob.pull()
        (number,) = bob.versions("state")
        assert number > 1, lives
        bob.recorder.removed(MODEL, "state", [number], kind="delete")
        bob.copy.remove_version(Layout.version_path(MODEL.type, MODEL.id, "state", number))
        scan(bob)
        assert bob.versions("state") == {}, lives
        team.close()
        if not dying.is_dead:
            break
        lives += 1
    assert lives > 3


@pytest.mark.holds("I11")
def test_a_killed_conflict_copy_that_a_scan_takes_in_is_one() -> None:
    """A pull that died after it had copied our file beside theirs, and a scan after it, end in one conflict copy."""
    lives = 0
    while True:
        team = Team(SOLO)
        ann, bob = team.desk("ann"), team.desk("bob")
        ann.write_file(OUTPUT, "ann's")
        ann.push()
        bob.write_file(OUTPUT, "bob's")
        dying = DyingDisk(bob.disk, lives=lives)
        bob.use(bob.store, disk=dying)
        with suppress(Killed):
            bob.pull()
        bob.use(bob.store)
        scan(bob)
        bob.push()
        ann.pull()
        ann.hydrate()
        bob.hydrate()
        (beside,) = set(ann.files()) - {OUTPUT}
        for desk in (ann, bob):
            assert [desk.copy.read(path) for path in (OUTPUT, beside)] == [b"ann's", b"bob's"], lives
        team.close()
        if not dying.is_dead:
            break
        lives += 1
    assert lives > 3
