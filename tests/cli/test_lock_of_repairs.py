"""Repairs, compacting, migrating: no lock is held while somebody is asked, and none of them writes without its lock."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from swampsync.cli.console import Console
from swampsync.clock import Spawner
from swampsync.locks.kept import KeptLease
from swampsync.repo.parts import Parts
from swampsync.repo.verifying import BucketVerifier
from tests.cli.conftest import Outcome, Place, Swamp
from tests.cli.test_lock_table import Spy, spy
from tests.cli.test_lost_while_removing import Thief, buckets, repo, thief

__all__ = ["buckets", "repo", "spy", "thief"]


@pytest.fixture
def asked(swamp: Swamp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The locks that there are at each question; the answer is no."""
    found: list[list[str]] = []

    def answer(_console: Console, _question: str, *, is_confirmed: bool) -> bool:
        assert not is_confirmed
        found.append([str(path) for path in tmp_path.rglob("*.lock*")])
        return False

    monkeypatch.setattr(Console, "confirm", answer)
    monkeypatch.setattr(swamp.__globals__["_Input"], "isatty", lambda _: True)
    return found


def make_catalog_wrong(repo: Path) -> None:
    with sqlite3.connect(repo / ".swamp" / "data" / "_catalog.db") as catalog:
        assert catalog.execute("UPDATE catalog SET size = 99").rowcount > 0


def sizes(repo: Path) -> set[int]:
    with sqlite3.connect(repo / ".swamp" / "data" / "_catalog.db") as catalog:
        return {size for (size,) in catalog.execute("SELECT size FROM catalog")}


def test_repair_asks_without_a_lock(
    swamp: Swamp, place: Place, spy: Spy, asked: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a repair would do is found out without a lock; with the answer no, none was ever taken."""
    swamp(place.first, "data", "put", "m", "x", stdin="1").ok()
    monkeypatch.setattr(Parts, "refresh", lambda *_rest, **_more: None)  # it would mend what is as young as this
    make_catalog_wrong(place.first)
    spy.paths.clear()
    swamp(place.first, "datastore", "verify", "--repair")
    assert (asked, spy.paths, sizes(place.first)) == ([[]], [], {99})


def test_migration_asks_without_a_lock(swamp: Swamp, solo: Path, spy: Spy, asked: list[list[str]]) -> None:
    """Nor does a move into a namespace hold either of its two."""
    swamp(solo, "data", "put", "m", "x", stdin="1").ok()
    swamp(solo, "namespace", "set", "infra").ok()
    spy.paths.clear()
    swamp(solo, "namespace", "migrate")
    assert (asked, spy.paths) == ([[]], [])


@pytest.mark.parametrize("command", ["verify --repair --yes", "compact"])
def test_lost_lock_stops_what_rewrites_the_catalog(
    swamp: Swamp, place: Place, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever lost the namespace's lock before the catalog is written leaves it as it is."""
    swamp(place.first, "data", "put", "m", "x", stdin="1").ok()
    monkeypatch.setattr(Parts, "refresh", lambda *_rest, **_more: None)
    make_catalog_wrong(place.first)
    compacted: list[object] = []
    monkeypatch.setattr("swampsync.repo.structural.compact", compacted.append)
    start = KeptLease.start

    def lose(lease: KeptLease, spawn: Spawner) -> None:
        start(lease, spawn)
        Path(lease.key).unlink()

    monkeypatch.setattr(KeptLease, "start", lose)
    outcome = swamp(place.first, "datastore", *command.split())
    assert outcome.status == 75, outcome.err
    assert "nothing was written since" in outcome.err
    assert (compacted, sizes(place.first)) == ([], {99})


def test_lost_lock_stops_the_repair_of_a_clone(
    repo: Callable[..., Outcome], thief: Thief, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a bucket too: the catalog and the state are made anew by whoever has the lock."""
    make_catalog_wrong(tmp_path / "repo")
    plan = BucketVerifier._plan_repair

    def plan_and_lose(verifier: BucketVerifier, *rest: object) -> object:
        found = plan(verifier, *rest)  # type: ignore[arg-type]
        if thief.leases:
            thief.strike()
        return found

    monkeypatch.setattr(BucketVerifier, "_plan_repair", plan_and_lose)
    outcome = repo("datastore", "verify", "--repair", "--yes")
    assert outcome.status == 75, outcome.err
    assert sizes(tmp_path / "repo") == {99}
