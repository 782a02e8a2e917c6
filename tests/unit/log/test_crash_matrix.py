from __future__ import annotations

from dataclasses import replace

import pytest

from swampsync.backends.base import Create
from swampsync.log.catch_up import read_state
from swampsync.log.checkpointing import Checkpointer
from swampsync.log.commit import CommitDraft
from swampsync.log.state import NamespaceState
from swampsync.log.tail import BEGINNING, tail
from swampsync.testing.faulty_store import Fault, Faulty, SimulatedCrash, fault_at
from tests.unit.log.conftest import Ids, World, Writer, draft, file_put, version


def prepare(world: World) -> Writer:
    writer = world.writer(1)
    writer.push(draft(version("state", 1), put=[file_put("files/old")]))
    return writer


def plan() -> CommitDraft:
    put = [file_put(f"files/{number:04d}") for number in range(1_001)]
    return draft(version("state", 2), put=put, remove=["files/old"])


def push_everything(writer: Writer) -> None:
    """Upload, publish a commit with a segment, write a checkpoint: every write that a push consists of."""
    writer.pull()
    row, raw = version("state", 2)
    for path in (row.path, raw.path):
        writer.log.store.put(writer.log.layout.key(path), path.encode(), Create())
    writer.push(plan(), pull=False)
    Checkpointer(writer.log, writer.clock, writer.ids, "t").write(writer.position)


def calls_of_a_push() -> int:
    world = World()
    prepare(world)
    faulty = Faulty(world.store)
    push_everything(world.writer(2, store=faulty))
    return len(faulty.calls)


CALLS = calls_of_a_push()


def undisturbed() -> tuple[NamespaceState, NamespaceState]:
    world = World()
    writer = prepare(world)
    before = writer.state.copy()
    writer.push(plan())
    return before, writer.state


def test_a_push_has_as_many_writes_as_the_matrix_has_rows() -> None:
    """Two uploads, a segment, the commit, the checkpoint's segment and the checkpoint."""
    world = World()
    prepare(world)
    faulty = Faulty(world.store)
    push_everything(world.writer(2, store=faulty))
    puts = [call.key.split("/")[1] for call in faulty.calls if call.method == "put"]
    assert puts == ["data", "data", "_segments", "_log", "_segments", "_checkpoints"]


@pytest.mark.holds("I2")
@pytest.mark.holds("I11")
@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER], ids=["before", "after"])
@pytest.mark.parametrize("number", range(CALLS))
def test_crash_at_any_call_leaves_all_or_nothing(number: int, fault: Fault) -> None:
    """Wherever a push dies, readers see the state before it or after it, and nobody is in the next one's way."""
    before, after = undisturbed()
    world = World()
    prepare(world)
    writer = world.writer(2, store=Faulty(world.store, fault_at(number, fault)))
    with pytest.raises(SimulatedCrash):
        push_everything(writer)
    state, _ = read_state(world.log)
    commits = [p.commit for p in tail(world.log, BEGINNING).commits()]
    is_published = len(commits) == 2
    expected = after if is_published else before
    assert (state.files, sorted(state.artifact_paths)) == (expected.files, sorted(expected.artifact_paths))
    # What was remembered before the create tells the next run which of the two it is.
    assert is_published == any((commits[-1].seq, commits[-1].id) == noted for noted in writer.remembered)

    second = Writer(replace(world.log), world.clock, 3)
    second.push(draft(put=[file_put("files/next")]))
    if not is_published:
        second.push(plan())
    Checkpointer(world.log, world.clock, Ids(9), "t").write(second.position)
    state, _ = read_state(world.log)
    assert set(state.files) == {*after.files, "files/next"}
    assert state == second.state
