from __future__ import annotations

from datetime import timedelta

import pytest

from swampsync.backends.base import Create, Overwrite
from swampsync.errors import DataError, InvalidInput, Refused
from swampsync.layout import ObjectKey
from swampsync.log.catch_up import read_state
from swampsync.log.checkpoint import list_checkpoints, read_checkpoint
from swampsync.log.checkpointing import Checkpointer
from swampsync.log.commit import CommitDraft
from swampsync.log.history import read_state_at
from swampsync.log.rows import ArtifactRow, FilePut
from swampsync.log.vacuum import VacuumPlan, apply_vacuum_plan, make_vacuum_plan, read_vacuum_input
from swampsync.testing.faulty_store import Call, Fault, Faulty
from tests.unit.log.conftest import Ids, World, Writer, draft, file_put, remove_version, version

DAY = 24 * 3600.0
WEEK = timedelta(days=7)


def push(world: World, writer: Writer, plan: CommitDraft) -> None:
    """Upload the plan's objects, then publish it."""
    for row in plan.rows():
        if isinstance(row, FilePut | ArtifactRow):
            world.memory.put(world.log.layout.key(row.object_path), row.path.encode(), Create())
    writer.push(plan)


def plan_of(world: World, *, horizon: timedelta = WEEK) -> VacuumPlan:
    return make_vacuum_plan(world.log, read_vacuum_input(world.log, horizon=horizon, server_now=world.clock.now()))


def removed(world: World, plan: VacuumPlan) -> list[str]:
    return [key.text.removeprefix(f"{world.namespace}/") for key in plan.keys]


def test_removed_files_go_when_no_state_inside_the_horizon_has_them() -> None:
    """What was removed stays as long as a state inside the horizon has it, to the day."""
    world = World()
    writer = world.writer()
    push(world, writer, draft(version("state", 1), put=[file_put("files/a"), file_put("files/b")]))
    world.clock.advance(30 * DAY)
    push(world, writer, draft(remove=[*remove_version("state", 1), "files/a"]))
    world.clock.advance(6.9 * DAY)
    assert plan_of(world).keys == ()
    world.clock.advance(0.2 * DAY)
    plan = plan_of(world)
    assert removed(world, plan) == [*remove_version("state", 1), "files/a"]
    assert apply_vacuum_plan(world.log, plan) == {}
    assert world.keys("infra/files/") == ["infra/files/b"]
    assert plan_of(world).keys == ()
    assert read_state(world.log)[0] == writer.state


def test_replaced_content_goes_with_its_key() -> None:
    """Of a file that was changed in place the old content's object goes, the new one's stays."""
    world = World()
    writer = world.writer()
    push(world, writer, draft(put=[file_put("files/a", "1")]))
    world.clock.advance(DAY)
    push(world, writer, draft(put=[file_put("files/a", "2", base="1", key="files/a~1a2b3c4d")]))
    world.clock.advance(8 * DAY)
    assert removed(world, plan_of(world)) == ["files/a"]


def test_state_when_the_horizon_began_stays_readable() -> None:
    """What was true at the beginning of the horizon, and at any time since, keeps all of its objects."""
    world = World()
    writer = world.writer()
    for day in range(20):
        remove = [f"files/{day - 1}"] if day else []
        push(world, writer, draft(put=[file_put(f"files/{day}")], remove=remove))
        world.clock.advance(DAY)
    apply_vacuum_plan(world.log, plan_of(world))
    # The horizon of seven days began when commit 13 was a day old: files/12 to files/19 were there at some time since.
    assert world.keys("infra/files/") == sorted(f"infra/files/{day}" for day in range(12, 20))


