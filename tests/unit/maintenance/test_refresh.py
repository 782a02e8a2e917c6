"""A refresh makes the catalog equal to the tree and reads only what changed."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from swampsync.catalog.rows import ArtifactKey
from swampsync.disk import DiskEntry
from swampsync.errors import Unavailable
from swampsync.layout import Layout
from swampsync.maintenance.refresh import Scope
from swampsync.namespace import Namespace
from tests.unit.maintenance.tree import World, make_world

APP = Namespace.parse("app")
STATE = Scope("command/shell", "m-1", "state")
MODEL = Scope("command/shell", "m-1")


def snapshot(directory: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.lstat().st_mtime_ns, p.lstat().st_ctime_ns) for p in sorted(directory.rglob("*"))}


@pytest.mark.holds("I5")
def test_backfill_catalogues_every_whole_version(world: World) -> None:
    """A fresh catalog is filled from the tree, marked complete, and holds what the metadata says."""
    tree = world.tree()
    for version in (1, 2, 3):
        tree.put("state", version, content=b"x" * version)
    tree.put("log", 1, model="a/b/c/m-2")
    report = world.refresher.refresh(world.namespace)
    assert report.rows == (4, 0, 0)
    assert (report.artifacts_read, report.versions_read, report.problems) == (2, 4, [])
    assert world.rows() == [("log", 1, 1), ("state", 1, 0), ("state", 2, 0), ("state", 3, 1)]
    assert world.catalog.is_populated()
    row = world.catalog.find_latest(ArtifactKey("infra", "command/shell", "m-1", "state"))
    assert row is not None
    assert (row.size, row.model_name, row.data_type, row.type_normalized) == (3, "vpc", "resource", "command/shell")
    assert [m.type_normalized for m in world.catalog.models("infra")] == ["a/b/c", "command/shell"]


def test_second_refresh_reads_no_file_and_lists_no_directory(world: World) -> None:
    """What has not changed is not read again; directories are looked at, and that is all."""
    for name in ("a", "b", "c"):
        world.tree().put(name, 1)
    world.refresh()
    world.disk.reset()
    report = world.refresher.refresh(world.namespace)
    assert (report.rows.is_empty, report.artifacts_read) == (True, 0)
    assert (world.disk.reads, world.disk.listings) == ([], [])
    assert world.disk.stats < 12


@pytest.mark.holds("I8")
def test_refresh_writes_nothing_in_the_datastore(world: World) -> None:
    """No byte, name or time of the shared directory changes."""
    world.tree().put("state", 1)
    world.tree(APP).put("state", 1)
    before = snapshot(world.base)
    world.refresh()
    world.refresher.refresh(APP)
    assert snapshot(world.base) == before


def test_changes_of_others_are_seen(world: World) -> None:
    """Versions, artifacts and models that others add or remove appear and disappear, and only those are read."""
    tree = world.tree()
    for name in ("a", "b"):
        for version in (1, 2):
            tree.put(name, version)
    world.refresh()
    world.disk.reset()
    tree.put("a", 3)
    tree.put("c", 1)
    tree.put("d", 1, model="x/y")
    world.refresh()
    assert world.rows() == [
        ("a", 1, 0), ("a", 2, 0), ("a", 3, 1), ("b", 1, 0), ("b", 2, 1), ("c", 1, 1), ("d", 1, 1),
    ]  # fmt: skip
    assert not [path for path in world.disk.reads if "/b/" in path]
    tree.remove("a", 3)
    tree.mark("a", 2)
    tree.remove("b")
    shutil.rmtree(tree.root / "x")
    world.refresh()
    assert world.rows() == [("a", 1, 0), ("a", 2, 1), ("c", 1, 1)]


def test_versions_that_did_not_change_are_not_read_again(world: World) -> None:
    """A new version of a long artifact costs one metadata file."""
    tree = world.tree()
    for version in range(1, 6):
        directory = tree.put("state", version)
        world.disk.reset()
    world.refresh()
    # The versions must look older than the artifact's last change by more than a granule.
    on_record = world.state.signatures.find("infra", 0, path="command/shell/m-1/state")
    assert on_record is not None
    world.state.signatures.put([on_record._replace(ctime_ns=on_record.ctime_ns + 3_000_000_000)])
    world.disk.reset()
    tree.mark("state", 5)
    assert world.refresher.refresh(world.namespace).versions_read == 0
    assert directory.name == "5"
    assert world.rows()[-1] == ("state", 5, 1)


def test_recent_changes_are_looked_at_again(world: World) -> None:
    """What changed within two seconds of the file system's clock may change again unseen, so it is not trusted yet."""
    world.clock.shift = timedelta(0)
    directory = world.tree().put("state", 1)
    world.refresh()
    world.disk.reset()
    assert world.refresher.refresh(world.namespace).artifacts_read == 1
    world.clock.shift = timedelta(seconds=5)
    assert world.refresher.refresh(world.namespace).artifacts_read == 1
    assert world.refresher.refresh(world.namespace).artifacts_read == 0
    assert directory.is_dir()


