from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from swampsync.backends.base import ETag, ObjectInfo, Overwrite
from swampsync.backends.memory import MemoryStore
from swampsync.clock import Clock
from swampsync.errors import DataError, Unavailable
from swampsync.layout import ObjectKey
from swampsync.log.log import Log
from swampsync.log.tail import BEGINNING, Freshness, Position, tail
from swampsync.testing.manual_clock import ManualClock
from tests.unit.log.conftest import World, Writer, draft, file_put, layout_of, version


def world_of(count: int) -> tuple[World, Writer]:
    world = World()
    writer = world.writer()
    for number in range(1, count + 1):
        writer.push(draft(version("state", number)))
    return world, writer


def corrupt(world: World, seq: int, old: bytes, new: bytes) -> None:
    key = world.log.layout.log_key(seq)
    body = world.memory.get(key).body
    assert old in body
    world.memory.put(key, body.replace(old, new), Overwrite())


@pytest.mark.parametrize("count", [1, 5, 1_500])
def test_nothing_new_is_one_request(count: int) -> None:
    """Whatever the log's length, finding that nothing is new takes exactly one request."""
    world, writer = world_of(count)
    before = world.counter.snapshot()
    seen = tail(world.log, writer.position)
    assert seen.freshness is Freshness.NOTHING_NEW
    assert list(seen.commits()) == []
    assert (world.counter.snapshot() - before).requests == 1


def test_empty_log_is_one_request() -> None:
    """A namespace without commits has nothing new, and that takes one request too."""
    world = World()
    assert tail(world.log, BEGINNING).freshness is Freshness.NOTHING_NEW
    assert world.counter.snapshot().requests == 1


def test_newer_commits_come_in_order() -> None:
    """What was published since is read, one request a commit, in order, by threads too."""
    world, _ = world_of(40)
    at_three = world.log.read_commit(3)
    before = world.counter.snapshot()
    with ThreadPoolExecutor(4) as executor:
        seen = tail(replace(world.log, executor=executor), Position.of(at_three))
        assert seen.freshness is Freshness.NEWER
        assert [p.commit.seq for p in seen.commits()] == list(range(4, 41))
    assert (world.counter.snapshot() - before).requests == 1 + 37


def test_full_first_page_means_far_behind() -> None:
    """A page full of keys says so instead of reading on."""
    world, _ = world_of(5)
    assert tail(world.log, BEGINNING, limit=5).freshness is Freshness.FAR_BEHIND
    assert tail(world.log, BEGINNING, limit=6).freshness is Freshness.NEWER
    first = Position.of(world.log.read_commit(1))
    assert tail(world.log, first, limit=5).freshness is Freshness.FAR_BEHIND
    assert tail(world.log, first, limit=6).freshness is Freshness.NEWER


def test_replaced_log_is_noticed() -> None:
    """A commit that does not come back, or comes back as another, means that the log is not the one we applied."""
    world, writer = world_of(3)
    other, _ = world_of(0)
    assert tail(other.log, writer.position).freshness is Freshness.REPLACED
    another = other.writer(seed=7)
    for number in range(1, 5):
        another.push(draft(version("x", number)))
    assert tail(other.log, writer.position).freshness is Freshness.REPLACED
    assert tail(world.log, writer.position).freshness is Freshness.NOTHING_NEW


def test_other_etag_of_the_same_commit_is_no_other_log() -> None:
    """A store that gives another ETag to the same bytes has not replaced the log; the new one is remembered."""
    world, writer = world_of(3)
    moved = replace(writer.position, etag=ETag("from before the bucket was copied"))
    seen = tail(world.log, moved)
    assert seen.freshness is Freshness.NOTHING_NEW
    assert seen.position == writer.position


def test_listing_that_hides_our_commit_is_no_replaced_log() -> None:
    """Before everything is started over, a read has the last word."""

    class Forgetful(MemoryStore):
        def __init__(self, clock: Clock) -> None:
            super().__init__(clock)
            self.hides = False

        def list(self, prefix: str, *, start: str | None = None):
            return iter(()) if self.hides else super().list(prefix, start=start)

    clock = ManualClock()
    store = Forgetful(clock)
    writer = Writer(Log(store, layout_of()), clock)
    writer.push(draft(version("state", 1)))
    store.hides = True
    with pytest.raises(Unavailable, match="does not show"):
        tail(writer.log, writer.position)


