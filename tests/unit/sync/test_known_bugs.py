"""What went wrong in other tools that keep data in buckets; the numbers are those of `design/known-sync-bugs.md`."""

from __future__ import annotations

import io
import os
from datetime import timedelta
from pathlib import Path

import pytest

from swampsync.backends.base import Overwrite
from swampsync.backends.memory import MemoryStore
from swampsync.catalog.files import FileState
from swampsync.clock import SystemClock
from swampsync.disk import LocalDisk
from swampsync.errors import DataError, Refused, Unavailable
from swampsync.layout import Layout, ObjectKey
from swampsync.log.log import Log
from swampsync.log.vacuum import apply_vacuum_plan, make_vacuum_plan, read_vacuum_input
from swampsync.namespace import SOLO
from swampsync.repo.sync_report import SyncOptions
from swampsync.sync.hydrate import Hydrator
from swampsync.sync.local_copy import LocalCopy
from swampsync.sync.position import read_position
from swampsync.testing.faulty_store import Fault, Faulty, no_faults
from swampsync.testing.manual_clock import ManualClock
from tests.stateful.team import Member, Office
from tests.unit.sync.conftest import MODEL, Desk, Team

Pair = tuple[Desk, Desk]


def raw(name: str, number: int = 1) -> str:
    return f"data/{MODEL.type}/{MODEL.id}/{name}/{number}/raw"


def key_of(desk: Desk, path: str) -> ObjectKey:
    return desk.layout.key(path)


def test_13_passing_error_is_not_an_empty_bucket(team: Team, pair: Pair) -> None:
    """A listing that fails for the moment changes nothing: only a log that was read counts."""
    ann, _ = pair
    ann.put("state", "one")
    ann.push()
    rows = ann.rows()
    faulty = Faulty(team.memory, lambda call: Fault.LOST_REQUEST if call.method == "list" else None)
    ann.use(faulty)
    with pytest.raises(Unavailable):
        ann.pull()
    assert ann.rows() == rows
    faulty.plan = no_faults
    assert ann.pull().is_nothing_new


def test_18_missing_object_fails_alone(team: Team, pair: Pair) -> None:
    """An object that is gone is reported for that file; everything else comes, and it is tried again next time."""
    ann, bob = pair
    for name in ("a", "b", "c"):
        ann.put(name, name)
    ann.push()
    bob.pull()
    team.memory.delete(key_of(bob, raw("b")))
    hydrated = bob.hydrate()
    assert hydrated.files == 2
    assert [path for path, _ in hydrated.failures] == [raw("b")]
    bob.hydrate()
    assert [d.attempts for d in bob.state.dead_letters.of_namespace(bob.namespace.name)] == [2]


def test_18_file_removed_while_it_is_fetched_is_no_failure(team: Team, pair: Pair) -> None:
    """If the log says meanwhile that a missing file was removed, nothing is wrong."""
    ann, bob = pair
    for name in ("a", "b", "c"):
        ann.put(name, name)
    ann.push()
    bob.pull()
    ann.delete("b", 1)
    ann.push()
    team.memory.delete(key_of(bob, raw("b")))
    hydrated = bob.hydrate()
    assert (hydrated.files, hydrated.failures) == (2, [])


def test_27_every_commit_is_seen_by_whoever_looks(pair: Pair) -> None:
    """What others publish between our look and our push is not masked by our own position."""
    ann, bob = pair
    ann.put("a", "1")
    ann.push()
    bob.put("b", "1")
    bob.push()
    ann.put("c", "1")
    ann.push()
    bob.pull()
    assert sorted(row.data_name for row in ann.rows()) == sorted(row.data_name for row in bob.rows()) == ["a", "b", "c"]


def test_30_first_push_after_a_pull_uploads_nothing(team: Team, pair: Pair) -> None:
    """What was pulled and fetched is not pushed again, however new its files are."""
    ann, bob = pair
    ann.put("state", "one")
    ann.push()
    bob.pull()
    bob.hydrate()
    before = team.objects()
    assert bob.push().seq == 0
    assert team.objects() == before


def test_37_missing_files_are_no_deletions(team: Team, pair: Pair) -> None:
    """A clone whose whole copy vanished, or was never fetched, removes nothing from the bucket."""
    ann, bob = pair
    for name in ("a", "b"):
        ann.put(name, name)
    ann.push()
    bob.pull()
    for name in ("a", "b"):
        ann.copy.remove_version(f"data/{MODEL.type}/{MODEL.id}/{name}/1")
    before = team.objects()
    ann.push()
    bob.push()
    assert team.objects() == before
    assert ann.versions("a") == {1: "a"}