def test_clock_of_the_file_system_may_be_ahead(world: World) -> None:
    """Stamps later than our clock are measured against the latest of them."""
    world.clock.shift = timedelta(hours=-1)
    world.tree().put("state", 1)
    world.refresh()
    assert world.refresher.refresh(world.namespace).artifacts_read == 1


def test_locked_model_is_listed_again(world: World) -> None:
    """A model under a writer's lock is never taken for finished."""
    tree = world.tree()
    tree.put("state", 1)
    lock = tree.root / tree.model / ".lock"
    lock.write_text("{}")
    world.refresh()
    world.disk.reset()
    world.refresh()
    assert str(tree.root / tree.model) in world.disk.listings
    lock.unlink()
    world.refresh()
    world.disk.reset()
    world.refresh()
    assert world.disk.listings == []


def test_append_to_a_streaming_version_is_seen(world: World) -> None:
    """An append changes the version's directory and not the artifact's; the row's size follows all the same."""
    tree = world.tree()
    tree.put("log", 1)
    tree.put("log", 2, streaming=True, content=b"one")
    world.refresh()
    assert world.refresher.refresh(world.namespace).artifacts_read == 0
    before = (tree.root / tree.model / "log").stat()
    directory = tree.root / tree.model / "log" / "2"
    text = (directory / "metadata.yaml").read_text().replace("size: 3", "size: 6")
    (directory / "raw").write_bytes(b"onetwo")
    (directory / ".tmp").write_text(text)
    os.replace(directory / ".tmp", directory / "metadata.yaml")
    assert (tree.root / tree.model / "log").stat().st_ctime_ns == before.st_ctime_ns
    world.refresh()
    row = world.catalog.find_latest(ArtifactKey("infra", "command/shell", "m-1", "log"))
    assert row is not None
    assert row.size == 6
    assert world.refresher.refresh(world.namespace).artifacts_read == 0


def test_unfinished_versions_have_no_row_until_they_are_whole(world: World) -> None:
    """Neither an empty directory, nor metadata without content, nor content too short is a version."""
    tree = world.tree()
    tree.put("state", 1)
    (tree.root / tree.model / "state" / "2").mkdir()
    tree.put("state", 3, raw=False, marker=False)
    short = tree.put("state", 4, content=b"four", marker=False)
    (short / "raw").write_bytes(b"fo")
    world.refresh()
    assert world.rows() == [("state", 1, 1)]
    (short / "raw").write_bytes(b"four")
    world.refresh()
    assert world.rows() == [("state", 1, 0), ("state", 4, 1)]


def test_model_whose_first_version_is_unfinished_appears_when_it_is_whole(world: World) -> None:
    """A directory that holds only claimed numbers is not settled to be anything yet."""
    tree = world.tree()
    (tree.root / tree.model / "state" / "1").mkdir(parents=True)
    world.refresh()
    assert world.rows() == []
    tree.put("state", 1, marker=False)
    world.refresh()
    assert world.rows() == [("state", 1, 1)]


@pytest.mark.parametrize("renamed_to", ["status", None])
def test_artifact_whose_latest_is_deleted_has_no_rows(world: World, renamed_to: str | None) -> None:
    """A tombstone or deletion marker as latest hides all versions, in a refresh and in a rebuild alike."""
    tree = world.tree()
    tree.put("state", 1)
    tree.put("log", 1)
    world.refresh()
    tree.put("state", 2, lifecycle="deleted", renamed_to=renamed_to)
    world.refresh()
    assert world.rows() == [("log", 1, 1)]
    world.refresher.forget(world.namespace)
    world.refresh()
    assert world.rows() == [("log", 1, 1)]
    tree.put("state", 3)
    world.refresh()
    assert world.rows() == [("log", 1, 1), ("state", 1, 0), ("state", 2, 0), ("state", 3, 1)]


