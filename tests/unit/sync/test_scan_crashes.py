"""A scan that is killed while it takes things in."""

from __future__ import annotations

from contextlib import suppress

import pytest

from swampsync.namespace import SOLO
from swampsync.testing.dying_disk import DyingDisk, Killed
from tests.unit.sync.conftest import Team
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
