"""Garbage collection removes what lifetimes and policies say, and never more."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from swampsync.artifacts.metadata import Owner
from swampsync.artifacts.tree import Tree as VersionTree
from swampsync.catalog.rows import ArtifactKey
from swampsync.errors import LeaseLost
from swampsync.maintenance.gc import GcPlan, GcResult, apply_gc, make_run_lookup, plan_gc, preview_gc
from tests.unit.maintenance.tree import World

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OLD = "2026-10-01T09:00:00.000Z"
WORKFLOW = "00000000-0000-4000-8000-00000000f001"
RUN = "00000000-0000-4000-8000-00000000f002"
RUN_OWNER = Owner("workflow-step", "ref", workflow_id=WORKFLOW, workflow_run_id=RUN)


def plan(world: World) -> GcPlan:
    world.refresh()
    lookup = make_run_lookup(world.disk, world.layout)
    return plan_gc(world.disk, world.layout, world.catalog, now=NOW, run_exists=lookup)


def version_tree(world: World) -> VersionTree:
    numbers = count()
    return VersionTree(world.disk, world.clock, world.layout, lambda: f"id-{next(numbers)}")


def apply(world: World, planned: GcPlan, check: Callable[[], None] = lambda: None) -> GcResult:
    return apply_gc(planned, tree=version_tree(world), catalog=world.catalog, state=world.state, check=check)


def on_disk(world: World) -> list[str]:
    root = world.tree().root
    return sorted(str(p.parent.relative_to(root / "command/shell/m-1")) for p in root.rglob("metadata.yaml"))


def test_version_cap_keeps_the_newest(world: World) -> None:
    """With a cap of two, the two newest of five stay, on disk and in the catalog; others are untouched."""
    for version in range(1, 6):
        world.tree().put("state", version, garbage_collection=2, content=b"x" * version)
    world.tree().put("log", 1, garbage_collection=1)
    world.tree().put("free", 1)
    world.tree().put("free", 2)
    planned = plan(world)
    assert [(d.name, d.versions, d.size) for d in planned.excess] == [("state", (1, 2, 3), 6)]
    assert planned.to_json() == {
        "expiredDataCount": 0,
        "expiredData": [],
        "versionGcModelCount": 1,
        "versionGcVersionCount": 3,
        "versionGcData": [{"type": "command/shell", "modelId": "m-1", "dataName": "state", "versionCount": 3}],
    }
    result = apply(world, planned)
    assert (result.versions_deleted, result.bytes_reclaimed, result.failed) == (3, 6, ())
    assert on_disk(world) == ["free/1", "free/2", "log/1", "state/4", "state/5"]
    assert world.rows() == [("free", 1, 0), ("free", 2, 1), ("log", 1, 1), ("state", 4, 0), ("state", 5, 1)]
    assert plan(world).is_empty


def test_dry_run_and_run_say_the_same(world: World) -> None:
    """The dry run's document is the run's, but for the flag and the checkpoint."""
    for version in range(1, 4):
        world.tree().put("state", version, garbage_collection=1)
    world.tree().put("temp", 1, lifetime="1h", created_at=OLD)
    planned = plan(world)
    before = preview_gc(planned).to_json()
    after = apply(world, planned).to_json()
    assert before == {
        "dataEntriesExpired": 1,
        "versionsDeleted": 2,
        "bytesReclaimed": 6,
        "dryRun": True,
        "expiredEntries": [
            {
                "type": "command/shell",
                "modelId": "m-1",
                "dataName": "temp",
                "reason": "duration-expired",
                "versionCount": 1,
            }
        ],
        "walPagesTotal": 0,
        "walPagesCheckpointed": 0,
    }
    assert after == before | {"dryRun": False}


def test_expired_artifact_goes_whole_and_is_counted_once(world: World) -> None:
    """An artifact that is expired and over its cap is in the first count and not in the second."""
    for version in (1, 2, 3):
        world.tree().put("temp", version, lifetime="30d", garbage_collection=1, created_at=OLD)
    world.tree().put("young", 1, lifetime="30d", created_at="2026-11-20T09:00:00.000Z")
    planned = plan(world)
    assert [(d.name, d.versions, d.reason) for d in planned.expired] == [("temp", (1, 2, 3), "duration-expired")]
    assert planned.excess == ()
    result = apply(world, planned)
    assert (result.artifacts_expired, result.versions_deleted) == (1, 0)
    assert not (world.tree().root / "command/shell/m-1/temp").exists()
    assert world.rows() == [("young", 1, 1)]


def test_latest_version_decides_on_expiry(world: World) -> None:
    """Old versions of an artifact whose newest is young stay."""
    world.tree().put("temp", 1, lifetime="30d", created_at=OLD)
    world.tree().put("temp", 2, lifetime="30d", created_at="2026-11-20T09:00:00.000Z")
    assert plan(world).is_empty


@pytest.mark.parametrize(("lifetime", "reason"), [("workflow", "workflow-deleted"), ("job", "job-deleted")])
def test_lifetime_of_a_run_ends_with_its_file(world: World, lifetime: str, reason: str) -> None:
    """Data of a run lives as long as the run's file; without the run's ids it lives on."""
    world.tree().put("a", 1, lifetime=lifetime, owner=RUN_OWNER)
    world.tree().put("b", 1, lifetime=lifetime)
    runs = Path(world.layout.datastore_path("workflow-runs", WORKFLOW))
    runs.mkdir(parents=True)
    (runs / f"workflow-run-{RUN}.yaml").write_text("x: 1\n")
    assert plan(world).is_empty
    (runs / f"workflow-run-{RUN}.yaml").unlink()
    assert [(d.name, d.reason) for d in plan(world).expired] == [("a", reason)]


def test_steps_are_counted_apart(world: World) -> None:
    """With a cap of two, a step that wrote once keeps its version although another wrote three times since."""
    world.tree().put("state", 1, step="a", garbage_collection=2)
    for version in (2, 3, 4):
        world.tree().put("state", version, step="b", garbage_collection=2)
    planned = plan(world)
    assert [d.versions for d in planned.excess] == [(2,)]
    apply(world, planned)
    assert world.rows() == [("state", 1, 1), ("state", 3, 0), ("state", 4, 1)]


def test_age_policy_never_takes_the_newest(world: World) -> None:
    """Versions older than the policy go, but never the last one."""
    for version in (1, 2):
        world.tree().put("state", version, garbage_collection="7d", created_at=OLD)
    planned = plan(world)
    assert [d.versions for d in planned.excess] == [(1,)]


def test_old_name_of_a_rename_is_collected_by_its_cap(world: World) -> None:
    """History under a tombstone is collected like any other; the tombstone stays and goes on forwarding."""
    for version in (1, 2, 3):
        world.tree().put("old", version, garbage_collection=1)
    world.tree().put("old", 4, garbage_collection=1, lifecycle="deleted", renamed_to="new")
    world.tree().put("new", 1, garbage_collection=1)
    planned = plan(world)
    assert [(d.name, d.versions) for d in planned.excess] == [("old", (1, 2))]
    apply(world, planned)
    assert on_disk(world) == ["new/1", "old/3", "old/4"]
    assert world.rows() == [("new", 1, 1)]


def test_deletion_marker_is_never_expired(world: World) -> None:
    """A marker says that something is gone, and goes on saying so."""
    world.tree().put("state", 1, lifetime="1h", created_at=OLD)
    world.tree().put("state", 2, lifetime="1h", created_at=OLD, lifecycle="deleted")
    assert plan(world).expired == ()


def test_empty_claims_are_swept_and_their_numbers_stay_used(world: World) -> None:
    """Numbers that dead writers claimed go, with their temporary files; content without metadata stays."""
    tree = world.tree()
    tree.put("state", 1)
    artifact = tree.root / tree.model / "state"
    (artifact / "2").mkdir()
    (artifact / "3").mkdir()
    (artifact / "3" / ".raw.x.tmp").write_bytes(b"half")
    (artifact / "4").mkdir()
    (artifact / "4" / "raw").write_bytes(b"whole")
    (artifact / "5").mkdir()
    planned = plan(world)
    assert [d.versions for d in planned.claims] == [(2, 3, 5)]
    result = apply(world, planned)
    assert (result.claims_swept, result.versions_deleted, result.bytes_reclaimed) == (3, 0, 0)
    assert sorted(p.name for p in artifact.iterdir()) == ["1", "4", "latest"]
    assert world.state.highest.find(ArtifactKey("infra", "command/shell", "m-1", "state")) == 5


def test_version_that_cannot_be_read_is_kept_and_reported(world: World) -> None:
    """What cannot be judged is not collected, and an artifact with such a version does not expire."""
    broken = world.tree().put("temp", 1, lifetime="1h", created_at=OLD)
    (broken / "metadata.yaml").write_bytes(b"")
    world.tree().put("temp", 2, lifetime="1h", created_at=OLD)
    planned = plan(world)
    assert planned.is_empty
    assert [problem.path for problem in planned.problems] == [str(broken / "metadata.yaml")]


def test_row_of_a_version_that_cannot_be_removed_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing removal is reported with its path, its row stays, and the rest is collected."""
    for name in ("a", "b"):
        for version in (1, 2):
            world.tree().put(name, version, garbage_collection=1)
    planned = plan(world)
    real = world.disk.unlink

    def refuse(path: str) -> None:
        if "/a/1/" in path:
            raise PermissionError(13, "Permission denied", path)
        real(path)

    monkeypatch.setattr(world.disk, "unlink", refuse)
    result = apply(world, planned)
    assert result.versions_deleted == 1
    assert [(Path(path).parts[-2:], reason) for path, reason in result.failed] == [(("a", "1"), "Permission denied")]
    assert world.rows() == [("a", 1, 0), ("a", 2, 1), ("b", 2, 1)]


