"""`--no-sync` and `autoSync: false`: what removes and renames stays pending too, until a sync publishes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, Swamp
from tests.cli.memory_team import Team, put


@pytest.fixture
def team(swamp: Swamp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    return Team(swamp, tmp_path).installed(monkeypatch)


def names(run: Callable[..., Outcome]) -> set[str]:
    listed = run("data", "search", "--json").ok().json
    return {item["name"] for item in listed["results"]}


def data_of(team: Team) -> set[str]:
    """Name the objects that are no locks."""
    return {key for key in list(team.buckets.keys()) if not key.endswith(".lock")}


DELETE = ("data", "delete", "vpc", "one", "-y")
RENAME = ("data", "rename", "vpc", "one", "three")
GC = ("data", "gc", "-y")


@pytest.mark.parametrize(
    ("namespace", "is_flag", "words", "left"),
    [
        ("", True, DELETE, {"two", "kept"}),
        ("infra", False, RENAME, {"two", "three", "kept"}),
        ("infra", True, GC, {"two", "kept"}),
    ],
    ids=["delete", "rename, by configuration", "gc"],
)
def test_removal_is_seen_by_others_after_the_sync(
    team: Team, *, namespace: str, is_flag: bool, words: tuple[str, ...], left: set[str]
) -> None:
    """Here it is done at once, in the bucket at most a lock is taken, and others see it once it was published."""
    ann, bob = (team.repo(name, namespace, "" if is_flag else "  autoSync: false\n") for name in ("ann", "bob"))
    put(ann, "one", *(("--lifetime", "1h") if "gc" in words else ()))
    put(ann, "two")
    put(ann, "kept")
    ann("datastore", "sync").ok()
    bob("datastore", "sync").ok()
    team.clock.advance(7_200)
    before = data_of(team)
    team.calls.clear()
    ann(*words, *(("--no-sync",) if is_flag else ())).ok()
    assert team.calls == [] or "gc" in words  # which takes the structural lock
    assert data_of(team) == before
    assert names(ann) == left
    bob("datastore", "sync").ok()
    assert names(bob) == {"one", "two", "kept"}
    report = ann("datastore", "sync", "--json").ok().json
    assert report["removalsPushed"] == (0 if "rename" in words else 1)
    bob("datastore", "sync").ok()
    assert names(bob) == left
