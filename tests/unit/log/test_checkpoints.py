from __future__ import annotations

import random
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swampsync.backends.base import Create, Overwrite, RequestKind
from swampsync.errors import DataError, SwampsyncError
from swampsync.layout import ObjectKey
from swampsync.log.catch_up import catch_up, read_state
from swampsync.log.checkpoint import MAX_DELTAS, list_checkpoints, read_checkpoint, readable_checkpoints
from swampsync.log.checkpointing import INTERVAL, Checkpointer
from swampsync.log.log import Log
from swampsync.log.rows import ArtifactRow, FilePut
from swampsync.log.segments import row_to_line
from swampsync.log.state import NamespaceState
from swampsync.log.tail import BEGINNING, Position
from swampsync.testing.faulty_store import Call, Fault, Faulty, RandomFaults
from tests.unit.log.conftest import Ids, World, Writer, draft, file_put, remove_version, version


def checkpointer(world: World, *, seed: int = 99, log: Log | None = None) -> Checkpointer:
    return Checkpointer(log or world.log, world.clock, Ids(seed), "swampsync/0.1.0")


def push_some(writer: Writer, count: int, *, first: int = 1) -> None:
    for number in range(first, first + count):
        writer.push(draft(version("state", number), put=[file_put(f"files/{number}")]))


def state_from(world: World, seq: int) -> NamespaceState:
    found = next(c for c in readable_checkpoints(world.log) if c.position.seq == seq)
    return NamespaceState.from_rows(found.rows(), seq=seq, commit_id=found.position.id)


def test_checkpoint_is_the_replay_of_the_log() -> None:
    """The rows of a checkpoint give the state that replaying every commit gives."""
    world = World()
    writer = world.writer()
    push_some(writer, 20)
    writer.push(draft(remove=[*remove_version("state", 20), *remove_version("state", 3), "files/4"]))
    assert checkpointer(world).write(writer.position).is_written
    assert state_from(world, 21) == writer.state
    checkpoint = read_checkpoint(world.log, 21)
    assert checkpoint.position == writer.position
    assert checkpoint.deltas == ()


def test_newest_checkpoint_lists_first() -> None:
    """One listing, of which one key is taken, finds the newest."""
    world = World()
    writer = world.writer()
    for first in (1, 11, 21):
        push_some(writer, 10, first=first)
        checkpointer(world, seed=first).write(writer.position)
    assert [e.seq for e in list_checkpoints(world.log)] == [30, 20, 10]
    assert [e.seq for e in list_checkpoints(world.log, at_most=25, limit=1)] == [20]


def test_checkpoint_is_due_above_64_commits() -> None:
    """At 64 commits since the newest nothing is asked, at 65 a checkpoint is written, and then it rests again."""
    world = World()
    writer = world.writer()
    push_some(writer, INTERVAL)
    before = world.counter.snapshot()
    outcome = checkpointer(world).write_if_due(writer.position, newest_known=0)
    assert (outcome.newest, outcome.is_written) == (0, False)
    assert (world.counter.snapshot() - before).requests == 0
    push_some(writer, 1, first=100)
    outcome = checkpointer(world).write_if_due(writer.position, newest_known=0)
    assert (outcome.newest, outcome.is_written) == (65, True)


def test_checkpoint_of_another_is_found_by_one_request() -> None:
    """Who has not heard of the newest checkpoint asks once and learns of it."""
    world = World()
    writer = world.writer()
    push_some(writer, 70)
    checkpointer(world).write(writer.position)
    push_some(writer, 1, first=100)
    before = world.counter.snapshot()
    outcome = checkpointer(world).write_if_due(writer.position, newest_known=0)
    assert (outcome.newest, outcome.is_written, outcome.problem) == (70, False, None)
    assert (world.counter.snapshot() - before).requests == 1


