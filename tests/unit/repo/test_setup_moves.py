from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from swampsync.errors import Refused
from swampsync.namespace import Namespace
from swampsync.repo.setup_choice import BucketChoice
from swampsync.repo.setup_filesystem import DirectoryChoice
from swampsync.repo.sync_report import SyncOptions
from swampsync.testing.faulty_store import Call, Fault, Faulty, SimulatedCrash
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


# --- a union with what is there ------------------------------------------------------------------------------------


def second_clone(yard: Yard, name: str = "second") -> Path:
    """A clone of the same repo on another machine, that was never told of the shared place."""
    return yard.repo(name, repo_id="id-repo")


def contents(yard: Yard, repo: Path) -> dict[int, bytes]:
    return {number: body for (name, number), (_, body) in sorted(yard.versions(repo).items()) if name == "vpc/state"}


@pytest.mark.holds("I1")
@pytest.mark.parametrize("place", ["new", "new/app", "s3:other", "s3:other/app"])
def test_second_clone_joins_with_data_of_its_own(yard: Yard, place: str) -> None:
    """Versions of one number get others behind, in their order; equal files stay one; other content goes beside."""
    first, second = yard.repo(), second_clone(yard)
    yard.put(first, "state", "a1", "a2")
    yard.put(second, "state", "b1", "b2")
    yard.put(second, "new", "mine")
    yard.write_files(first, {"outputs/o": b"ours", "outputs/same": b"=", "audit/c.jsonl": b"1\n2\n"})
    yard.write_files(second, {"outputs/o": b"theirs", "outputs/same": b"=", "audit/c.jsonl": b"1\n2\n3\n"})
    yard.set_up(first, place)
    done: Any = yard.set_up(second, place)
    assert contents(yard, second) == {1: b"a1", 2: b"a2", 3: b"b1", 4: b"b2"}
    assert yard.versions(second)["vpc/new", 1][1] == b"mine"
    others = yard.others(second)
    (beside,) = (path for path in others if ".conflict-" in path)
    assert beside.startswith("outputs/o.conflict-")
    assert (others.pop(beside), others) == (
        b"theirs",
        {"outputs/o": b"ours", "outputs/same": b"=", "audit/c.jsonl": b"1\n2\n3\n"},
    )
    messages = [warning["message"] for warning in done.warnings]
    assert sum("got another number" in message for message in messages) == 2
    assert sum("went beside" in message for message in messages) == 1
    with yard.open(first) as repo:
        if repo.config.is_remote:
            repo.synchroniser.sync(SyncOptions())
    assert contents(yard, first) == contents(yard, second)


def test_former_place_is_joined_again_without_doubles(yard: Yard) -> None:
    """Out of a bucket and back: what the bucket still has is there once, what was removed there meanwhile stays so."""
    repo = yard.repo()
    yard.put(repo, "state", "1", "2", "3")
    yard.set_up(repo, "s3:team/app")
    keys = yard.server.keys("team")
    yard.set_up(repo, "new/app")
    assert yard.server.keys("team") == keys  # the objects stay: other clones may use them
    yard.put(repo, "state", "4")
    other = yard.repo("clone", repo_id="id-repo")
    yard.set_up(other, "s3:team/app")
    with yard.open(other) as opened:
        opened.data.apply_delete(opened.data.plan_delete("vpc", name="state", version=1))
    done: Any = yard.set_up(repo, "s3:team/app")
    assert contents(yard, repo) == {2: b"2", 3: b"3", 4: b"4"}
    (message,) = (w["message"] for w in done.warnings if "stays where it is" in w["message"])
    assert "state/1` stays where it is: it was removed where the data goes" in message
    # It is nowhere lost: the old place has it.
    assert next(p for p in yard.left_at(yard.root / "new" / "app") if p.endswith("raw")).endswith("/state/1/raw")


# --- leaving a bucket ----------------------------------------------------------------------------------------------


@pytest.mark.holds("I1")
@pytest.mark.parametrize("target", ["new", "s3:other"])
def test_what_is_pending_is_carried_along(yard: Yard, target: str) -> None:
    """Versions and removals that were never published are at the new place, and the old bucket never hears of them."""
    repo = yard.repo(more="datastore:\n  autoSync: false\n")
    yard.put(repo, "state", "1", "2")
    yard.set_up(repo, "s3:team")
    keys = yard.server.keys("team")
    yard.put(repo, "state", "3")
    with yard.open(repo) as opened:
        opened.data.apply_delete(opened.data.plan_delete("vpc", name="state", version=1))
    assert yard.server.keys("team") == keys
    yard.set_up(repo, target)
    assert contents(yard, repo) == {2: b"2", 3: b"3"}
    assert yard.server.keys("team") == keys