def test_marker_decides_which_version_can_hide_an_artifact(world: World) -> None:
    """A tombstone that no marker points at yet belongs to a rename that did not happen."""
    tree = world.tree()
    tree.put("state", 1)
    tree.put("state", 2, lifecycle="deleted", renamed_to="x", marker=False)
    tree.put("log", 1)
    os.unlink(tree.root / tree.model / "log" / "latest")
    os.symlink("1", tree.root / tree.model / "log" / "latest")
    world.refresh()
    assert world.rows() == [("log", 1, 1), ("state", 1, 0), ("state", 2, 1)]


def test_unreadable_metadata_costs_one_version_and_is_reported_each_time(world: World) -> None:
    """One corrupt file hides itself and nothing else, and is told until it is mended."""
    tree = world.tree()
    tree.put("state", 1)
    broken = tree.put("state", 2) / "metadata.yaml"
    text = broken.read_bytes()
    broken.write_bytes(b"")
    other = tree.put("log", 1)
    (other / "metadata.yaml").write_bytes((tree.root / tree.model / "state" / "1" / "metadata.yaml").read_bytes())
    for _ in range(2):
        report = world.refresher.refresh(world.namespace)
        assert [Path(path).parts[-3:-1] for path, _ in report.problems] == [("log", "1"), ("state", "2")]
        assert "describes version 1 of `state`" in report.problems[0][1]
    assert world.rows() == [("state", 1, 1)]
    assert world.catalog.is_populated()
    broken.write_bytes(text)
    assert [p for p, _ in world.refresher.refresh(world.namespace).problems] == [str(other / "metadata.yaml")]
    assert world.rows() == [("state", 1, 0), ("state", 2, 1)]


def test_unreadable_directory_keeps_its_rows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read now is not gone: it is reported and its rows stay."""
    tree = world.tree()
    tree.put("state", 1)
    world.refresh()
    tree.put("state", 2)
    real = world.disk.scandir

    def refuse(path: str) -> object:
        if path.endswith("/state"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(world.disk, "scandir", refuse)
    report = world.refresher.refresh(world.namespace)
    assert report.is_partial
    assert "Permission denied" in report.problems[0][1]
    assert world.rows() == [("state", 1, 1)]
    monkeypatch.undo()
    world.refresh()
    assert world.rows() == [("state", 1, 0), ("state", 2, 1)]


def test_ghosts_behind_an_unreadable_directory_go_when_it_can_be_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that did not see everything drops nothing, and the next full look makes up for it."""
    tree = world.tree()
    tree.put("a", 1)
    tree.put("b", 1)
    world.refresh()
    tree.remove("a")
    tree.put("b", 2)
    real = world.disk.scandir

    def refuse(path: str) -> list[DiskEntry]:
        if path.endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(world.disk, "scandir", refuse)
    world.refresh()
    assert world.rows() == [("a", 1, 1), ("b", 1, 1)]
    monkeypatch.undo()
    world.refresh()
    assert world.rows() == [("b", 1, 0), ("b", 2, 1)]


def test_missing_datastore_drops_nothing(world: World) -> None:
    """A directory that is not mounted is not an empty datastore."""
    world.tree().put("state", 1)
    world.refresh()
    world.base.rename(world.base.with_name("elsewhere"))
    with pytest.raises(Unavailable, match="missing or empty"):
        world.refresh()
    world.base.mkdir()
    with pytest.raises(Unavailable, match="missing or empty"):
        world.refresh()
    assert world.rows() == [("state", 1, 1)]


def test_one_model_is_refreshed_alone(world: World) -> None:
    """A command about one model looks at that model's directories and no others."""
    tree = world.tree()
    tree.put("state", 1)
    tree.put("state", 1, model="command/shell/m-2")
    report = world.refresher.refresh(world.namespace, MODEL)
    assert report.artifacts_read == 1
    assert not [path for path in world.disk.listings if "m-2" in path]
    assert not world.catalog.is_populated()
    tree.remove("state")
    tree.put("log", 1)
    world.refresher.refresh(world.namespace, MODEL)
    assert world.rows() == [("log", 1, 1)]
    shutil.rmtree(tree.root / tree.model)
    world.refresher.refresh(world.namespace, MODEL)
    assert world.rows() == []
    world.refresh()
    assert world.rows() == [("state", 1, 1)]
    assert world.catalog.is_populated()