def test_b1_change_of_equal_size_is_not_overwritten(pair: Pair) -> None:
    """A stale copy of equal size never replaces newer content."""
    ann, bob = pair
    ann.write_file("files/latest", "1")
    ann.push()
    bob.pull()
    bob.hydrate()
    ann.write_file("files/latest", "2")
    ann.push()
    bob.put("other", "x")
    bob.push()
    ann.pull()
    ann.hydrate()
    assert ann.copy.read("files/latest") == b"2"


def test_b18_links_are_not_written_through(tmp_path: Path) -> None:
    """A directory of the copy that is a link elsewhere gets nothing written or removed through it."""
    outside = tmp_path / "outside"
    base = tmp_path / "repo" / ".swamp" / "remote"
    outside.mkdir()
    (outside / "x").write_text("theirs")
    base.mkdir(parents=True)
    os.symlink(outside, base / "files")
    clock = ManualClock()
    copy = LocalCopy(LocalDisk(), Layout(str(tmp_path / "repo"), str(base), SOLO), clock=clock, new_id=lambda: "id")
    with pytest.raises(Refused, match="symbolic link"):
        copy.write_bytes("files/x", b"ours")
    with pytest.raises(Refused, match="symbolic link"):
        copy.remove("files/x")
    assert (outside / "x").read_text() == "theirs"


def test_b19_wrong_bytes_are_never_kept(team: Team, pair: Pair) -> None:
    """An object that does not hold what the log names is refused, and nothing of it lies in the copy."""
    ann, bob = pair
    ann.put("state", "right")
    ann.push()
    bob.pull()
    team.memory.put(key_of(bob, raw("state")), b"wrong", Overwrite())
    with pytest.raises(DataError, match="does not hold the content"):
        Hydrator(bob.clone, bob.copy).require(raw("state"))
    assert bob.copy.stat(raw("state")) is None
    record = bob.state.files.find(bob.namespace.name, raw("state"))
    assert record is not None
    assert record.state is FileState.REMOTE


def test_b11_namespaces_have_positions_of_their_own(team: Team) -> None:
    """How far one namespace's log was applied says nothing of another's."""
    ann = team.desk("ann")
    ann.put("state", "one")
    ann.push()
    assert read_position(ann.clone).seq == 1
    assert ann.state.positions.find("elsewhere") is None


def test_b20_fetched_content_lies_where_it_is_read(pair: Pair) -> None:
    """Content comes to the very path that the tree reads from."""
    ann, bob = pair
    ann.put("state", "one")
    ann.push()
    bob.pull()
    bob.hydrate()
    path = bob.artifacts.content_path(MODEL, "state", version=1)
    assert bob.disk.read_bytes(path) == b"one"


