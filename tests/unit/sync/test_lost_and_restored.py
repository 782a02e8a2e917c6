"""Clones that share a repo, were away for long, lost a database or came from a backup; buckets that came from one."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from swampsync.backends.base import Create
from swampsync.backends.memory import MemoryStore
from swampsync.clock import SystemClock
from swampsync.errors import NotFound, Unavailable
from swampsync.layout import ObjectKey
from swampsync.log.catch_up import catch_up, read_state
from swampsync.log.checkpointing import Checkpointer
from swampsync.log.tail import Position
from swampsync.log.vacuum import apply_vacuum_plan, make_vacuum_plan, read_vacuum_input
from swampsync.log.verify import verify
from swampsync.repo import Repo
from swampsync.repo.sync_report import SyncOptions, SyncReport
from swampsync.sync.push_plan import PushLimits
from swampsync.testing.faulty_store import Call, Fault, no_faults
from tests.stateful.team import Member, Office

ALL = SyncOptions(hydrate=True, limits=PushLimits(is_confirmed=True))
DAY = 86_400.0


BOTH_MODES = pytest.mark.parametrize("namespace", ["", "infra"], ids=["solo", "namespaced"])


@pytest.fixture
def namespace() -> str:
    return "infra"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path, MemoryStore(SystemClock()))


@pytest.fixture
def ann(office: Office, namespace: str) -> Member:
    """A repo that has published two versions of `state`."""
    made = office.member("ann", namespace=namespace)
    put(made, "state", "1")
    put(made, "state", "2")
    return made


@pytest.fixture
def clone(office: Office, namespace: str, ann: Member) -> Member:
    """A second clone of the same repo, which has everything."""
    made = office.member("clone", repo_id="repo-ann", namespace=namespace)
    sync(made)
    return made


def put(member: Member, name: str, content: str, *, is_sent: bool = True) -> int:
    with member.process() as repo:
        if not is_sent:
            repo.leave_pending()
        return repo.data.put("m", name, io.BytesIO(content.encode())).metadata.version


def delete(member: Member, name: str, version: int, *, is_sent: bool = True) -> None:
    with member.process() as repo:
        if not is_sent:
            repo.leave_pending()
        repo.data.apply_delete(repo.data.plan_delete("m", name=name, version=version))


def write_file(member: Member, path: str, content: str) -> None:
    """Write another file and record it, published by the next sync."""
    with member.process() as repo:
        syncer = repo._parts.syncing.syncer_of(repo.namespace)
        syncer.copy.write_bytes(path, content.encode())
        syncer.record_file(path, kind="put")


def sync(member: Member) -> SyncReport:
    with member.process() as repo:
        report = repo.synchroniser.sync(ALL)
        assert report.failures == []
        return report


def versions(member: Member, name: str) -> dict[int, str]:
    """Read each version, verified."""
    with member.process() as repo:
        try:
            found = repo.data.versions("m", name)[1]
        except NotFound:
            return {}
        return {
            m.version: b"".join(repo.data.read(repo.data.get("m", name, version=m.version))).decode() for m in found
        }


def latest(member: Member, name: str) -> tuple[str, list[int]]:
    """Say what the marker on the disk and the catalog say is the latest."""
    (marker,) = (member.directory / ".swamp" / "remote").rglob(f"{name}/latest")
    with member.process() as repo:
        rows = [r for r in repo._parts.catalog.rows(member.namespace) if r.data_name == name]
    return marker.read_text(), [row.version for row in rows if row.is_latest]


def check_equal(office: Office, *members: Member) -> None:
    """Databases, catalogs and copies of the members are equal to each other and to the log."""
    log = office.log(members[0].namespace)
    assert verify(log).problems == ()
    state, head = read_state(log)
    catalogs, trees = [], []
    for member in members:
        assert sync(member).seq == head.seq
        with member.process() as repo:
            status = repo.synchroniser.status()
            assert (status.pending_puts, status.pending_removals, status.dead_letters) == (0, 0, ())
            catalogs.append(list(repo._parts.catalog.rows(member.namespace)))
            known = {r.path: r.sha256 for r in repo._parts.state.files.all(member.namespace)}
        assert known == {path: file.sha256 for path, file in state.files.items()}
        trees.append(member.tree())
    assert all(catalog == catalogs[0] for catalog in catalogs)
    assert all(tree == trees[0] for tree in trees)
    assert office.rewritten_keys() == []


def remove_databases(member: Member, *names: str) -> None:
    for name in names:
        for path in member.databases.glob(f"{name}*"):
            path.unlink()


def kept_aside(member: Member) -> dict[str, str]:
    base = member.directory / ".swamp" / "kept-aside"
    return {p.relative_to(base).as_posix(): p.read_text() for p in base.rglob("*") if p.is_file()}


Backup = dict[str, bytes]


def back_up(office: Office) -> Backup:
    return {info.key.text: office.store.get(info.key).body for info in office.store.list("")}


def restore(office: Office, backup: Backup) -> None:
    """Make the bucket what it was; what was written in between never happened."""
    for info in list(office.store.list("")):
        office.store.delete(info.key)
    office.dated.written.clear()
    for key, body in backup.items():
        office.store.put(ObjectKey(key), body, Create())


# --- two clones of one repo --------------------------------------------------------------------------------------


@BOTH_MODES
@pytest.mark.holds("I3")
@pytest.mark.holds("I5")
def test_two_clones_of_one_repo_number_their_offline_puts_apart(office: Office, ann: Member, clone: Member) -> None:
    """Both put offline under the same numbers: the later one's get the next, in trees, catalogs and `latest`."""
    assert [put(ann, "state", f"ann {n}", is_sent=False) for n in range(2)] == [3, 4]
    assert [put(clone, "state", f"clone {n}", is_sent=False) for n in range(3)] == [3, 4, 5]
    sync(ann)
    report = sync(clone)
    # 5 was a number of its own that another has taken the place of: numbers that were used stay used.
    assert [new.rpartition("/")[2] for _, new in report.renumbered] == ["6", "7", "8"]
    sync(ann)
    expected = {1: "1", 2: "2", 3: "ann 0", 4: "ann 1", 6: "clone 0", 7: "clone 1", 8: "clone 2"}
    assert versions(ann, "state") == versions(clone, "state") == expected
    assert latest(ann, "state") == latest(clone, "state") == ("8", [8])
    check_equal(office, ann, clone)