def test_failing_checkpoint_is_no_failure_of_the_command() -> None:
    """The commit was acknowledged; that the checkpoint could not be written is reported beside it."""
    world = World()
    writer = world.writer()
    push_some(writer, 66)
    is_full = RandomFaults(random.Random(1), rates={Fault.THROTTLE: 1.0}, methods=frozenset({"put"}))
    log = replace(world.log, store=Faulty(world.store, is_full))
    outcome = checkpointer(world, log=log).write_if_due(writer.position, newest_known=0)
    assert isinstance(outcome.problem, SwampsyncError)
    assert (outcome.newest, outcome.is_written) == (0, False)


def test_deltas_are_laid_over_the_base_then_folded_then_compacted() -> None:
    """Deltas grow in number up to four, and above a quarter of the base become part of a new one."""
    world = World()
    writer = world.writer()
    rng = random.Random(3)
    writer.push(draft(put=[file_put(f"files/{rng.getrandbits(128):x}", str(n)) for n in range(1_500)]))
    writes = checkpointer(world)
    writes.write(writer.position)
    base = read_checkpoint(world.log, 1).base
    seen = []
    for number in range(2, 34):
        writer.push(draft(put=[file_put(f"files/{rng.getrandbits(128):x}") for _ in range(45)]))
        writes.write(writer.position)
        checkpoint = read_checkpoint(world.log, number)
        assert len(checkpoint.deltas) <= MAX_DELTAS
        assert sum(d.size for d in checkpoint.deltas) * 4 <= sum(b.size for b in checkpoint.base)
        assert state_from(world, number) == writer.state
        seen.append((checkpoint.base == base, len(checkpoint.deltas)))
    assert seen[:5] == [(True, 1), (True, 2), (True, 3), (True, 4), (True, 1)]
    assert (False, 0) in seen


def test_checkpoint_upon_a_large_base_does_not_read_it() -> None:
    """What a checkpoint costs is in proportion to what changed, not to what exists."""
    world = World()
    writer = world.writer()
    rng = random.Random(3)
    writer.push(draft(put=[file_put(f"files/{rng.getrandbits(128):x}", str(n)) for n in range(3_000)]))
    writes = checkpointer(world)
    writes.write(writer.position)
    assert sum(ref.size for ref in read_checkpoint(world.log, 1).base) > 150_000
    push_some(writer, 65)
    before = world.counter.snapshot()
    assert writes.write_if_due(writer.position, newest_known=1).is_written
    spent = world.counter.snapshot() - before
    assert spent.bytes_up + spent.bytes_down < 100_000
    assert spent.requests == 65 + 7  # four listings, the older checkpoint, the delta, the checkpoint


PATHS = [f"files/{name}" for name in "abcd"]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(PATHS), unique=True, max_size=3),
            st.lists(st.integers(1, 5), unique=True, max_size=3),
            st.booleans(),
            st.sampled_from(["none", "checkpoint", "tombstone"]),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_any_history_with_any_checkpoints_gives_the_same_state(
    steps: list[tuple[list[str], list[int], bool, str]],
) -> None:
    """However commits, removals, tombstones and checkpoints follow each other, a new clone sees the replay."""
    world = World()
    world.log.store.put(ObjectKey("infra/_segments/unrelated.jsonl.gz"), b"", Create())
    writer = world.writer()
    writes = checkpointer(world)
    writer.push(draft(put=[file_put(f"files/many/{n}", str(n)) for n in range(200)]))
    writes.write(writer.position)
    for number, (paths, numbers, is_put, then) in enumerate(steps):
        if is_put:
            put = [file_put(path, f"{number}", key=f"{path}~{number:08x}") for path in paths]
            plan = draft(*(version("v", n, f"{number}") for n in numbers), put=put)
        else:
            plan = draft(remove=[*paths, *(path for n in numbers for path in remove_version("v", n))])
        writer.push(plan)
        if then == "tombstone":
            writer.push(draft(kind="tombstone"))
        if then != "none":
            writes.write(writer.position)
    state, head = read_state(world.log)
    assert state == writer.state
    assert head == writer.position