def test_content_that_was_never_fetched_is_fetched_before_leaving(yard: Yard) -> None:
    """A lazy clone that holds no content, and lags behind, takes everything to the directory, verified."""
    first, lazy = yard.repo(), second_clone(yard)
    yard.put(first, "state", "1")
    yard.set_up(first, "s3:team/app")
    yard.set_up(lazy, "s3:team/app")
    yard.put(first, "state", "2")
    done: Any = yard.set_up(lazy, "new/app")
    assert done.moved.pulled == 3
    assert done.to_json()["filesPulled"] == 3
    assert contents(yard, lazy) == {1: b"1", 2: b"2"}
    assert contents(yard, first) == {1: b"1", 2: b"2"}


def test_edited_copy_is_fetched_again_before_leaving(yard: Yard) -> None:
    """Somebody wrote into the local copy: what goes along is what the log says."""
    repo = yard.repo()
    yard.put(repo, "state", "true")
    yard.set_up(repo, "s3:team")
    (raw,) = (repo / ".swamp" / "remote").rglob("raw")
    raw.write_text("lies")
    yard.set_up(repo, "new")
    assert contents(yard, repo) == {1: b"true"}


def test_other_namespaces_pending_work_is_not_left_behind(yard: Yard) -> None:
    """What was written for another namespace and not published yet keeps the repo where it is, by name."""
    first, second = yard.repo(), yard.repo("second")
    yard.put(first, "state", "1")
    yard.set_up(first, "s3:team/app")
    yard.set_up(second, "s3:team/infra")
    with yard.open(first) as opened:
        opened._parts.registry.change_members(
            Namespace("app"), lambda record: record.with_members(["id-repo", "id-second"])
        )
    (second / ".swamp.yaml").write_text((second / ".swamp.yaml").read_text() + "  autoSync: false\n")
    with yard.open(second, namespace="app") as opened:
        opened.data.put("vpc", "state", io.BytesIO(b"theirs"))
    with pytest.raises(Refused, match="1 changes in namespace `app` of `s3://team` were not published") as caught:
        yard.set_up(second, "new/infra")
    assert caught.value.hint == "swamp -n app datastore sync"
    assert "team" in (second / ".swamp.yaml").read_text()


# --- what is refused, or left ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["local", "s3:team"])
def test_directory_of_another_project_is_refused_by_its_models(yard: Yard, source: str) -> None:
    """Un-namespaced data of models that are not ours is named, and nothing moves; a namespace is the way in."""
    stranger, repo = yard.repo("stranger"), yard.repo()
    yard.put(stranger, "state", "theirs")
    yard.set_up(stranger, "new")
    if source != "local":
        yard.set_up(repo, source)
    yard.put(repo, "state", "ours")
    before = yard.left_at(yard.root / "new")
    with pytest.raises(Refused, match="holds data of another project \\(models that are not this repo's: ") as caught:
        yard.set_up(repo, "new")
    assert "--namespace" in (caught.value.hint or "")
    assert yard.left_at(yard.root / "new") == before
    assert contents(yard, repo) == {1: b"ours"}
    yard.set_up(repo, "new/app")
    assert contents(yard, repo) == {1: b"ours"}
    assert contents(yard, stranger) == {1: b"theirs"}


@pytest.mark.parametrize("target", ["new", "s3:other/app"])
def test_what_cannot_move_keeps_everything_where_it_is(yard: Yard, target: str) -> None:
    """A link is named; nothing is copied, configured or removed, and with it gone the same command goes through."""
    repo = yard.repo()
    yard.put(repo, "state", "1")
    (repo / ".swamp" / "outputs").mkdir()
    (repo / ".swamp" / "outputs" / "link").symlink_to("/etc/passwd")
    before = (repo / ".swamp.yaml").read_text()
    done: Any = yard.set_up(repo, target)
    assert done.errors == (f"{repo}/.swamp/outputs/link: is neither a file nor a directory",)
    assert (repo / ".swamp.yaml").read_text() == before
    assert contents(yard, repo) == {1: b"1"}
    (repo / ".swamp" / "outputs" / "link").unlink()
    assert yard.set_up(repo, target).errors == ()  # type: ignore[attr-defined]
    assert contents(yard, repo) == {1: b"1"}


