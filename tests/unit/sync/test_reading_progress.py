"""Who reads a long log is told how far that is, stage by stage; a short one is read without a word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from swampsync.sync.progress import Progress
from swampsync.sync.pull import pull
from tests.unit.sync.conftest import Desk, Team
from tests.unit.sync.test_scale import fill


class Screen:
    """Notes what every stage was told."""

    def __init__(self) -> None:
        self.told: dict[str, list[tuple[int, int | None, int | None]]] = {}

    @contextmanager
    def stages(self, title: str) -> Iterator[Progress]:
        def note(done: int, total: int | None = None, size: int | None = None, /) -> None:
            self.told.setdefault(title, []).append((done, total, size))

        yield note


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setattr("swampsync.sync.starting_over._BATCH", 40)
    monkeypatch.setattr("swampsync.sync.cataloguing._CHUNK", 20)
    monkeypatch.setattr("swampsync.sync.pull._MANY_COMMITS", 4)
    return Screen()


def test_new_clone_tells_segments_rows_and_versions(team: Team, screen: Screen) -> None:
    """Segments with their bytes as they come, rows as they are taken in, versions as they are catalogued."""
    fill(team.desk("filler"), 100, parts=3)
    ann = team.desk("ann")
    pull(ann.clone, ann.copy, stages=screen.stages)
    assert list(screen.told) == ["Reading the log", "Taking in the log", "Cataloguing"]
    segments = screen.told["Reading the log"]
    assert [(done, total) for done, total, _ in segments] == [(1, 3), (2, 3), (3, 3)]
    sizes = [size for _, _, size in segments if size is not None]
    assert sizes == sorted(sizes)
    assert sizes[-1] == sum(info.size for info in team.memory.list("") if "_segments/" in info.key.text)
    assert screen.told["Taking in the log"] == [(n, 200, None) for n in (40, 80, 120, 160, 200)]
    assert screen.told["Cataloguing"] == [(n, 100, None) for n in (20, 40, 60, 80, 100)]


def test_many_commits_are_told_one_by_one(pair: tuple[Desk, Desk], screen: Screen) -> None:
    """From a number of commits on each is told, of how many; below nothing is."""
    ann, bob = pair
    bob.pull()
    ann.put("one", "x")
    ann.push()
    pull(bob.clone, bob.copy, stages=screen.stages)
    assert screen.told == {}
    for number in range(4):
        ann.put("one", f"{number}")
        ann.push()
    pull(bob.clone, bob.copy, stages=screen.stages)
    assert screen.told == {"Reading commits": [(n, 4, None) for n in range(1, 5)]}


def test_small_checkpoint_is_read_without_a_word(team: Team) -> None:
    """What is read at once needs no bar, and no library that draws one is loaded for it."""
    fill(team.desk("filler"), 10)
    ann, screen = team.desk("ann"), Screen()
    pull(ann.clone, ann.copy, stages=screen.stages)
    assert screen.told == {}
    assert len(ann.rows()) == 10
