"""Counting requests and bytes."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO, cast

import pytest

from swampsync.backends.base import (
    Create,
    ETag,
    ObjectInfo,
    ObjectNotFound,
    ObjectStore,
    Overwrite,
    PutResult,
    RequestKind,
)
from swampsync.backends.counting import Counting, RequestCounter, RequestCounts, Tally
from swampsync.backends.memory import MemoryStore
from swampsync.backends.places import Places
from swampsync.backends.s3_pieces import count_reads, count_writes
from swampsync.clock import spawn_daemon
from swampsync.layout import ObjectKey
from swampsync.maintenance.racing import race
from swampsync.testing.manual_clock import ManualClock

KEY = ObjectKey("k")
MIB = 1024 * 1024
ZEROS = bytes(MIB)


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


class Hollow(MemoryStore):
    """Takes and gives large bodies without keeping them."""

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        while body.read(MIB):
            pass
        return PutResult(ETag("e"))

    @contextmanager
    def open(self, key: ObjectKey) -> Iterator[tuple[ObjectInfo, Iterator[bytes]]]:
        size = int(key.text)
        info = replace(self.head(KEY), key=key, size=size)
        yield info, (ZEROS[: min(MIB, size - at)] for at in range(0, size, MIB))

    @contextmanager
    def download(self, key: ObjectKey, target: Places) -> Iterator[tuple[ObjectInfo, Iterator[int]]]:
        with self.open(key) as (info, chunks):
            yield info, itertools.accumulate(len(chunk) for chunk in chunks)


class Nothing:
    """Takes bytes to no place."""

    def write_at(self, offset: int, data: bytes) -> None:
        raise AssertionError("there is nothing to write")


class Zeros(io.RawIOBase):
    """A body of so many zeros."""

    def __init__(self, size: int, *, is_seekable: bool = True) -> None:
        self._left = size
        self._is_seekable = is_seekable

    def seekable(self) -> bool:
        return self._is_seekable

    def read(self, size: int = -1, /) -> bytes:
        assert size == MIB
        given = ZEROS[: min(size, self._left)]
        self._left -= len(given)
        return given


def large_store() -> tuple[Counting, RequestCounter]:
    store, counter = Hollow(ManualClock()), RequestCounter()
    store.put(KEY, b"", Create())
    return Counting(store, counter), counter


@pytest.mark.parametrize(
    ("size", "is_seekable", "parts"),
    [
        (8 * MIB - 1, True, 0),
        (8 * MIB, True, 1),
        (8 * MIB + 1, True, 2),
        (128 * MIB - 1, True, 16),
        (128 * MIB, True, 8),
        (200 * MIB, True, 13),
        (16 * MIB - 1, False, 0),
        (16 * MIB, False, 1),
        (200 * MIB, False, 13),
    ],
)
def test_large_object_goes_up_in_the_parts_of_s3(size: int, is_seekable: bool, parts: int) -> None:  # noqa: FBT001
    """Parts grow with the object, and are large where its size is not known before."""
    store, counter = large_store()
    store.put_stream(KEY, cast("BinaryIO", Zeros(size, is_seekable=is_seekable)))
    counts = counter.snapshot()
    assert counts[RequestKind.PUT] == Tally(parts or 1, size)
    assert counts[RequestKind.MULTIPART] == Tally(2 if parts else 0)
    if is_seekable:
        assert counts.requests == count_writes(size)


@pytest.mark.parametrize(
    ("size", "requests"), [(0, 1), (4 * MIB, 1), (4 * MIB + 1, 2), (64 * MIB, 16), (65 * MIB, 9), (200 * MIB, 14)]
)
def test_large_object_comes_down_in_the_ranges_of_s3(size: int, requests: int) -> None:
    """Ranges grow with the object, streamed or put to its places."""
    for read in ("open", "download"):
        store, counter = large_store()
        key = ObjectKey(str(size))
        with store.open(key) if read == "open" else store.download(key, Nothing()) as (_, pieces):
            assert sum(1 for _ in pieces) == -(-size // MIB)
        assert counter.snapshot().by_kind == {RequestKind.GET: Tally(requests, 0, size)}
        assert requests == count_reads(size)


def test_large_object_that_is_left_early_costs_the_ranges_that_were_taken() -> None:
    """As many bytes are counted as were taken, in the ranges of the whole object."""
    store, counter = large_store()
    with store.open(ObjectKey(str(200 * MIB))) as (_, chunks):
        for _ in range(21):
            next(chunks)
    assert counter.snapshot().by_kind == {RequestKind.GET: Tally(3, 0, 21 * MIB)}


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