@pytest.mark.holds("I11")
def test_lost_lease_stops_before_the_next_step(world: World) -> None:
    """After the lease is lost nothing more is removed, and the rows are those of what is left."""
    for version in (1, 2, 3, 4):
        world.tree().put("state", version, garbage_collection=1)
    planned = plan(world)
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if not (world.tree().root / "command/shell/m-1/state/1").exists():
            raise LeaseLost("lost")

    with pytest.raises(LeaseLost):
        apply(world, planned, check)
    assert calls > 1
    assert on_disk(world) == ["state/2", "state/3", "state/4"]
    assert [version for _, version, _ in world.rows()] == [2, 3, 4]


def test_version_written_after_the_plan_is_not_removed(world: World) -> None:
    """An expired artifact that got a new version meanwhile keeps that version."""
    world.tree().put("temp", 1, lifetime="1h", created_at=OLD)
    planned = plan(world)
    world.tree().put("temp", 2, lifetime="1h")
    result = apply(world, planned)
    assert on_disk(world) == ["temp/2"]
    assert [reason for _, reason in result.failed] == ["version 2 was written meanwhile"]


def test_marker_on_a_version_that_goes_is_moved_first(world: World) -> None:
    """When the version that the marker names would go, it does not: readers keep what they read."""
    for version in (1, 2, 3):
        world.tree().put("state", version, garbage_collection=1)
    world.tree().mark("state", 1)
    planned = plan(world)
    assert [d.versions for d in planned.excess] == [(2,)]


