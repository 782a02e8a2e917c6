"""Pruning removes data of models that nothing defines any more; what is not known is live."""

import os
from itertools import count
from pathlib import Path

import pytest

from swampsync.artifacts.definitions import format_definition
from swampsync.artifacts.model import Model
from swampsync.artifacts.tree import Tree as VersionTree
from swampsync.maintenance.prune import LIVE_TYPES, PrunePlan, PruneResult, apply_prune, plan_prune, preview_prune
from tests.unit.maintenance.tree import World


def define(path: Path, model_id: str, name: str = "vpc") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(format_definition(Model("command/shell", model_id, name)))
    return path


def plan(world: World, *members: str) -> PrunePlan:
    world.refresh()
    return plan_prune(world.disk, world.layout, is_home=True, other_members=members)


def apply(world: World, planned: PrunePlan) -> PruneResult:
    numbers = count()
    tree = VersionTree(world.disk, world.clock, world.layout, lambda: f"id-{next(numbers)}")
    return apply_prune(planned, tree=tree, catalog=world.catalog, state=world.state, check=lambda: None)


def models(world: World) -> Path:
    return Path(world.layout.models_path())


def test_model_without_a_definition_is_reclaimed(world: World) -> None:
    """Its artifacts, versions and bytes are counted as swamp counts them, and go with their rows and directories."""
    define(models(world) / "command/shell/vpc.yaml", "m-1")
    world.tree().put("state", 1)
    gone = "command/shell/m-2"
    world.tree().put("state", 1, model=gone, content=b"12345")
    world.tree().put("state", 2, model=gone)
    world.tree().put("old", 1, model=gone, lifecycle="deleted", renamed_to="state")
    planned = plan(world)
    expected = {
        "modelsReclaimed": 1,
        "dataEntriesReclaimed": 1,
        "versionsDeleted": 3,
        "bytesReclaimed": 9,
        "dryRun": True,
        "reclaimedModels": [
            {
                "type": "command/shell",
                "modelId": "m-2",
                "modelName": "vpc",
                "dataNames": ["state"],
                "versionCount": 3,
                "bytesReclaimed": 9,
            }
        ],
        "walPagesTotal": 0,
        "walPagesCheckpointed": 0,
    }
    assert preview_prune(planned).to_json() == expected
    result = apply(world, planned)
    assert result.to_json() == expected | {"dryRun": False}
    assert not (world.tree().root / gone).exists()
    assert world.rows() == [("state", 1, 1)]
    assert plan(world).is_empty


def test_every_source_of_definitions_keeps_a_model_alive(world: World) -> None:
    """The repo's models, the namespace's automatic definitions, workflows, and directories behind links count."""
    for number in range(1, 6):
        world.tree().put("state", 1, model=f"command/shell/m-{number}")
    define(models(world) / "command/shell/a.yaml", "m-1", "a")
    define(Path(world.layout.datastore_path("auto-definitions", "command/shell/b.yaml")), "m-2", "b")
    elsewhere = define(world.base.parent / "elsewhere" / "c.yaml", "m-3", "c").parent
    os.symlink(elsewhere, models(world) / "linked")
    workflows = models(world).parent / "workflows"
    workflows.mkdir()
    (workflows / "workflow-w.yaml").write_text("id: m-4\nname: w\n")
    assert [orphan.model_id for orphan in plan(world).models] == ["m-5"]


@pytest.mark.parametrize("model_type", sorted(LIVE_TYPES))
def test_types_that_need_no_definition_are_live(world: World, model_type: str) -> None:
    """swamp keeps these without a definition."""
    world.tree().put("state", 1, model=f"{model_type}/m-1")
    assert plan(world).is_empty


@pytest.mark.parametrize("content", [b"", b"a: [", b"name: x\n", b"\xff"])
def test_definition_that_cannot_be_read_keeps_everything_alive(world: World, content: bytes) -> None:
    """The unreadable file may have defined any of the models."""
    world.tree().put("state", 1)
    path = define(models(world) / "command/shell/vpc.yaml", "m-9")
    path.write_bytes(content)
    planned = plan(world)
    assert planned.is_empty
    assert [problem.path for problem in planned.problems] == [str(path)]


def test_workflow_that_cannot_be_read_keeps_everything_alive(world: World) -> None:
    """A workflow's data is known by the id in its file."""
    world.tree().put("state", 1, model="workflow/m-1")
    workflows = models(world).parent / "workflows"
    workflows.mkdir(parents=True)
    (workflows / "workflow-w.yaml").write_text("name: w\n")
    planned = plan(world)
    assert planned.is_empty
    assert "has no `id`" in planned.problems[0].reason


def test_shared_namespace_has_no_known_orphans(world: World) -> None:
    """Other members' definitions lie in their repos, and a foreign namespace's in its own."""
    world.tree().put("state", 1)
    assert not plan(world).is_empty
    shared = plan(world, "repo-2")
    assert shared.is_empty
    assert "repo-2" in shared.problems[0].reason
    foreign = plan_prune(world.disk, world.layout, is_home=False)
    assert foreign.is_empty
    assert foreign.problems


def test_model_that_cannot_be_removed_whole_is_not_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is reported and keeps its rows."""
    world.tree().put("a", 1)
    world.tree().put("b", 1)
    planned = plan(world)
    real = world.disk.unlink

    def refuse(path: str) -> None:
        if "/a/1/" in path:
            raise PermissionError(13, "Permission denied", path)
        real(path)

    monkeypatch.setattr(world.disk, "unlink", refuse)
    result = apply(world, planned)
    assert (result.models_reclaimed, result.versions_deleted, len(result.failed)) == (0, 1, 1)
    assert world.rows() == [("a", 1, 1)]
