"""Reindexing makes catalog and tree equal, ghosts included."""

from pathlib import Path

import pytest

from swampsync.catalog.rows import ArtifactKey
from swampsync.maintenance.reindex import ReindexResult, apply_reindex, plan_reindex
from tests.unit.maintenance.tree import World

KEY = ArtifactKey("infra", "command/shell", "m-1", "state")


def plan(world: World) -> ReindexResult:
    roots = world.refresher.data_roots(world.namespace)
    return plan_reindex(world.disk, world.layout, world.catalog, data_roots=roots)


def damage(world: World) -> None:
    """Make every kind of difference that no stat signature tells of."""
    tree = world.tree()
    for version in (1, 2, 3):
        tree.put("state", version)
    tree.put("log", 1)
    world.refresh()
    row = world.catalog.find_latest(KEY)
    assert row is not None
    world.catalog.load([row._replace(size=99), row._replace(data_name="ghost"), row._replace(model_id="m-9")])
    world.catalog.remove_versions(KEY, [1])
    world.catalog.load([row._replace(version=8, id="x")])


@pytest.mark.holds("I5")
def test_reindex_removes_ghosts_and_mends_rows(world: World) -> None:
    """Rows without files go, missing and wrong ones are mended, and the plan told so before."""
    damage(world)
    planned = plan(world)
    assert (planned.added, planned.changed, planned.removed, planned.total) == (1, 1, 3, 4)
    assert world.catalog.count("infra") == 6
    done = apply_reindex(world.refresher, world.namespace, catalog=world.catalog)
    assert done == planned
    assert done.unchanged == 2
    assert world.rows() == [("log", 1, 1), ("state", 1, 0), ("state", 2, 0), ("state", 3, 1)]
    assert plan(world).is_empty


def test_reindex_reports_what_it_cannot_read(world: World) -> None:
    """A version whose metadata is damaged has no row and is named."""
    world.tree().put("state", 1)
    broken = world.tree().put("state", 2) / "metadata.yaml"
    broken.write_bytes(b"x")
    for result in (plan(world), apply_reindex(world.refresher, world.namespace, catalog=world.catalog)):
        assert [path for path, _ in result.problems] == [str(broken)]
        assert result.total == 1


def test_reindex_plan_writes_nothing(world: World) -> None:
    """Looking changes neither rows nor records."""
    damage(world)
    before = list(world.catalog.rows("infra"))
    feed = world.state.feed.last()
    counts: list[int] = []
    roots = world.refresher.data_roots(world.namespace)
    plan_reindex(world.disk, world.layout, world.catalog, data_roots=roots, progress=counts.append)
    assert sum(counts) == 4
    assert list(world.catalog.rows("infra")) == before
    assert world.state.feed.last() == feed
    assert Path(world.layout.catalog_path()).exists()
