"""Migration into a namespace and back, killed before each of its writing operations."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from swampsync.disk import LocalDisk
from swampsync.repo import Repo, World
from swampsync.testing.dying_disk import DyingDisk, Killed
from tests.faults.kill_scenarios import DEAD_PID, make_repo, no_thread, prepare, snapshot


@pytest.mark.holds("I2")
@pytest.mark.holds("I7")
@pytest.mark.parametrize("is_reverse", [False, True], ids=["forth", "back"])
def test_a_killed_migration_is_gone_on_with(tmp_path: Path, *, is_reverse: bool) -> None:
    """Whatever was moved before the kill, running it again brings every version to the other side."""
    template = tmp_path / "template"
    template.mkdir()
    make_repo(template / "repo", None)
    prepare(template / "repo")
    with Repo.open(str(template / "repo")) as repo:
        before = snapshot(repo)
        repo.namespaces.set("infra")
    if is_reverse:
        with Repo.open(str(template / "repo")) as repo:
            repo.namespaces.migrator.migrate()
    lives = 0
    while True:
        place = tmp_path / "run"
        shutil.copytree(template, place, symlinks=True)
        directory = str(place / "repo")
        config = place / "repo" / ".swamp.yaml"
        config.write_text(config.read_text().replace(str(template), str(place)))
        disk = DyingDisk(LocalDisk(), lives=lives)
        repo = Repo.open(directory, world=World(disk=disk, pid=DEAD_PID, spawn=no_thread))
        try:
            repo.namespaces.migrator.migrate(is_reverse=is_reverse)
        except Killed:
            pass
        finally:
            repo.close()
        with Repo.open(directory) as repo:
            repo.namespaces.migrator.migrate(is_reverse=is_reverse)
            assert repo.namespaces.migrator.plan(is_reverse=is_reverse).plan.is_empty
            if is_reverse:
                repo.namespaces.unset()
        with Repo.open(directory) as repo:
            assert snapshot(repo) == before, lives
            repo.data.list_models()
            assert repo.structural.reindex(is_dry_run=True).is_empty, lives
        if not disk.is_dead:
            break
        shutil.rmtree(place)
        lives += 1
    assert lives > 10
