from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from swampsync.backends.base import Create
from swampsync.clock import format_timestamp, parse_timestamp
from swampsync.errors import DataError, NotFound
from swampsync.log.checkpointing import Checkpointer
from swampsync.log.commit import PublishedCommit
from swampsync.log.history import find_commit_at, iterate_history, read_state_at
from swampsync.log.state import NamespaceState
from swampsync.log.tail import Position
from swampsync.log.undelete import plan_undelete
from tests.unit.log.conftest import Ids, World, Writer, artifact_path, draft, file_put, remove_version, version

DAY = 24 * 3600.0
EPOCH = datetime.fromtimestamp(0, UTC)


def daily_world(days: int = 10) -> tuple[World, Writer, list[NamespaceState]]:
    world = World()
    writer = world.writer()
    states = [writer.state.copy()]
    for number in range(1, days + 1):
        other = "even" if number % 2 == 0 else "odd"
        writer.push(draft(version("state", number), put=[file_put(f"files/{other}/{number}")]))
        states.append(writer.state.copy())
        world.clock.advance(DAY)
    return world, writer, states


def seqs(found: Iterable[PublishedCommit]) -> list[int]:
    return [published.commit.seq for published in found]


def test_history_is_newest_first_and_reads_no_further_than_asked() -> None:
    """The newest commits come first, and few are read for few that are wanted."""
    world, _, _ = daily_world()
    before = world.counter.snapshot()
    assert seqs(islice(iterate_history(world.log, head=10), 3)) == [10, 9, 8]
    assert (world.counter.snapshot() - before).requests == 3
    assert seqs(iterate_history(world.log, head=10)) == list(range(10, 0, -1))


def test_history_of_a_path_finds_the_file_and_what_is_below_it() -> None:
    """A file, a directory or an artifact is found by what commits put or removed there."""
    world, writer, _ = daily_world()
    writer.push(draft(remove=["files/odd/3", *remove_version("state", 2)]))
    assert seqs(iterate_history(world.log, head=11, path="files/odd/3")) == [11, 3]
    assert seqs(iterate_history(world.log, head=11, path="files/even")) == [10, 8, 6, 4, 2]
    assert seqs(iterate_history(world.log, head=11, path=f"{artifact_path('state')}/2")) == [11, 2]
    assert seqs(iterate_history(world.log, head=11, path="files/eve")) == []


def test_history_since_a_time_ends_there() -> None:
    """The store's own times decide, and nothing older is read."""
    world, _, _ = daily_world()
    since = world.clock.now() - timedelta(days=3)
    before = world.counter.snapshot()
    assert seqs(iterate_history(world.log, head=10, since=since)) == [10, 9, 8]
    assert (world.counter.snapshot() - before).requests == 4


def test_history_ends_at_a_tombstone() -> None:
    """What was before the tombstone is gone and not asked for."""
    world, writer, _ = daily_world(3)
    writer.push(draft(kind="tombstone"))
    writer.push(draft(put=[file_put("files/new")]))
    for seq in (1, 2, 3):
        world.memory.delete(world.log.layout.log_key(seq))
    assert seqs(iterate_history(world.log, head=5)) == [5, 4]


@pytest.mark.parametrize("checkpoints", [(), (4, 7)], ids=["without checkpoints", "with checkpoints"])
def test_state_of_any_commit_can_be_read(checkpoints: tuple[int, ...]) -> None:
    """Every state of the past is the replay up to there, with checkpoints or without."""
    world, writer, states = daily_world()
    for seq in checkpoints:
        Checkpointer(world.log, world.clock, Ids(seq), "t").write(Position.of(world.log.read_commit(seq)))
    for seq, state in enumerate(states):
        assert read_state_at(world.log, seq) == state
    with pytest.raises(NotFound, match="newest is 10"):
        read_state_at(world.log, 11)
    assert writer.state == states[-1]


def test_commit_of_a_time_is_found_in_few_requests() -> None:
    """The newest commit at or before a time is found by halving."""
    world, _, _ = daily_world()
    begin = world.memory.head(world.log.layout.log_key(1)).modified_at
    before = world.counter.snapshot()
    assert find_commit_at(world.log, begin + timedelta(days=4, hours=5), head=10) == 5
    assert (world.counter.snapshot() - before).requests <= 4
    assert find_commit_at(world.log, begin, head=10) == 1
    assert find_commit_at(world.log, begin - timedelta(seconds=1), head=10) == 0
    assert find_commit_at(world.log, begin + timedelta(days=90), head=10) == 10


def test_damage_in_the_past_is_told() -> None:
    """A state that cannot be replayed is an error that names the commit, not a wrong answer."""
    world, _, _ = daily_world()
    world.memory.delete(world.log.layout.log_key(4))
    with pytest.raises(DataError) as caught:
        read_state_at(world.log, 6)
    assert caught.value.key == world.log.layout.log_key(4).text


def test_undelete_lists_what_was_removed_and_whether_it_is_still_there() -> None:
    """What existed then and does not now is found with its metadata; what vacuum took is marked."""
    world = World()
    writer = world.writer()
    for name in ("a", "b"):
        row, raw = version(name, 1, name)
        world.memory.put(world.log.layout.key(raw.path), name.encode(), Create())
        writer.push(draft((row, raw), put=[file_put(f"files/{name}", name)]))
    world.memory.put(world.log.layout.key("files/a"), b"a", Create())
    then = writer.state.copy()
    writer.push(draft(remove=[*remove_version("a", 1), *remove_version("b", 1), "files/a", "files/b"]))
    world.memory.delete(world.log.layout.key(f"{artifact_path('b')}/1/raw"))
    found = plan_undelete(world.log, then=then, now=writer.state)
    assert [(u.path, u.artifact is not None, u.is_whole) for u in found] == [
        (f"{artifact_path('a')}/1", True, True),
        (f"{artifact_path('b')}/1", True, False),
        ("files/a", False, True),
        ("files/b", False, False),
    ]
    below = plan_undelete(world.log, then=then, now=writer.state, path=artifact_path("a"))
    assert [u.path for u in below] == [f"{artifact_path('a')}/1"]
    assert plan_undelete(world.log, then=then, now=then) == []


def test_time_that_was_printed_means_the_commit_it_was_printed_for() -> None:
    """Times are shown in whole milliseconds, and stores may keep finer ones."""
    world = World()
    writer = world.writer()
    world.clock.advance(0.0004)
    for number in (1, 2):
        writer.push(draft(version("state", number)))
        world.clock.advance(1.0)
    shown = [parse_timestamp(format_timestamp(world.log.read_commit(n).published_at or EPOCH)) for n in (1, 2)]
    assert [find_commit_at(world.log, moment, head=2) for moment in shown] == [1, 2]
    assert find_commit_at(world.log, shown[0] - timedelta(milliseconds=1), head=2) == 0