def test_one_artifact_is_refreshed_in_a_few_looks(world: World) -> None:
    """A look-up of one artifact costs the same in a model of a hundred."""
    tree = world.tree()
    for number in range(100):
        tree.put(f"n{number:02}", 1)
    tree.put("state", 1)
    world.refresher.refresh(world.namespace, STATE)
    assert world.rows() == [("state", 1, 1)]
    world.disk.reset()
    world.refresher.refresh(world.namespace, STATE)
    assert (world.disk.reads, world.disk.listings) == ([], [])
    assert world.disk.stats <= 3
    tree.remove("state")
    world.refresher.refresh(world.namespace, STATE)
    assert world.rows() == []


def test_ghosts_of_artifacts_that_were_never_on_record_are_dropped(world: World) -> None:
    """A row that was put and whose files were deleted between two refreshes goes with the next one."""
    tree = world.tree()
    tree.put("state", 1)
    world.refresh()
    row = world.catalog.find_latest(ArtifactKey("infra", "command/shell", "m-1", "state"))
    assert row is not None
    world.catalog.upsert_latest(row._replace(data_name="ghost"))
    world.catalog.upsert_latest(row._replace(model_id="m-9"))
    tree.put("other", 1)
    world.refresh()
    assert world.rows() == [("other", 1, 1), ("state", 1, 1)]


@pytest.mark.holds("I6")
def test_other_namespaces_are_kept_apart(world: World) -> None:
    """Rows of another namespace come and go with its own tree and never touch ours."""
    world.tree().put("state", 1)
    world.tree(APP).put("state", 1)
    world.tree(APP).put("state", 2)
    world.refresh()
    assert world.rows("app") == []
    world.refresher.refresh(APP)
    assert world.rows("app") == [("state", 1, 0), ("state", 2, 1)]
    world.tree(APP).remove("state")
    world.refresher.refresh(APP)
    assert (world.rows("app"), world.rows()) == ([], [("state", 1, 1)])


@pytest.mark.holds("I9")
def test_solo_sees_its_own_tree_only(tmp_path: Path) -> None:
    """Other namespaces' directories beside `data/` are not part of a solo tree."""
    world = make_world(tmp_path)
    world.tree().put("state", 1)
    world.tree(APP).put("state", 7)
    world.refresh()
    assert world.rows() == [("state", 1, 1)]
    world.catalog.close()
    world.state.close()


def test_excluded_artifacts_come_from_the_repo(tmp_path: Path) -> None:
    """Where patterns keep artifacts local there are two data roots, and each artifact counts in its own only."""
    layout = Layout(
        repo_dir=str(tmp_path / "repo"),
        base=str(tmp_path / "shared"),
        namespace=Namespace.parse("infra"),
        is_excluded=lambda path: path.endswith("/secret"),
    )
    world = make_world(tmp_path, layout=layout)
    shared, local = world.tree(), world.tree()
    local.root = Path(layout.local_path("data"))
    shared.put("state", 1)
    shared.put("secret", 5)
    local.put("secret", 1)
    local.put("state", 5)
    world.refresh()
    assert world.rows() == [("secret", 1, 1), ("state", 1, 1)]
    world.refresher.refresh(world.namespace, Scope("command/shell", "m-1", "secret"))
    local.put("secret", 2)
    world.refresher.refresh(world.namespace, Scope("command/shell", "m-1", "secret"))
    assert world.rows() == [("secret", 1, 0), ("secret", 2, 1), ("state", 1, 1)]
    local.remove("secret")
    world.refresh()
    assert world.rows() == [("state", 1, 1)]
    world.catalog.close()
    world.state.close()