def test_two_clones_delete_and_put_offline(office: Office, ann: Member, clone: Member) -> None:
    """One deletes the latest version while the other puts the next one: both hold, and no number is used again."""
    delete(ann, "state", 2, is_sent=False)
    assert put(ann, "state", "ann", is_sent=False) == 3
    put(clone, "state", "clone", is_sent=False)
    sync(clone)
    sync(ann)
    sync(clone)
    assert versions(ann, "state") == versions(clone, "state") == {1: "1", 3: "clone", 4: "ann"}
    assert latest(ann, "state") == latest(clone, "state") == ("4", [4])
    check_equal(office, ann, clone)


# --- away for long ---------------------------------------------------------------------------------------------


@pytest.mark.holds("I1")
def test_stale_clone_catches_up_behind_checkpoints_and_vacuum(office: Office, ann: Member, clone: Member) -> None:
    """A clone that was away while objects it knows were vacuumed keeps its own work and gets all that there is."""
    put(clone, "state", "mine", is_sent=False)
    put(clone, "own", "mine", is_sent=False)
    for number in range(3, 9):
        put(ann, "state", str(number))
        delete(ann, "state", number - 2)
        with ann.process() as repo:
            log = repo._parts.syncing.syncer_of(repo.namespace).clone.log
            head = repo._parts.state.positions.find(ann.namespace)
            assert head is not None
            Checkpointer(log, office.clock, office.ids, "t").write(Position(head.seq, head.commit_id))
        office.clock.suspend(10 * DAY)
        known = read_vacuum_input(log, horizon=timedelta(days=3), server_now=office.clock.now())
        assert apply_vacuum_plan(log, make_vacuum_plan(log, known)) == {}
    assert not any("/state/1/" in info.key.text for info in office.store.list(""))
    sync(clone)
    sync(ann)
    assert sorted(versions(clone, "state").values()) == ["7", "8", "mine"]
    assert versions(ann, "own") == {1: "mine"}
    check_equal(office, ann, clone)