def test_unreadable_checkpoints_are_skipped() -> None:
    """A checkpoint that is damaged, of an unknown format, or lacks a segment is passed over for the one before."""
    world = World()
    writer = world.writer()
    for first in (1, 11, 21, 31):
        push_some(writer, 10, first=first)
        checkpointer(world, seed=first).write(writer.position)
    layout = world.log.layout
    world.memory.put(layout.checkpoint_key(40), b"damaged", Overwrite())
    document = orjson.loads(world.memory.get(layout.checkpoint_key(30)).body)
    world.memory.put(layout.checkpoint_key(30), orjson.dumps({**document, "format": 2}), Overwrite())
    segments = read_checkpoint(world.log, 20).segments
    world.memory.delete(layout.segment_key(segments[-1].id))
    assert [c.position.seq for c in readable_checkpoints(world.log)] == [10]
    state, head = read_state(world.log)
    assert (state, head) == (writer.state, writer.position)


def test_damaged_segments_are_not_built_upon() -> None:
    """A checkpoint whose segments are gone or cannot be folded is passed over by the next writer too."""
    for damage in ("missing", "damaged"):
        world = World()
        writer = world.writer()
        writer.push(draft(put=[file_put(f"files/many/{number}", str(number)) for number in range(1_000)]))
        writes = checkpointer(world)
        writes.write(writer.position)
        for number in range(2, 6):
            push_some(writer, 1, first=number)
            writes.write(writer.position)
        delta = world.log.layout.segment_key(read_checkpoint(world.log, 3).deltas[-1].id)
        body = world.memory.get(delta).body
        world.memory.delete(delta)
        if damage == "damaged":
            world.memory.put(delta, bytes(len(body)), Create())
        push_some(writer, 1, first=6)
        assert writes.write(writer.position).is_written
        assert state_from(world, 6) == writer.state


def test_checkpoint_of_another_namespace_or_number_is_not_read() -> None:
    """A checkpoint copied to where it does not belong is damage."""
    world = World()
    writer = world.writer()
    push_some(writer, 3)
    checkpointer(world).write(writer.position)
    body = world.memory.get(world.log.layout.checkpoint_key(3)).body
    world.memory.put(world.log.layout.checkpoint_key(4), body, Create())
    with pytest.raises(DataError, match="number 3 of namespace `infra`"):
        read_checkpoint(world.log, 4)


def test_two_writers_of_one_checkpoint_agree() -> None:
    """Whoever comes second finds the state described already."""
    world = World()
    writer = world.writer()
    push_some(writer, 3)
    assert checkpointer(world, seed=1).write(writer.position).is_written
    body = world.memory.get(world.log.layout.checkpoint_key(3)).body
    assert not checkpointer(world, seed=2).write(writer.position).is_written
    checkpointer(world, seed=2).put(writer.position, base=(), deltas=())
    assert world.memory.get(world.log.layout.checkpoint_key(3)).body == body


def test_checkpoint_that_took_longer_than_a_day_is_given_up() -> None:
    """What it would name may have been vacuumed meanwhile."""
    world = World()
    writer = world.writer()
    push_some(writer, 3)

    def sleepy(call: Call) -> Fault | None:
        if call.method == "put":
            world.clock.suspend(25 * 3600)
        return None

    log = replace(world.log, store=Faulty(world.store, sleepy))
    assert not checkpointer(world, log=log).write(writer.position).is_written
    assert list_checkpoints(world.log) == []


# --- catching up ---------------------------------------------------------------------------------------------