@pytest.mark.holds("I6")
def test_other_namespaces_are_not_collected(world: World) -> None:
    """What lies in another namespace is neither counted nor touched."""
    from swampsync.namespace import Namespace  # noqa: PLC0415

    other = world.tree(Namespace.parse("app"))
    for version in (1, 2, 3):
        other.put("state", version, garbage_collection=1)
    planned = plan(world)
    assert planned.is_empty
    apply(world, planned)
    assert len(list(other.root.rglob("raw"))) == 3


def test_collection_reads_little_of_what_it_keeps(world: World) -> None:
    """An artifact within its policy costs one metadata file."""
    for version in range(1, 9):
        world.tree().put("state", version, garbage_collection=10)
    world.refresh()
    world.disk.reset()
    assert plan(world).is_empty
    assert [Path(path).parts[-2:] for path in world.disk.reads] == [("8", "metadata.yaml")]


def test_feed_tells_of_collected_versions(world: World) -> None:
    """Followers hear of every version that was collected."""
    for version in (1, 2):
        world.tree().put("state", version, garbage_collection=1)
    planned = plan(world)
    mark = world.state.feed.last()
    apply(world, planned)
    assert [(e.op, e.data_name, e.version) for e in world.state.feed.after(mark)] == [("remove", "state", 1)]