def test_dead_uploads_go_but_claims_and_first_objects_of_unused_paths_stay() -> None:
    """What a dead push left is removed unless the key could then be made a second time."""
    world = World()
    writer = world.writer()
    push(world, writer, draft(version("state", 5), put=[file_put("files/a")]))
    key = world.log.layout.key
    low, high, other = version("state", 3)[1].path, version("state", 6)[1].path, version("other", 1)[1].path
    for path in (low, high, other, "files/a~00000000", "files/b~00000000", "files/c"):
        world.memory.put(key(path), b"x", Create())
    for number, name in ((3, "state"), (6, "state"), (1, "other")):
        world.memory.put(key(version(name, number)[0].path), b"x", Create())
    world.clock.advance(8 * DAY)
    writer.push(draft(put=[], remove=["files/never"]))
    assert removed(world, plan_of(world)) == sorted(
        [low, high, other, version("state", 3)[0].path, "files/a~00000000", "files/b~00000000"]
    )


def test_young_objects_stay_whatever_the_log_says() -> None:
    """An upload that is under way is younger than any horizon."""
    world = World()
    writer = world.writer()
    push(world, writer, draft(put=[file_put("files/a")]))
    world.clock.advance(30 * DAY)
    world.memory.put(world.log.layout.key("files/a~00000000"), b"x", Create())
    world.clock.advance(6 * DAY)
    assert plan_of(world).keys == ()


def test_nothing_outside_the_namespaces_files_is_ever_named() -> None:
    """The log, manifests, locks, other namespaces and what nobody knows stay."""
    world = World()
    writer = world.writer()
    push(world, writer, draft(put=[file_put("files/a")]))
    for path in ("other/files/a", "infra/.namespace.json", "infra/strange/x", ".locks/infra.lock", "infra/_log/x"):
        world.memory.put(ObjectKey(path), b"x", Create())
    world.clock.advance(30 * DAY)
    assert plan_of(world).keys == ()


@pytest.mark.holds("I4")
def test_solo_vacuum_stays_out_of_namespaces() -> None:
    """In solo mode the root holds other namespaces too: they are not listed, let alone removed."""
    world = World(namespace="")
    writer = world.writer()
    push(world, writer, draft(put=[file_put("files/a")]))
    world.memory.put(ObjectKey("infra/files/x"), b"x", Create())
    world.memory.put(world.log.layout.key("files/a~00000000"), b"x", Create())
    world.clock.advance(30 * DAY)
    assert [key.text for key in plan_of(world).keys] == ["files/a~00000000"]


def test_checkpoints_and_segments_of_the_horizon_stay_and_older_ones_go() -> None:
    """Every state inside the horizon can still be read after a vacuum, and what only served older ones is gone."""
    world = World()
    writer = world.writer()
    for day in range(1, 31):
        push(world, writer, draft(put=[file_put(f"files/{day}/{n}") for n in range(40)]))
        if day % 3 == 0:
            Checkpointer(world.log, world.clock, Ids(day), "t").write(writer.position)
        world.clock.advance(DAY)
    before = {seq: read_state_at(world.log, seq) for seq in range(23, 31)}
    plan = plan_of(world)
    apply_vacuum_plan(world.log, plan)
    kept = [entry.seq for entry in list_checkpoints(world.log)]
    assert kept == [30, 27, 24, 21]
    named = {ref.id for seq in kept for ref in read_checkpoint(world.log, seq).segments}
    assert {key.rpartition("/")[2].removesuffix(".jsonl.gz") for key in world.keys("infra/_segments/")} == named
    assert {seq: read_state_at(world.log, seq) for seq in range(23, 31)} == before
    assert len(world.keys("infra/_log/")) == 30


def test_segments_of_large_commits_stay_until_a_checkpoint_replaces_them() -> None:
    """A large commit's rows go only when no state inside the horizon is read through them."""
    world = World()
    writer = world.writer()
    push(world, writer, draft(put=[file_put(f"files/{n}") for n in range(1_001)]))
    world.clock.advance(30 * DAY)
    assert plan_of(world).keys == ()
    Checkpointer(world.log, world.clock, Ids(7), "t").write(writer.position)
    world.clock.advance(DAY)
    assert plan_of(world).keys == ()
    world.clock.advance(7 * DAY)
    (segment,) = (key for key in plan_of(world).keys if "_segments" in key.text)
    assert segment.text.endswith(f"{world.log.read_commit(1).commit.segments[0].id}.jsonl.gz")
    apply_vacuum_plan(world.log, plan_of(world))
    assert read_state(world.log)[0] == writer.state