def test_new_clone_reads_listings_checkpoint_segments_and_tail() -> None:
    """A new clone takes two listings, the checkpoint, its segments, and one request for each later commit."""
    world = World()
    writer = world.writer()
    rng = random.Random(5)
    for first in range(0, 3_000, 1_000):
        writer.push(
            draft(put=[file_put(f"files/{rng.getrandbits(200):x}", str(n)) for n in range(first, first + 1_000)])
        )
    checkpointer(world).write(writer.position)
    push_some(writer, 7)
    segments = len(read_checkpoint(world.log, 3).segments)
    before = world.counter.snapshot()
    state, head = read_state(world.log)
    assert (world.counter.snapshot() - before).requests == 2 + 1 + segments + 7
    assert (state, head) == (writer.state, writer.position)


def test_clone_that_is_far_behind_takes_the_checkpoint() -> None:
    """A full page of newer keys sends a clone to the newest checkpoint instead of through a thousand commits."""
    world = World()
    writer = world.writer()
    push_some(writer, 40)
    old = Position.of(world.log.read_commit(2))
    checkpointer(world).write(writer.position)
    push_some(writer, 2, first=50)
    way = catch_up(world.log, old, page_keys=10)
    assert (way.starts_over, way.is_replaced) == (True, False)
    assert way.checkpoint is not None
    assert [p.commit.seq for p in way.commits()] == [41, 42]


def test_clone_that_is_far_behind_without_a_newer_checkpoint_reads_on() -> None:
    """If no checkpoint is ahead of us, there is no shorter way than the commits."""
    world = World()
    writer = world.writer()
    push_some(writer, 5)
    checkpointer(world).write(writer.position)
    push_some(writer, 20, first=10)
    way = catch_up(world.log, Position.of(world.log.read_commit(6)), page_keys=10)
    assert not way.starts_over
    assert [p.commit.seq for p in way.commits()] == list(range(7, 26))


def test_clone_near_the_head_needs_no_checkpoint() -> None:
    """Nothing new is one request, and newer commits are read without asking for checkpoints."""
    world = World()
    writer = world.writer()
    push_some(writer, 70)
    checkpointer(world).write(writer.position)
    before = world.counter.snapshot()
    assert catch_up(world.log, writer.position).is_nothing_new
    assert (world.counter.snapshot() - before).requests == 1


@pytest.mark.parametrize(("was_empty", "requests"), [(False, 2), (True, 1)])
def test_log_that_was_empty_is_one_request(*, was_empty: bool, requests: int) -> None:
    """Where no commit was and is, no checkpoint is looked for; a first look asks for one."""
    world = World()
    before = world.counter.snapshot()
    way = catch_up(world.log, BEGINNING, was_empty=was_empty)
    assert (way.starts_over, way.checkpoint, way.tail.entries) == (True, None, ())
    assert (world.counter.snapshot() - before).requests == requests


def test_first_look_at_a_long_log_lists_it_from_the_checkpoint_on_only() -> None:
    """A new clone makes a listing of checkpoints, one of the log, and the reads of what they name."""
    world = World()
    writer = world.writer()
    push_some(writer, 12)
    checkpointer(world).write(writer.position)
    push_some(writer, 2, first=20)
    before = world.counter.snapshot()
    way = catch_up(world.log, BEGINNING, page_keys=10)
    assert [entry.seq for entry in way.tail.entries] == [13, 14]
    assert (world.counter.snapshot() - before)[RequestKind.LIST].requests == 2


def test_new_clone_takes_a_checkpoint_that_came_after_its_listing() -> None:
    """A checkpoint of a commit that the listing does not have yet is used, with what really comes behind it."""
    world = World()
    writer = world.writer()
    push_some(writer, 3)
    published: list[int] = []

    def publish(call: Call) -> Fault | None:
        if call.method == "list" and "_checkpoints" in call.key and not published:
            published.append(4)
            push_some(writer, 3, first=4)
            checkpointer(world).write(writer.position)
            push_some(writer, 1, first=7)
        return None

    way = catch_up(replace(world.log, store=Faulty(world.log.store, publish)), BEGINNING, was_empty=True)
    assert way.checkpoint is not None
    assert (way.checkpoint.position.seq, [entry.seq for entry in way.tail.entries]) == (6, [7])


