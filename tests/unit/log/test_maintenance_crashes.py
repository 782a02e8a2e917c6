"""Vacuum and repair that die, or lose an answer, at every single request, and a push at every moment of a vacuum."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from swampsync.backends.base import Capabilities, ObjectStore, Overwrite
from swampsync.backends.counting import Counting
from swampsync.errors import SwampsyncError
from swampsync.log.checkpointing import Checkpointer
from swampsync.log.history import read_state_at
from swampsync.log.log import Log
from swampsync.log.repair import apply_repair_plan, make_repair_plan
from swampsync.log.tail import Position
from swampsync.log.vacuum import apply_vacuum_plan, make_vacuum_plan, read_vacuum_input
from swampsync.log.verify import verify
from swampsync.testing.faulty_store import Call, Fault, Faulty, SimulatedCrash, fault_at
from tests.unit.log.conftest import Ids, World, Writer, draft, file_put, remove_version, version
from tests.unit.log.test_verify_repair import (
    SIGNATURE,
    build,
    checkpoint_at,
    damage,
    lose,
    push,
    read_artifact,
)

DAY = 24 * 3600.0
FAULTS = [Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.DUPLICATE, Fault.CUT]


class InTwos(Counting):
    """A store that removes two objects a request, so that a vacuum takes several."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, max_delete_many=2)


# --- vacuum --------------------------------------------------------------------------------------------------


def old_world() -> tuple[World, Writer]:
    """A month-old history with removals, replacements, dead uploads and checkpoints, and one young removal."""
    world, writer, _ = build()
    checkpoint_at(world, 3)
    checkpoint_at(world, 8)
    world.clock.advance(30 * DAY)
    push(world, writer, draft(version("e", 1, "x"), remove=["files/3"]), {version("e", 1, "x")[1].path: "x"})
    Checkpointer(world.log, world.clock, Ids(99), "t").write(Position.of(world.log.read_commit(9)))
    return world, writer


def vacuum(world: World, store: ObjectStore) -> None:
    log = Log(InTwos(store, world.counter), world.log.layout)
    known = read_vacuum_input(log, horizon=timedelta(days=7), server_now=world.clock.now())
    apply_vacuum_plan(log, make_vacuum_plan(log, known))


def undisturbed() -> tuple[int, list[str], list[str]]:
    world, _ = old_world()
    before = world.keys("")
    faulty = Faulty(world.memory)
    vacuum(world, faulty)
    return len(faulty.calls), before, world.keys("")


CALLS, BEFORE, AFTER = undisturbed()


def test_the_undisturbed_vacuum_takes_several_requests() -> None:
    """Otherwise the matrix below would show little."""
    assert len(BEFORE) - len(AFTER) >= 7
    assert verify(old_world()[0].log).problems == ()


@pytest.mark.holds("I1")
@pytest.mark.holds("I11")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.value)
@pytest.mark.parametrize("number", range(CALLS))
def test_vacuum_that_dies_loses_nothing(number: int, fault: Fault) -> None:
    """Wherever it dies, the log verifies, every state of the horizon is read, and the next one ends as one would."""
    world, writer = old_world()
    with suppress(SimulatedCrash, SwampsyncError):
        vacuum(world, Faulty(world.memory, fault_at(number, fault)))
    assert verify(world.log).problems == ()
    assert read_state_at(world.log, 9) == writer.state
    assert read_state_at(world.log, 8).exists("files/3")
    assert set(AFTER) <= set(world.keys("")) <= set(BEFORE)
    vacuum(world, world.memory)
    assert world.keys("") == AFTER


@pytest.mark.holds("I1")
@pytest.mark.parametrize("number", range(CALLS))
def test_push_at_any_moment_of_a_vacuum_loses_nothing(number: int) -> None:
    """Another clone puts, replaces and removes, and writes a checkpoint, between any two requests of a vacuum."""
    world, writer = old_world()

    def push_now(call: Call) -> None:
        if call.number == number:
            row, raw = version("f", 1, "x")
            again = file_put("files/1", "xx", base="x", key="files/1~22222222")
            plan = draft((row, raw), put=[again], remove=remove_version("d", 1))
            push(world, writer, plan, {raw.path: "x", "files/1": "xx"})
            Checkpointer(world.log, world.clock, Ids(5), "t").write(writer.position)

    with suppress(SwampsyncError):
        vacuum(world, Faulty(world.memory, push_now))
    assert writer.position.seq == 10
    for _ in range(2):
        assert verify(world.log).problems == ()
        assert read_state_at(world.log, 10) == writer.state
        assert read_state_at(world.log, 9).exists("files/1")
        vacuum(world, world.memory)


# --- repair --------------------------------------------------------------------------------------------------


def broken_world() -> World:
    """Two commits before a checkpoint and two after it cannot be read, nor can a newer checkpoint."""
    world, _, _ = build(World())
    checkpoint_at(world, 4)
    checkpoint_at(world, 7)
    world.memory.put(world.log.layout.checkpoint_key(7), b"{", Overwrite())
    damage(world, 2)
    lose(world, 3)
    lose(world, 5)
    damage(world, 7)
    return world


def repair(world: World, store: ObjectStore) -> None:
    log = Log(store, world.log.layout)
    plan = make_repair_plan(log, read_artifact, signature=SIGNATURE, new_id=Ids(77))
    apply_repair_plan(log, plan, clock=world.clock, new_id=Ids(78))


def undisturbed_repair() -> tuple[int, World]:
    world = broken_world()
    faulty = Faulty(world.memory)
    repair(world, faulty)
    return len(faulty.calls), world


REPAIR_CALLS, REPAIRED = undisturbed_repair()


def test_the_undisturbed_repair_mends_everything() -> None:
    """Otherwise the matrix below would show little."""
    assert len(verify(broken_world().log).problems) >= 5
    assert verify(REPAIRED.log).problems == ()


@pytest.mark.holds("I11")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.value)
@pytest.mark.parametrize("number", range(REPAIR_CALLS))
def test_repair_that_dies_can_be_done_again(number: int, fault: Fault) -> None:
    """Wherever it dies, doing it again leads to the state that one run would have led to, and no object is lost."""
    world = broken_world()
    data = world.keys("infra/data/") + world.keys("infra/files/")
    with suppress(SimulatedCrash, SwampsyncError):
        repair(world, Faulty(world.memory, fault_at(number, fault)))
    repair(world, world.memory)
    assert verify(world.log).problems == ()
    assert read_state_at(world.log, 8) == read_state_at(REPAIRED.log, 8)
    assert world.keys("infra/data/") + world.keys("infra/files/") == data
