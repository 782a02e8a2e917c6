"""Bringing back what was removed: the same version under a key of its own, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from swampsync.backends.base import Overwrite
from swampsync.catalog.files import FileState
from swampsync.errors import DataError, LeaseLost, Refused, SwampsyncError
from swampsync.log.catch_up import read_state
from swampsync.log.log import Log
from swampsync.log.state import NamespaceState
from swampsync.log.undelete import Undelete, find_missing, find_removed, look_for_objects
from swampsync.log.vacuum import apply_vacuum_plan, make_vacuum_plan, read_vacuum_input
from swampsync.log.verify import verify
from swampsync.namespace import SOLO
from swampsync.sync.push_plan import PushLimits
from swampsync.sync.restoring import Restored, Restorer
from swampsync.sync.verifying import compare_contents
from swampsync.testing.faulty_store import Call, Fault, Faulty, SimulatedCrash, fault_at
from tests.unit.sync.conftest import Desk, Team

CONFIRMED = PushLimits(is_confirmed=True)


def everything(_path: str) -> bool:
    return True


def removed(desk: Desk, wants: Callable[[str], bool] = everything) -> list[Undelete]:
    log = Log(desk.clone.log.store, desk.layout)
    return look_for_objects(log, find_removed(log, now=read_state(log)[0], since=None, wants=wants))


def restore(desk: Desk, wanted: list[Undelete] | None = None) -> Restored:
    found = removed(desk) if wanted is None else wanted
    return Restorer(desk.clone, desk.copy).restore(found, desk.pull())


def build(desk: Desk) -> None:
    """Two versions and a file, all removed by one commit each."""
    desk.put("state", "one")
    desk.put("state", "two")
    desk.write_file("files/a", "a")
    desk.push(CONFIRMED)
    desk.delete("state", 1, 2)
    desk.push(CONFIRMED)
    desk.remove_file("files/a")
    desk.push(CONFIRMED)


@pytest.mark.holds("I12")
def test_removed_things_come_back_to_every_clone(team: Team, pair: tuple[Desk, Desk]) -> None:
    """Versions keep number, id and digest, files their path; objects lie under new keys, and the old ones stay."""
    ann, bob = pair
    build(ann)
    before = team.objects()
    then = {m.version: m.json for m in ann.state.metadata.of_artifact(ann.key("state"))}
    assert then == {}
    found = removed(ann)
    assert [(u.path.rpartition("/")[2], u.is_whole, u.removed_by and u.removed_by.seq) for u in found] == [
        ("1", True, 2),
        ("2", True, 2),
        ("a", True, 3),
    ]
    bob.pull()
    restored = restore(bob, found)
    assert (restored.seq, len(restored.items), restored.size) == (4, 3, 7)
    for desk in (ann, bob, team.desk("carl")):
        desk.pull()
        assert desk.versions("state") == {1: "one", 2: "two"}
        assert desk.files()["files/a"]
        assert [row.version for row in desk.rows() if row.is_latest] == [2]
    assert set(before) < set(team.objects())
    assert verify(ann.clone.log).problems == ()
    assert not [k for k in set(team.objects()) - set(before) if "/_log/" not in f"/{k}" and "~" not in k]


def test_numbers_go_on_behind_what_came_back(pair: tuple[Desk, Desk]) -> None:
    """The next version gets the next number, as if nothing had been removed."""
    ann, bob = pair
    build(ann)
    restore(ann)
    bob.pull()
    assert bob.put("state", "three").version == 3
    bob.push()
    ann.pull()
    assert ann.versions("state") == {1: "one", 2: "two", 3: "three"}


def test_newest_removal_decides_and_older_ones_come_next(pair: tuple[Desk, Desk]) -> None:
    """What one commit removed comes back first; looking again finds what an earlier one removed."""
    ann, _ = pair
    for content in ("one", "two", "three"):
        ann.put("state", content)
    ann.push(CONFIRMED)
    for number in (1, 2):
        ann.delete("state", number)
        ann.push(CONFIRMED)
    assert [u.path.rpartition("/")[2] for u in removed(ann)] == ["2"]
    restore(ann)
    assert [u.path.rpartition("/")[2] for u in removed(ann)] == ["1"]
    restore(ann)
    assert removed(ann) == []
    assert ann.versions("state") == {1: "one", 2: "two", 3: "three"}


def test_replaced_file_comes_back_with_what_it_held_last(pair: tuple[Desk, Desk]) -> None:
    """Of a file that was changed and then removed the last content comes back, from the key it lay at."""
    ann, bob = pair
    ann.write_file("files/a", "old")
    ann.push(CONFIRMED)
    ann.write_file("files/a", "new")
    ann.push(CONFIRMED)
    ann.remove_file("files/a")
    ann.push(CONFIRMED)
    restore(bob)
    ann.pull()
    assert ann.files() == bob.files()
    record = ann.state.files.find(ann.namespace.name, "files/a")
    assert record is not None
    assert record.state is FileState.REMOTE
    assert ann.hydrate().failures == []
    assert ann.copy.read("files/a") == b"new"


def test_content_that_is_gone_is_named_before_anything_is_written(team: Team, pair: tuple[Desk, Desk]) -> None:
    """One object that was vacuumed stops the whole, and the bucket is as before."""
    ann, _ = pair
    build(ann)
    (raw,) = [info.key for info in team.memory.list("") if info.key.text.endswith("/state/1/raw")]
    team.memory.delete(raw)
    before = team.objects()
    with pytest.raises(DataError, match="state/1` is gone") as caught:
        restore(ann)
    assert caught.value.hint == "--skip-missing brings back the others"
    assert team.objects() == before


def test_content_that_is_damaged_is_not_published(team: Team, pair: tuple[Desk, Desk]) -> None:
    """Other bytes of the same size are found before the commit."""
    ann, _ = pair
    build(ann)
    (raw,) = [info.key for info in team.memory.list("") if info.key.text.endswith("/state/1/raw")]
    team.memory.put(raw, b"ONE", Overwrite())
    with pytest.raises(DataError, match="does not hold the content"):
        restore(ann)
    assert len([key for key in team.objects() if "_log/" in key]) == 3


def test_work_that_is_not_published_is_not_overtaken(pair: tuple[Desk, Desk]) -> None:
    """A file that was written here again, and one in whose place a directory is now, are refused."""
    ann, bob = pair
    build(ann)
    ann.write_file("files/a", "mine")
    with pytest.raises(Refused, match="not published yet"):
        restore(ann)
    bob.pull()
    bob.write_file("files/a/b", "theirs")
    bob.push()
    with pytest.raises(Refused, match="there is a directory of that name now"):
        restore(bob)


def test_what_others_brought_back_meanwhile_is_left_out(team: Team, pair: tuple[Desk, Desk]) -> None:
    """Two that bring back the same at once make one of it, and no version is there twice."""
    ann, bob = pair
    build(ann)
    found = removed(bob)

    def ann_first(call: Call) -> None:
        if call.method == "put" and "_log/" in call.key:
            faulty.plan = lambda _call: None
            assert restore(ann, found[:1]).seq == 4

    faulty = Faulty(team.store, ann_first)
    bob.use(faulty)
    restored = restore(bob, found)
    assert restored.seq == 5
    assert [item.path for item in restored.items] == [item.path for item in found[1:]]
    ann.pull()
    for desk in (ann, bob):
        assert desk.versions("state") == {1: "one", 2: "two"}
    assert restore(ann, found) == Restored(0, ())
    assert verify(ann.clone.log).problems == ()


def test_a_lock_that_is_lost_while_others_come_first_stops_the_commit(team: Team, pair: tuple[Desk, Desk]) -> None:
    """The lock is asked before each try, not only before the first: nothing is published after the loss."""
    ann, bob = pair
    build(ann)
    found = removed(bob)
    is_lost = False

    def ann_first(call: Call) -> None:
        nonlocal is_lost
        if call.method == "put" and "_log/" in call.key:
            faulty.plan = lambda _call: None
            assert restore(ann, found[:1]).seq == 4
            is_lost = True

    def check() -> None:
        if is_lost:
            raise LeaseLost("somebody has the lock")

    faulty = Faulty(team.store, ann_first)
    bob.use(faulty)
    with pytest.raises(LeaseLost):
        Restorer(bob.clone, bob.copy, check=check).restore(found, bob.pull())
    assert [item.path for item in removed(ann)] == [item.path for item in found[1:]]


def test_a_large_content_is_copied_as_a_stream(team: Team, pair: tuple[Desk, Desk]) -> None:
    """Above 4 MiB nothing is held in memory whole, and the digest is still compared."""
    ann, bob = pair
    content = b"x" * (4 * 1024 * 1024 + 1)
    ann.put("big", content)
    ann.push(CONFIRMED)
    ann.delete("big", 1)
    ann.push(CONFIRMED)
    faulty = Faulty(team.store)
    bob.use(faulty)
    restore(bob)
    assert [call.method for call in faulty.calls if call.method in {"open", "put_stream"}] == ["open", "put_stream"]
    ann.pull()
    assert ann.versions("big") == {1: content.decode()}


def test_everything_of_then_can_be_asked_for(pair: tuple[Desk, Desk]) -> None:
    """With an earlier state all that existed then and does not now is found, whichever commit removed it."""
    ann, _ = pair
    build(ann)
    log = ann.clone.log
    then = NamespaceState()
    published = log.read_commit(1)
    then.apply(published.commit, log.rows(published.commit))
    found = find_missing(then=then, now=read_state(log)[0], wants=lambda path: path.startswith("data/"))
    assert len(found) == 2
    restore(ann, found)
    assert ann.versions("state") == {1: "one", 2: "two"}
    assert "files/a" not in ann.files()


# --- dying -------------------------------------------------------------------------------------------------------


def scene() -> tuple[Team, Desk, Desk]:
    team = Team(SOLO)
    ann, bob = team.desk("ann"), team.desk("bob")
    build(ann)
    bob.pull()
    return team, ann, bob


def calls_of_a_restore() -> int:
    team, _, bob = scene()
    faulty = Faulty(team.store)
    bob.use(faulty)
    restore(bob)
    team.close()
    return len(faulty.calls)


CALLS = calls_of_a_restore()


@pytest.mark.holds("I11")
@pytest.mark.holds("I2")
@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.LOST_ANSWER], ids=lambda f: f.value)
@pytest.mark.parametrize("number", range(CALLS))
def test_dying_at_any_request_brings_back_all_or_nothing(number: int, fault: Fault) -> None:
    """Readers see everything back or nothing, the log verifies, and doing it again ends with everything there once."""
    team, ann, bob = scene()
    bob.use(Faulty(team.store, fault_at(number, fault)))
    with suppress(SimulatedCrash, SwampsyncError):  # what it is, is the fault's; what is left, is ours
        restore(bob)
    assert verify(ann.clone.log).problems == ()
    ann.pull()
    assert ann.versions("state") in ({}, {1: "one", 2: "two"})
    assert ("files/a" in ann.files()) == bool(ann.versions("state"))
    bob.use(team.store)
    restore(bob)
    for desk in (ann, bob):
        desk.pull()
        assert desk.versions("state") == {1: "one", 2: "two"}
        assert "files/a" in desk.files()
    assert bob.work.is_empty()
    assert verify(ann.clone.log).problems == ()
    assert read_state(ann.clone.log)[0].seq == 4
    team.close()


@pytest.mark.holds("I1")
@pytest.mark.parametrize("number", range(CALLS))
def test_vacuum_at_any_moment_of_a_restore_takes_nothing_that_is_named(number: int) -> None:
    """Either everything is back and stays, or the contents were gone and nothing was published."""
    team, ann, bob = scene()
    team.clock.advance(30 * 86400.0)

    def vacuum_now(call: Call) -> None:
        if call.number == number:
            known = read_vacuum_input(ann.clone.log, horizon=timedelta(days=7), server_now=team.clock.now())
            apply_vacuum_plan(ann.clone.log, make_vacuum_plan(ann.clone.log, known))

    bob.use(Faulty(team.store, vacuum_now))
    found = removed(ann)
    is_gone = False
    try:
        restored = restore(bob, found)
    except DataError:
        is_gone = True
    else:
        assert len(restored.items) == 3
    assert is_gone or number > 0  # before the first request everything is still there
    assert verify(ann.clone.log).problems == ()
    ann.pull()
    assert ann.versions("state") == ({} if is_gone else {1: "one", 2: "two"})
    assert list(compare_contents(ann.clone, read_state(ann.clone.log)[0])) == []
    team.close()