def test_checkpoint_written_late_does_not_make_an_older_one_useless_at_once() -> None:
    """Somebody may be building upon the older one right now: the age of what replaces it counts, not its number."""
    world = World()
    writer = world.writer()
    push(world, writer, draft(put=[file_put("files/a")]))
    Checkpointer(world.log, world.clock, Ids(1), "t").write(writer.position)
    push(world, writer, draft(put=[file_put("files/b")]))
    world.clock.advance(30 * DAY)
    Checkpointer(world.log, world.clock, Ids(2), "t").write(writer.position)
    world.clock.advance(DAY)
    assert plan_of(world).keys == ()


def test_incomplete_listing_is_refused() -> None:
    """A listing that lacks an object of the head proves nothing about the others."""
    world = World()
    writer = world.writer()
    push(world, writer, draft(put=[file_put("files/a"), file_put("files/b")]))
    push(world, writer, draft(remove=["files/a"]))
    world.clock.advance(30 * DAY)
    world.memory.delete(world.log.layout.key("files/b"))
    with pytest.raises(Refused) as caught:
        plan_of(world)
    assert caught.value.key == "infra/files/b"


def test_unreadable_log_is_refused() -> None:
    """Without the whole of the log nobody knows what is needed."""
    world = World()
    writer = world.writer()
    push(world, writer, draft(put=[file_put("files/a")]))
    push(world, writer, draft(put=[file_put("files/b")]))
    world.memory.put(world.log.layout.log_key(1), b"{}", Overwrite())
    with pytest.raises(DataError):
        plan_of(world)


def test_checkpoint_of_a_newer_format_stops_vacuum() -> None:
    """What a newer version's checkpoint names cannot be known, so nothing is removed."""
    world = World()
    writer = world.writer()
    push(world, writer, draft(put=[file_put("files/a")]))
    world.memory.put(world.log.layout.checkpoint_key(1), b'{"format":2,"tool":"swampsync/9"}', Create())
    with pytest.raises(DataError, match="swampsync/9"):
        plan_of(world)


def test_short_horizon_is_refused() -> None:
    """Pushes of up to a day rest on a horizon of at least three."""
    with pytest.raises(InvalidInput):
        read_vacuum_input(World().log, horizon=timedelta(days=2.9))


def test_empty_namespace_has_nothing_to_vacuum() -> None:
    """Nothing is nothing, with the store's time or without."""
    world = World()
    assert plan_of(world).keys == ()
    assert make_vacuum_plan(world.log, read_vacuum_input(world.log, horizon=WEEK)).keys == ()


def test_without_the_stores_time_the_newest_object_tells_it() -> None:
    """The newest object's time is never later than now: the error is on the side of keeping."""
    world = World()
    writer = world.writer()
    push(world, writer, draft(put=[file_put("files/a"), file_put("files/b")]))
    push(world, writer, draft(remove=["files/a"]))
    world.clock.advance(30 * DAY)
    assert make_vacuum_plan(world.log, read_vacuum_input(world.log, horizon=WEEK)).keys == ()
    push(world, writer, draft(put=[file_put("files/c")]))
    plan = make_vacuum_plan(world.log, read_vacuum_input(world.log, horizon=WEEK))
    assert removed(world, plan) == ["files/a"]


def test_what_cannot_be_removed_is_reported_and_found_again() -> None:
    """A vacuum that was cut off removes the rest the next time."""
    world = World()
    writer = world.writer()
    push(world, writer, draft(put=[file_put(f"files/{n}") for n in range(10)]))
    push(world, writer, draft(remove=[f"files/{n}" for n in range(10)]))
    world.clock.advance(30 * DAY)
    plan = plan_of(world)
    assert len(plan.keys) == 10

    def cut(call: Call) -> Fault | None:
        return Fault.CUT if call.method == "delete_many" else None

    failing = world.writer(store=Faulty(world.store, cut)).log
    assert len(apply_vacuum_plan(failing, plan)) == 5
    assert len(plan_of(world).keys) == 5