def test_11_large_content_is_streamed_both_ways(pair: Pair) -> None:
    """Content above what one request holds is uploaded and fetched whole, and verified."""
    ann, bob = pair
    content = "0123456789abcdef" * (6 * 1024 * 1024 // 16)
    ann.put("big", content)
    ann.push()
    bob.pull()
    assert bob.versions("big") == {1: content}


def test_abandoned_upload_takes_another_number(team: Team, pair: Pair) -> None:
    """What was uploaded more than a day ago is given up, because vacuum may have taken it: it goes up again."""
    ann, bob = pair
    ann.put("state", "one")
    ann.write_file("files/a", "1")
    faulty = Faulty(
        team.memory, lambda call: Fault.LOST_REQUEST if "_log/" in call.key and call.method == "put" else None
    )
    ann.use(faulty)
    with pytest.raises(Unavailable):
        ann.push()
    team.clock.sleep(30 * 3600.0)
    faulty.plan = no_faults
    ann.push()
    bob.pull()
    assert bob.versions("state") == {2: "one"}
    record = bob.state.files.find(bob.namespace.name, "files/a")
    assert record is not None
    assert (record.key or "").startswith("files/a~")


def test_dead_writers_claim_is_a_gap(team: Team, pair: Pair) -> None:
    """A number that somebody claimed and never published is passed over by everybody."""
    ann, bob = pair
    ann.put("state", "lost")
    faulty = Faulty(team.memory, lambda call: Fault.LOST_REQUEST if call.key.endswith("/raw") else None)
    ann.use(faulty)
    with pytest.raises(Unavailable):
        ann.push()
    bob.put("state", "bob")
    pushed = bob.push()
    assert pushed.seq == 1
    assert bob.versions("state") == {2: "bob"}
    ann.use(team.store)
    ann.push()
    bob.pull()
    assert bob.versions("state") == ann.versions("state") == {2: "bob", 1: "lost"}


def test_33_directory_in_place_of_a_file_fails_alone(pair: Pair) -> None:
    """A file that is a directory by the time of its push is reported, and tried again; the rest is published."""
    ann, bob = pair
    ann.write_file("files/a", "a")
    ann.write_file("files/b", "b")
    ann.put("state", "one")
    ann.disk.unlink(ann.copy.path("files/a"))
    ann.disk.mkdir(ann.copy.path("files/a"))
    assert [path for path, _ in ann.push().failures] == ["files/a"]
    bob.pull()
    assert sorted(path for path in bob.files() if path.startswith("files/")) == ["files/b"]
    ann.disk.rmdir(ann.copy.path("files/a"))
    ann.write_file("files/a", "a")
    assert ann.push().failures == []
    assert ann.copy.read("files/a") == b"a"


def test_40_pending_work_of_another_namespace_is_not_pushed(tmp_path: Path) -> None:
    """What a repo left pending without a namespace is published neither in the namespace that it uses now nor lost."""
    office = Office(tmp_path, MemoryStore(SystemClock()))
    solo = office.member("ann", namespace="")
    with solo.process() as repo:
        repo.leave_pending()
        repo.data.put("m", "state", io.BytesIO(b"of solo"))
    ann = Member(office, solo.directory, "infra")
    with ann.process() as repo:
        repo.namespaces.set("infra")
    with ann.process() as repo:
        repo.data.put("m", "other", io.BytesIO(b"of infra"))
        assert repo.synchroniser.sync(SyncOptions()).pushed == 0
    bodies = [office.store.get(info.key).body for info in office.store.list("")]
    assert b"of infra" in bodies
    assert b"of solo" not in bodies
    with ann.process() as repo:
        repo.namespaces.unset()
    with solo.process() as repo:
        assert b"".join(repo.data.read(repo.data.get("m", "state"))) == b"of solo"
        assert repo.synchroniser.sync(SyncOptions()).pushed > 0


def test_49_clones_of_one_machine_share_no_copy(tmp_path: Path) -> None:
    """Two repos of one machine keep what they fetch and what is pending each in its own directory."""
    office = Office(tmp_path, MemoryStore(SystemClock()))
    ann, bob = office.member("ann"), office.member("bob")
    with ann.process() as repo:
        repo.leave_pending()
        repo.data.put("m", "state", io.BytesIO(b"pending"))
    with bob.process() as repo:
        assert repo.synchroniser.pending() == []
        assert repo.synchroniser.sync(SyncOptions(hydrate=True)).pushed == 0
    assert bob.tree() == {}
    assert b"pending" in ann.tree().values()


@pytest.mark.holds("I12")
def test_number_that_the_log_has_passed_is_not_claimed(team: Team, pair: Pair) -> None:
    """A pending version whose number somebody else skipped gets a new one: a dead claim there may be vacuumed."""
    ann, bob = pair
    ann.put("state", "1")
    ann.push()
    bob.pull()
    bob.put("state", "bob")
    ann.put("state", "dead")
    ann.use(Faulty(team.memory, lambda call: Fault.LOST_REQUEST if call.key.endswith("/raw") else None))
    with pytest.raises(Unavailable):
        ann.push()
    ann.use(team.store)
    ann.delete("state", 2)
    ann.put("state", "3")
    ann.push()
    team.clock.sleep(30 * 86_400.0)
    log = Log(team.store, ann.layout)
    known = read_vacuum_input(log, horizon=timedelta(days=3), server_now=team.clock.now())
    apply_vacuum_plan(log, make_vacuum_plan(log, known))
    assert not any("/state/2/" in key for key in team.objects())
    bob.push()
    ann.pull()
    assert bob.versions("state") == ann.versions("state") == {1: "1", 3: "3", 4: "bob"}
    assert not any("/state/2/" in key for key in team.objects())