def test_gap_is_damage_that_names_the_missing_commit() -> None:
    """A number that is missing is always damage."""
    world, _ = world_of(5)
    world.memory.delete(world.log.layout.log_key(3))
    with pytest.raises(DataError) as caught:
        list(tail(world.log, BEGINNING).commits())
    assert caught.value.key == world.log.layout.log_key(3).text
    world.memory.delete(world.log.layout.log_key(1))
    with pytest.raises(DataError) as caught:
        list(tail(world.log, BEGINNING).commits())
    assert caught.value.key == world.log.layout.log_key(1).text


def test_undecodable_commit_is_damage_that_names_it() -> None:
    """What was read before the damage is still given."""
    world, _ = world_of(4)
    world.memory.put(world.log.layout.log_key(3), b"{}", Overwrite())
    found: list[int] = []
    with pytest.raises(DataError) as caught:
        found.extend(published.commit.seq for published in tail(world.log, BEGINNING).commits())
    assert found == [1, 2]
    assert caught.value.key == world.log.layout.log_key(3).text


def test_broken_chain_is_damage() -> None:
    """A commit whose parent is not the commit before it is damage."""
    world, _ = world_of(4)
    parent = world.log.read_commit(3).commit.id
    corrupt(world, 4, parent.encode(), b"someone-else")
    with pytest.raises(DataError, match="parent"):
        list(tail(world.log, BEGINNING).commits())


def test_commit_of_another_number_or_namespace_is_damage() -> None:
    """A commit copied to where it does not belong is refused."""
    world, _ = world_of(2)
    body = world.memory.get(world.log.layout.log_key(2)).body
    world.memory.put(world.log.layout.log_key(3), body, Overwrite())
    with pytest.raises(DataError, match="says that it is number 2"):
        list(tail(world.log, BEGINNING).commits())
    world.memory.put(ObjectKey("app/_log/00000000000000000002.json"), body, Overwrite())
    with pytest.raises(DataError, match="namespace `infra`"):
        Log(world.memory, layout_of("app")).read_commit(2)


def test_foreign_object_in_the_log_is_ignored() -> None:
    """What is no commit's key harms nothing."""
    world, writer = world_of(2)
    world.memory.put(ObjectKey("infra/_log/notes.txt"), b"hello", Overwrite())
    assert tail(world.log, writer.position).freshness is Freshness.NOTHING_NEW
    assert [p.commit.seq for p in tail(world.log, BEGINNING).commits()] == [1, 2]


def test_oversized_commit_is_refused_unread() -> None:
    """What the listing shows to be too large is never read."""
    world, _ = world_of(1)
    world.memory.put(world.log.layout.log_key(2), b" " * (17 * 1024 * 1024), Overwrite())
    before = world.counter.snapshot()
    with pytest.raises(DataError, match="17825792 bytes"):
        tail(world.log, BEGINNING)
    assert (world.counter.snapshot() - before).bytes_down == 0


def test_another_life_begins_at_its_tombstone() -> None:
    """After a namespace was deleted only the tombstone remains; what follows it is a sound log."""
    world, writer = world_of(3)
    writer.push(draft(kind="tombstone"))
    writer.push(draft(put=[file_put("files/new")]))
    for gone in ([2], [1], [3]):  # in whatever order, and however far, the deletion got
        for seq in gone:
            world.memory.delete(world.log.layout.log_key(seq))
        assert [p.commit.seq for p in tail(world.log, BEGINNING).commits()] == [4, 5]
        other = world.writer()
        other.pull()
        assert list(other.state.files) == ["files/new"]
        assert other.state.seq == 5


@pytest.mark.holds("I4")
def test_solo_and_namespaces_do_not_see_each_other() -> None:
    """The log of solo mode lies at the root, and neither lists the other's."""
    world, _ = world_of(2)
    solo = Log(world.memory, layout_of(""))
    assert tail(solo, BEGINNING).freshness is Freshness.NOTHING_NEW
    Writer(solo, world.clock).push(draft(put=[file_put("files/a")]))
    assert [info.key.text for info in world.memory.list("_log/")] == ["_log/00000000000000000001.json"]
    assert len(tail(world.log, BEGINNING).entries) == 2


def test_listing_without_etags_is_trusted_by_number() -> None:
    """A store whose listing tells no ETag still costs one request."""

    class Silent(MemoryStore):
        def list(self, prefix: str, *, start: str | None = None):
            for info in super().list(prefix, start=start):
                yield ObjectInfo(info.key, info.size, None, info.modified_at)

    clock = ManualClock()
    writer = Writer(Log(Silent(clock), layout_of()), clock)
    writer.push(draft(version("state", 1)))
    assert tail(writer.log, writer.position).freshness is Freshness.NOTHING_NEW