def test_clone_far_behind_begins_from_a_checkpoint(
    office: Office, ann: Member, clone: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a page of commits behind, the newest checkpoint is the way; pending work is kept, what went is gone."""
    defaults = dict(catch_up.__kwdefaults__ or {}) | {"page_keys": 4}
    monkeypatch.setattr("swampsync.log.catch_up.catch_up.__kwdefaults__", defaults)
    put(clone, "state", "mine", is_sent=False)
    delete(ann, "state", 1)
    for number in range(3, 9):
        put(ann, "state", str(number))
    with ann.process() as repo:
        log = repo._parts.syncing.syncer_of(repo.namespace).clone.log
        head = repo._parts.state.positions.find(ann.namespace)
        assert head is not None
        Checkpointer(log, office.clock, office.ids, "t").write(Position(head.seq, head.commit_id))
    put(ann, "state", "9")
    report = sync(clone)
    assert report.commits < 4  # the rest came as one state
    assert [new.rpartition("/")[2] for _, new in report.renumbered] == ["9", "10"]  # the tail took 9
    sync(ann)
    assert versions(clone, "state") == {2: "2", **{n: str(n) for n in range(3, 10)}, 10: "mine"}
    check_equal(office, ann, clone)


# --- lost databases --------------------------------------------------------------------------------------------


@BOTH_MODES
@pytest.mark.holds("I1")
@pytest.mark.holds("I5")
@pytest.mark.parametrize("lost", [("_sync.db",), ("_catalog.db",), ("_sync.db", "_catalog.db")], ids="+".join)
def test_lost_databases_are_made_anew(office: Office, ann: Member, clone: Member, lost: tuple[str, ...]) -> None:
    """Without either database, or both, everything is there again, pending versions too, and nothing comes twice."""
    put(clone, "state", "pending", is_sent=False)
    delete(ann, "state", 1)
    put(ann, "other", "x")
    remove_databases(clone, *lost)
    sync(clone)
    sync(ann)
    assert versions(ann, "state") == versions(clone, "state") == {2: "2", 3: "pending"}
    check_equal(office, ann, clone)


def test_version_that_was_deleted_elsewhere_does_not_come_back_with_a_lost_state(ann: Member, clone: Member) -> None:
    """What lies in the copy and not in the log is kept aside where somebody may have deleted it."""
    delete(ann, "state", 1)
    remove_databases(clone, "_sync.db")
    sync(clone)
    assert versions(clone, "state") == {2: "2"}
    assert "1" in kept_aside(clone).values()
    assert sync(ann).commits == 0


@pytest.mark.parametrize("command", ["get", "list", "put", "gc"])
def test_first_command_after_a_loss_works_without_a_sync(ann: Member, clone: Member, command: str) -> None:
    """Whatever is run first after both databases were lost finds the data, and the pending version with it."""
    put(clone, "state", "pending", is_sent=False)
    remove_databases(clone, "_sync.db", "_catalog.db")
    commands: dict[str, Callable[[Repo], object]] = {
        "get": lambda repo: repo.data.get("m", "state"),
        "list": lambda repo: repo.data.list("m"),
        "put": lambda repo: repo.data.put("m", "more", io.BytesIO(b"x")),
        "gc": lambda repo: repo.structural.gc(),
    }
    with clone.process() as repo:
        commands[command](repo)
    assert versions(clone, "state") == {1: "1", 2: "2", 3: "pending"}
    sync(clone)
    sync(ann)
    assert versions(ann, "state")[3] == "pending"


# --- clones from a backup --------------------------------------------------------------------------------------


@BOTH_MODES
@pytest.mark.holds("I1")
@pytest.mark.parametrize("is_published", [False, True])
def test_repo_restored_from_a_backup_goes_on(office: Office, ann: Member, clone: Member, *, is_published: bool) -> None:
    """A repo directory as it was before: what was pending then and is published now is not published again."""
    put(clone, "state", "then", is_sent=False)
    delete(clone, "state", 1, is_sent=False)
    backup = office.root / "backup"
    shutil.copytree(clone.directory, backup)
    if is_published:
        sync(clone)
        put(clone, "state", "later")
    put(ann, "state", "ann")
    shutil.rmtree(clone.directory)
    shutil.move(backup, clone.directory)
    sync(clone)
    sync(ann)
    found = versions(ann, "state")
    expected = ["2", "then", "later", "ann"] if is_published else ["2", "ann", "then"]
    assert [found[n] for n in sorted(found)] == expected
    check_equal(office, ann, clone)


@pytest.mark.holds("I1")
def test_state_restored_without_its_copy_loses_no_published_work(office: Office, ann: Member, clone: Member) -> None:
    """Databases as they were before, beside a newer copy: the log is caught up with, nothing is pushed twice."""
    put(clone, "state", "then", is_sent=False)
    backup = office.root / "backup"
    shutil.copytree(clone.databases, backup)
    sync(clone)
    put(clone, "state", "published later")
    delete(clone, "state", 1)
    shutil.rmtree(clone.databases)
    shutil.move(backup, clone.databases)
    sync(clone)
    sync(ann)
    assert versions(ann, "state") == versions(clone, "state") == {2: "2", 3: "then", 4: "published later"}
    check_equal(office, ann, clone)


# --- buckets from a backup -------------------------------------------------------------------------------------


@BOTH_MODES
@pytest.mark.holds("I1")
def test_bucket_restored_from_a_backup_is_noticed(office: Office, ann: Member, clone: Member) -> None:
    """A log shorter than the one that was applied: what is pending is kept, and what it lacks lies in `kept-aside`."""
    backup = back_up(office)
    put(ann, "state", "lost with the bucket")
    write_file(ann, "files/x", "lost too")
    sync(ann)
    sync(clone)
    put(clone, "state", "pending", is_sent=False)
    restore(office, backup)
    for member in (ann, clone):
        assert sync(member).is_replaced
        assert {"lost with the bucket", "lost too"} <= set(kept_aside(member).values())
    sync(ann)
    assert sorted(versions(ann, "state").values()) == ["1", "2", "pending"]
    check_equal(office, ann, clone)


@pytest.mark.holds("I1")
def test_other_content_under_known_numbers_is_noticed(office: Office, ann: Member, clone: Member) -> None:
    """After a restore somebody else went on: the same numbers of commits and versions mean other content now."""
    backup = back_up(office)
    put(ann, "state", "former 3")
    put(ann, "state", "former 4")
    put(ann, "state", "pending", is_sent=False)
    restore(office, backup)
    remove_databases(clone, "_sync.db")
    put(clone, "state", "new 3")
    put(clone, "state", "new 4")
    put(clone, "state", "new 5")
    assert sync(ann).is_replaced
    sync(clone)
    found = versions(ann, "state")
    assert [found[n] for n in sorted(found)] == ["1", "2", "new 3", "new 4", "new 5", "pending"]
    assert {"former 3", "former 4"} <= set(kept_aside(ann).values())
    check_equal(office, ann, clone)


@BOTH_MODES
@pytest.mark.holds("I1")
@pytest.mark.parametrize("is_shorter", [False, True])
def test_uploads_that_a_restored_bucket_lacks_are_made_again(
    office: Office, ann: Member, clone: Member, *, is_shorter: bool
) -> None:
    """A push that was cut off after its uploads does not trust them when the bucket is another one."""
    backup = back_up(office)
    if is_shorter:
        put(ann, "other", "x")
        sync(clone)

    def no_commit(call: Call) -> Fault | None:
        return Fault.LOST_REQUEST if "_log/" in call.key and call.method == "put" else None

    put(clone, "state", "mine", is_sent=False)
    write_file(clone, "files/x", "mine")
    office.faulty.plan = no_commit
    with pytest.raises(Unavailable):
        sync(clone)
    office.faulty.plan = no_faults
    restore(office, backup)
    sync(clone)
    assert verify(office.log(ann.namespace)).problems == ()
    sync(ann)
    assert "mine" in versions(ann, "state").values()
    check_equal(office, ann, clone)


def test_emptied_bucket_loses_no_content_of_a_clone(office: Office, ann: Member, clone: Member) -> None:
    """A bucket that was emptied is another log: what lay in the copy is kept aside, pending work goes up."""
    put(clone, "state", "pending", is_sent=False)
    registration = {
        key: body for key, body in back_up(office).items() if "/_log/" not in f"/{key}" and "data" not in key
    }
    restore(office, registration)
    assert sync(clone).is_replaced
    assert {"1", "2"} <= set(kept_aside(clone).values())
    sync(ann)
    assert "pending" in versions(ann, "state").values()