def test_new_clone_of_more_than_a_page_reads_it_all() -> None:
    """A full page of keys is not the whole log: it is listed again from the checkpoint on, or from the beginning."""
    world = World()
    writer = world.writer()
    push_some(writer, 12)
    assert [entry.seq for entry in catch_up(world.log, BEGINNING, was_empty=True, page_keys=10).tail.entries] == list(
        range(1, 13)
    )
    checkpointer(world).write(writer.position)
    push_some(writer, 2, first=20)
    assert [entry.seq for entry in catch_up(world.log, BEGINNING, was_empty=True, page_keys=10).tail.entries] == [
        13,
        14,
    ]


def test_new_clone_does_not_stop_at_what_lies_before_the_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that cannot be one, before the checkpoint, is no concern of a clone that begins behind it."""
    world = World()
    writer = world.writer()
    push_some(writer, 5)
    checkpointer(world).write(writer.position)
    world.memory.delete(world.log.layout.log_key(1))
    world.memory.put(world.log.layout.log_key(1), b" " * 100_000, Create())
    monkeypatch.setattr("swampsync.log.log.MAX_CONDITIONAL_BYTES", 50_000)
    way = catch_up(world.log, BEGINNING, was_empty=True)
    assert way.checkpoint is not None
    assert (way.checkpoint.position.seq, way.tail.entries) == (5, ())


def test_clone_of_a_replaced_log_starts_over() -> None:
    """A log that is not the one we applied is read from its newest checkpoint on."""
    world = World()
    stranger = World().writer(seed=8)
    push_some(stranger, 4)
    writer = world.writer()
    push_some(writer, 9)
    checkpointer(world).write(writer.position)
    way = catch_up(world.log, stranger.position)
    assert (way.starts_over, way.is_replaced) == (True, True)
    assert way.checkpoint is not None
    assert way.checkpoint.position == writer.position


def test_checkpoint_that_outlived_its_log_is_not_used() -> None:
    """A checkpoint whose commit is not in the log describes something else."""
    world = World()
    writer = world.writer()
    push_some(writer, 4)
    checkpointer(world).write(writer.position)
    for seq in range(1, 5):
        world.memory.delete(world.log.layout.log_key(seq))
    fresh = world.writer(seed=3)
    push_some(fresh, 2)
    state, head = read_state(world.log)
    assert (state, head) == (fresh.state, fresh.position)
    writes = checkpointer(world, seed=5)
    push_some(fresh, 4, first=10)
    assert writes.write(fresh.position).is_written
    assert state_from(world, 6) == fresh.state


def test_lazy_clone_of_many_versions_is_twelve_requests() -> None:
    """Two listings, a checkpoint, five base segments and four deltas: the most that 100,000 versions take."""
    world = World()
    writer = world.writer()
    rng = random.Random(5)
    names = [f"{rng.getrandbits(64):x}" for _ in range(2_000)]
    writer.push(draft(*(version(name, 1, name) for name in names)))
    log = world.log
    lines = [row_to_line(row) for row in writer.state.rows()]
    ids = Ids(4)
    segments = tuple(ref for at in range(5) for ref in log.put_segments(lines[at::5], new_id=ids))
    writes = checkpointer(world)
    writes.put(writer.position, base=segments, deltas=())
    for number in range(4):
        writer.push(draft(version("state", number + 1)))
        writes.write(writer.position)
    checkpoint = read_checkpoint(log, 5)
    assert len(checkpoint.deltas) == MAX_DELTAS
    before = world.counter.snapshot()
    way = catch_up(log, BEGINNING)
    assert way.checkpoint is not None
    rows = list(way.checkpoint.rows())
    assert (world.counter.snapshot() - before).requests == 12
    assert sum(isinstance(row, ArtifactRow) for row in rows) == 2_004
    assert sum(isinstance(row, FilePut) for row in rows) == 2_004