def test_damaged_version_goes_to_a_directory_as_it_is_and_to_no_bucket(yard: Yard) -> None:
    """A bucket takes whole versions only, and says which are not; a directory takes the files."""
    repo = yard.repo()
    yard.put(repo, "state", "one", "two")
    raw = next(p for p in (repo / ".swamp" / "data").rglob("2/raw"))
    raw.write_bytes(b"t")
    done: Any = yard.set_up(repo, "s3:other/app")
    assert [error.rpartition("/state/")[2] for error in done.errors] == ["2/raw: has 1 of 3 bytes"]
    yard.set_up(repo, "new")
    assert [p.read_bytes() for p in (yard.root / "new" / "data").rglob("2/raw")] == [b"t"]
    raw.parent.mkdir(parents=True, exist_ok=True)


def test_wrong_checksum_is_no_content_for_a_bucket(yard: Yard) -> None:
    """Content that is not what its metadata says is named, and the configuration stays as it is."""
    repo = yard.repo()
    yard.put(repo, "state", "one")
    next(p for p in (repo / ".swamp" / "data").rglob("1/raw")).write_bytes(b"eno")
    done: Any = yard.set_up(repo, "s3:other/app")
    assert ["checksum" in error for error in done.errors] == [True]
    assert "s3" not in (repo / ".swamp.yaml").read_text()


@pytest.mark.parametrize("target", ["new", "s3:other"])
def test_excluded_paths_and_local_subdirectories_stay(yard: Yard, target: str) -> None:
    """What `exclude` and `directories` keep in the repo is still there, and is not at the new place."""
    repo = yard.repo(more="datastore:\n  exclude: [outputs/private/**]\n")
    yard.put(repo, "state", "1")
    yard.write_files(repo, {"outputs/private/x": b"mine", "outputs/shared": b"ours"})
    yard.set_up(repo, target)
    assert yard.others(repo) == {"outputs/shared": b"ours"}
    assert (repo / ".swamp" / "outputs" / "private" / "x").read_bytes() == b"mine"
    assert (repo / ".swamp" / "secrets" / "key").read_bytes() == b"secret"


def test_subdirectories_that_leave_the_datastore_come_home(yard: Yard) -> None:
    """With fewer `directories` at the new place the others move into the repo; none is left at the old place."""
    repo = yard.repo()
    yard.set_up(repo, "old")
    yard.put(repo, "state", "1")
    yard.write_files(repo, {"outputs/o": b"out"})
    with yard.open(repo) as opened:
        opened.datastore.setup_filesystem(str(yard.root / "new"), directories=("data", "auto-definitions"))
    assert (repo / ".swamp" / "outputs" / "o").read_bytes() == b"out"
    assert yard.left_at(yard.root / "old") == []
    assert contents(yard, repo) == {1: b"1"}


@pytest.mark.parametrize("target", ["new/app", "s3:other/app"])
def test_skipped_migration_leaves_data_where_it_is(yard: Yard, target: str) -> None:
    """The new place is used and empty; what the old one has stays, and comes along when it is asked for later."""
    repo = yard.repo()
    yard.put(repo, "state", "1")
    kind, _, namespace = target.partition("/")
    with yard.open(repo) as opened:
        if kind.startswith("s3:"):
            opened.datastore.setup_s3(BucketChoice(config={"bucket": "other"}, namespace="app", skips_migration=True))
        else:
            opened.datastore.setup_filesystem(str(yard.root / kind), namespace=namespace, skip_migration=True)
    assert contents(yard, repo) == {}
    assert [p.read_text() for p in (repo / ".swamp" / "data").rglob("raw")] == ["1"]


def test_bucket_that_was_left_as_it_is_can_be_used_again(yard: Yard) -> None:
    """Without taking anything along the local copy goes, since all of it is published, and coming back finds it all."""
    repo = yard.repo()
    yard.put(repo, "state", "1")
    yard.set_up(repo, "s3:team/app")
    with yard.open(repo) as opened:
        opened.datastore.setup_filesystem(str(yard.root / "new"), namespace="app", skip_migration=True)
    assert contents(yard, repo) == {}
    assert not (repo / ".swamp" / "remote").exists()
    yard.set_up(repo, "s3:team/app")
    assert contents(yard, repo) == {1: b"1"}


def test_pending_work_is_not_skipped(yard: Yard) -> None:
    """Leaving a bucket without taking the data along is refused while something in it is this clone's alone."""
    repo = yard.repo(more="datastore:\n  autoSync: false\n")
    yard.set_up(repo, "s3:team")
    yard.put(repo, "state", "1")
    with yard.open(repo) as opened, pytest.raises(Refused, match="not published yet and would be lost"):
        opened.datastore.setup_filesystem(str(yard.root / "new"), skip_migration=True)
    assert contents(yard, repo) == {1: b"1"}