def test_lost_catalog_is_filled_again(world: World) -> None:
    """A catalog that was deleted or emptied is not believed because directories look unchanged."""
    world.tree().put("state", 1)
    world.tree(APP).put("state", 1)
    for damage in ("delete", "empty", "unpopulate"):
        world.refresh()
        world.refresher.refresh(APP)
        path = Path(world.layout.catalog_path())
        if damage == "delete":
            world.catalog.close()
            for found in path.parent.glob("_catalog.db*"):
                found.unlink()
        elif damage == "empty":
            world.catalog.remove_namespace("infra")
            world.catalog.remove_namespace("app")
        else:
            world.catalog.clear_populated()
            world.catalog.remove_artifact(ArtifactKey("infra", "command/shell", "m-1", "state"))
            world.catalog.upsert_latest(next(world.catalog.rows("app"))._replace(namespace="infra", data_name="x"))
        world.refresh()
        world.refresher.refresh(APP)
        assert (world.rows(), world.rows("app")) == ([("state", 1, 1)], [("state", 1, 1)])
        assert world.catalog.is_populated()


def test_corruption_in_the_middle_is_healed_within_the_refresh(world: World) -> None:
    """A catalog whose pages turn out malformed is set aside and filled anew by the same call."""
    for number in range(300):
        world.tree().put(f"n{number:03}", 1)
    world.refresh()
    world.catalog.close()
    path = Path(world.layout.catalog_path())
    with path.open("r+b") as file:
        file.seek(4096 * 4)
        file.write(b"\xa5" * (path.stat().st_size - 4096 * 4))
    world.refresh()
    assert len(world.catalog.notices) == 1
    assert len(world.rows()) == 300
    assert world.catalog.is_populated()


def test_feed_tells_what_changed(world: World) -> None:
    """The first filling is one entry; after that every version that came, changed or went has its own."""
    tree = world.tree()
    tree.put("state", 1)
    world.refresh()
    assert [(e.op, e.namespace, e.data_name) for e in world.state.feed.after(0)] == [("rebuild", "infra", "")]
    mark = world.state.feed.last()
    tree.put("state", 2)
    world.refresh()
    tree.remove("state", 1)
    world.refresh()
    world.tree(APP).put("log", 1)
    world.refresher.refresh(APP)
    assert [(e.op, e.namespace, e.data_name, e.version) for e in world.state.feed.after(mark)] == [
        ("upsert", "infra", "state", 2),
        ("remove", "infra", "state", 1),
        ("rebuild", "app", "", 0),
    ]


def test_highest_numbers_are_noted(world: World) -> None:
    """The highest number of any directory is remembered after it is gone, tombstones and claims included."""
    tree = world.tree()
    tree.put("state", 1)
    (tree.root / tree.model / "state" / "7").mkdir()
    world.refresh()
    shutil.rmtree(tree.root / tree.model / "state" / "7")
    world.refresh()
    assert world.state.highest.find(ArtifactKey("infra", "command/shell", "m-1", "state")) == 7


def test_progress_counts_versions(world: World) -> None:
    """The callback gets how many versions were read, in steps that sum up to all."""
    for version in (1, 2, 3):
        world.tree().put("state", version)
    world.tree().put("log", 1)
    counts: list[int] = []
    world.refresher._world = world.refresher._world._replace(progress=counts.append)
    world.refresh()
    assert counts == [1, 3]


def test_types_that_are_not_normalised_are_passed_over(world: World) -> None:
    """A directory that no type leads to has no rows."""
    world.tree().put("state", 1, model="Command/shell/m-1")
    world.refresh()
    assert world.rows() == []


def test_version_put_while_reading_is_not_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that adds a version and its row after the directory was listed keeps its row."""
    tree = world.tree()
    tree.put("state", 1)
    world.refresh()
    tree.put("state", 2)
    real = world.refresher._world.state.feed.record
    is_done = False

    def interfere(changes: object) -> None:
        nonlocal is_done
        real(changes)  # type: ignore[arg-type]
        if not is_done:
            is_done = True
            tree.put("state", 3)
            row = world.catalog.find_version(ArtifactKey("infra", "command/shell", "m-1", "state"), 1)
            assert row is not None
            world.catalog.upsert_latest(row._replace(version=3, id="00000000-0000-4000-8000-000000000003"))

    monkeypatch.setattr(world.state.feed, "record", interfere)
    world.refresh()
    assert world.rows() == [("state", 1, 0), ("state", 2, 0), ("state", 3, 1)]
