from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.repo.moving_yard import FILES, LOCAL, Yard, trusted

__all__ = ["trusted"]
pytestmark = pytest.mark.usefixtures("trusted")

SOURCES = ("local", "old", "old/infra", "s3:team", "s3:team/infra")
TARGETS = ("new", "new/app", "local", "s3:other", "s3:other/app")


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


def is_remote(place: str) -> bool:
    return place.startswith("s3:")


@pytest.mark.holds("I7")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", SOURCES)
def test_data_moves_between_any_two_places(yard: Yard, source: str, target: str) -> None:
    """Every version and file is at the new place as it was, another repo reads it there, and the old place is empty."""
    if source == target:
        target = "new"
    repo = yard.repo()
    if source != "local":
        yard.set_up(repo, source)
    yard.fill(repo)
    before, others = yard.versions(repo), yard.others(repo)
    shown = [(name, count) for name, _, count in yard.shown(repo)]
    assert len(before) == 7
    assert others == FILES
    done: Any = yard.set_up(repo, target)
    assert done.errors == ()
    assert yard.versions(repo) == before
    assert yard.others(repo) == others
    assert [(name, count) for name, _, count in yard.shown(repo)] == shown
    # A second clone of the repo, and one of another repo, read the same at the new place.
    namespace = target.partition("/")[2] or (source.partition("/")[2] if not target.endswith("app") else "app")
    second = yard.root / "second"
    second.mkdir()
    (second / ".swamp.yaml").write_text((repo / ".swamp.yaml").read_text().replace('".swamp"', f'"{repo}/.swamp"'))
    if target != "local" or namespace:
        assert yard.versions(second) == before
        assert yard.others(second) == others
    if source == "local":
        assert yard.left_at(repo / ".swamp") == sorted([*LOCAL, *_copy_of(target, yard, repo)])
    elif not is_remote(source):
        assert yard.left_at(yard.root / "old") == []
    assert {path for path in yard.left_at(repo / ".swamp") if not path.startswith("remote/")} >= set(LOCAL)
    assert not (repo / ".swamp" / "setup").exists()
    # And life goes on, above every number that was ever used.
    yard.put(repo, "state", "four")
    after = yard.versions(repo)
    assert {key: value for key, value in after.items() if key in before} == before
    (new,) = after.keys() - before.keys()
    assert new == ("vpc/state", 4)


def _copy_of(target: str, yard: Yard, repo: Path) -> list[str]:
    if is_remote(target):
        return [path for path in yard.left_at(repo / ".swamp") if path.startswith("remote/")]
    return []
