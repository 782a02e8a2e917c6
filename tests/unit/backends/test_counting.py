"""Counting requests and bytes."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from swampsync.backends.base import Create, ObjectNotFound, ObjectStore, Overwrite, RequestKind
from swampsync.backends.counting import Counting, RequestCounter, RequestCounts, Tally
from swampsync.backends.memory import MemoryStore
from swampsync.clock import spawn_daemon
from swampsync.layout import ObjectKey
from swampsync.maintenance.racing import race
from swampsync.testing.manual_clock import ManualClock

KEY = ObjectKey("k")
MIB = 1024 * 1024


def read_all(store: ObjectStore) -> None:
    with store.open(KEY) as (_, chunks):
        assert b"".join(chunks)


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda s: s.get(KEY), {"get": Tally(1, 0, 10)}),
        (lambda s: s.get(KEY, start=8), {"get": Tally(1, 0, 2)}),
        (read_all, {"get": Tally(1, 0, 10)}),
        (lambda s: s.head(KEY), {"head": Tally(1)}),
        (lambda s: s.put(KEY, b"abc", Overwrite()), {"put": Tally(1, 3)}),
        (lambda s: s.put(ObjectKey("new"), b"abc", Create()), {"put": Tally(1, 3)}),
        (lambda s: s.put_stream(KEY, io.BytesIO(b"abc")), {"put": Tally(1, 3)}),
        (lambda s: s.put_stream(KEY, io.BytesIO(b"x" * 17 * MIB)), {"put": Tally(3, 17 * MIB), "multipart": Tally(2)}),
        (lambda s: s.delete(KEY), {"delete": Tally(1)}),
        (lambda s: s.delete_many([ObjectKey(str(n)) for n in range(2_001)]), {"delete": Tally(3)}),
        (lambda s: s.delete_many([]), {}),
        (lambda s: list(s.list_dirs("")), {"list": Tally(1)}),
        (lambda s: list(s.list("absent")), {"list": Tally(1)}),
    ],
)
def test_call_costs_the_requests_of_s3(
    act: Callable[[ObjectStore], object], expected: dict[RequestKind, Tally]
) -> None:
    """Each call counts what S3 would need: parts and batches included."""
    counter = RequestCounter()
    store = MemoryStore(ManualClock())
    store.put(KEY, b"0123456789", Create())
    act(Counting(store, counter))
    assert counter.snapshot().by_kind == expected


@pytest.mark.parametrize(
    ("count", "taken", "pages"), [(1_000, 1_000, 1), (1_001, 1_001, 2), (2_500, 2_500, 3), (2_500, 5, 1)]
)
def test_listing_costs_its_pages(count: int, taken: int, pages: int) -> None:
    """A listing costs one request for each 1,000 objects that are taken from it."""
    counter = RequestCounter()
    store = MemoryStore(ManualClock())
    for number in range(count):
        store.put(ObjectKey(f"k{number:05d}"), b"", Create())
    listing = Counting(store, counter).list("")
    assert sum(1 for _, _ in zip(range(taken), listing, strict=False)) == taken
    assert counter.snapshot()[RequestKind.LIST] == Tally(pages)


def test_failed_call_counts() -> None:
    """A request that found nothing was sent all the same."""
    counter = RequestCounter()
    store = Counting(MemoryStore(ManualClock()), counter)
    with pytest.raises(ObjectNotFound):
        store.get(KEY)
    with pytest.raises(ObjectNotFound):
        store.head(KEY)
    assert (counter.snapshot().requests, counter.snapshot().bytes_down) == (2, 0)


def test_difference_of_two_snapshots_is_what_happened_between() -> None:
    """Snapshots do not change afterwards, and subtract by kind."""
    counter = RequestCounter()
    counter("put", 5, 0)
    earlier = counter.snapshot()
    counter("put", 7, 0)
    counter("get", 0, 9)
    assert earlier.by_kind == {RequestKind.PUT: Tally(1, 5, 0)}
    between = counter.snapshot() - earlier
    assert between == RequestCounts({RequestKind.PUT: Tally(1, 7, 0), RequestKind.GET: Tally(1, 0, 9)})
    assert (between.requests, between.bytes_up, between.bytes_down) == (2, 7, 9)
    assert (earlier - earlier).by_kind == {}
    assert earlier[RequestKind.LIST] == Tally()


def test_unknown_kind_is_refused() -> None:
    """An observer is told only kinds that exist."""
    with pytest.raises(ValueError, match="guess"):
        RequestCounter()("guess", 0, 0)


def test_counter_may_be_told_from_many_threads() -> None:
    """No request is lost when threads count at once."""
    counter = RequestCounter()

    def tell(_: int) -> None:
        for _ in range(500):
            counter("get", 1, 2)

    race(8, tell, spawner=spawn_daemon)
    assert counter.snapshot()[RequestKind.GET] == Tally(4_000, 4_000, 8_000)