@pytest.mark.parametrize("target", ["new", "s3:other/app"])
@pytest.mark.parametrize("source", ["local", "s3:team"])
def test_plan_writes_nothing_and_counts(yard: Yard, source: str, target: str) -> None:
    """`--dry-run` names both places and how much would move, and leaves every byte of repo and buckets as it was."""
    repo = yard.repo()
    if source != "local":
        yard.set_up(repo, source)
    yard.fill(repo)
    before, keys = (repo / ".swamp.yaml").read_text(), yard.server.keys("other")
    with yard.open(repo) as opened:
        if target == "new":
            preview = opened.datastore.plan_filesystem(DirectoryChoice(path=str(yard.root / "new")))
        else:
            preview = opened.datastore.plan_s3(BucketChoice(config={"bucket": "other"}, namespace="app"))
    document = preview.to_json()
    assert (document["artifacts"], document["versions"], document["otherFiles"]) == (5, 7, len(FILES) + 2)
    assert document["bytes"] > 300_000
    assert set(document["directories"]) >= {"data", "outputs", "audit", "workflow-runs", "auto-definitions"}
    assert (document["requests"] > 10) == (target != "new" or source != "local")
    assert (repo / ".swamp.yaml").read_text() == before
    assert yard.server.keys("other") == keys
    assert not (yard.root / "new").exists()
    assert not (repo / ".swamp" / "setup").exists()


# --- size -------------------------------------------------------------------------------------------------------------


def test_move_costs_no_request_a_file_besides_its_puts(yard: Yard) -> None:
    """Forty versions are eighty puts and one for each other file; all the rest does not grow with them."""
    repo = yard.repo()
    yard.put(repo, "state", *map(str, range(40)))
    calls: Counter[str] = Counter()

    def count(call: Call) -> None:
        calls["data" if call.method == "put" and "/data/" in call.key else "rest"] += 1

    yard.server.wrap = lambda store: Faulty(store, count)
    yard.set_up(repo, "s3:other/app")
    assert calls["data"] == 80
    assert calls["rest"] < 50


def test_large_move_is_several_commits(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits are bounded, and together they hold everything once, in the order of the numbers."""
    monkeypatch.setattr("swampsync.maintenance.moving_into_clone.ENTRIES_AT_ONCE", 5)
    repo = yard.repo()
    yard.put(repo, "state", *map(str, range(12)))
    before = yard.versions(repo)
    yard.set_up(repo, "s3:other/app")
    assert [key for key in yard.server.keys("other") if "/_log/" in key][2:]
    assert yard.versions(repo) == before


# --- interrupted ------------------------------------------------------------------------------------------------------


def test_set_up_that_was_given_up_leaves_no_trace(yard: Yard) -> None:
    """Killed on the way to a bucket and then sent elsewhere, the data goes there, and what was staged is gone."""
    repo = yard.repo()
    yard.put(repo, "state", "1")
    yard.server.wrap = lambda store: Faulty(store, _crash_at_commit)
    with pytest.raises(SimulatedCrash):
        yard.set_up(repo, "s3:other/app")
    assert (repo / ".swamp" / "setup" / "journal.json").exists()
    yard.server.wrap = lambda store: store
    yard.set_up(repo, "new")
    assert contents(yard, repo) == {1: b"1"}
    assert not (repo / ".swamp" / "setup").exists()


def test_version_removed_between_two_runs_does_not_come_back(yard: Yard) -> None:
    """What a killed set-up had recorded and nobody published goes when it is removed at the source."""
    repo = yard.repo()
    yard.put(repo, "state", "1", "2")
    yard.server.wrap = lambda store: Faulty(store, _crash_at_commit)
    with pytest.raises(SimulatedCrash):
        yard.set_up(repo, "s3:other/app")
    yard.server.wrap = lambda store: store
    with yard.open(repo) as opened:
        opened.data.apply_delete(opened.data.plan_delete("vpc", name="state", version=1))
    yard.put(repo, "state", "3")
    yard.set_up(repo, "s3:other/app")
    assert contents(yard, repo) == {2: b"2", 3: b"3"}


def _crash_at_commit(call: Call) -> Fault | None:
    return Fault.CRASH_BEFORE if call.method == "put" and "/_log/" in call.key else None
