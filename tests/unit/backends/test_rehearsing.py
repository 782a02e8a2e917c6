"""A rehearsed store sends no write, finds what was written, and counts what S3 would have been sent."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import pytest

from swampsync.backends.base import (
    Create,
    IfMatch,
    ObjectExists,
    ObjectNotFound,
    Overwrite,
    PreconditionFailed,
    RequestKind,
)
from swampsync.backends.costs import TransferCosts
from swampsync.backends.counting import Counting, RequestCounter
from swampsync.backends.memory import MemoryStore
from swampsync.backends.rehearsing import Rehearsing
from swampsync.backends.s3_pieces import FIRST_BYTES, PART_BYTES, count_reads, count_writes
from swampsync.clock import SystemClock
from swampsync.layout import ObjectKey


@dataclass
class Stage:
    """A rehearsed store over one that has three objects."""

    doubtful: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.real = MemoryStore(SystemClock())
        for name in ("a/1", "a/3", "b/1"):
            self.real.put(ObjectKey(name), name.encode(), Create())
        self.counter = RequestCounter()
        self.store = Rehearsing(
            Counting(self.real, self.counter),
            self.counter,
            clock=SystemClock(),
            costs=TransferCosts(),
            keeps_body=lambda key: key.text.startswith("a/"),
            exists=lambda key: key.text in self.doubtful,
        )

    def count(self, kind: RequestKind) -> int:
        return self.counter.snapshot()[kind].requests

    def keys(self, prefix: str = "", start: str | None = None) -> list[str]:
        return [info.key.text for info in self.store.list(prefix, start=start)]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_what_is_written_is_found_and_not_sent(stage: Stage) -> None:
    """Puts and deletions show in reads and listings, in order, and the real store stays as it was."""
    stage.store.put(ObjectKey("a/2"), b"new", Create())
    stage.store.put(ObjectKey("a/3"), b"other", Overwrite())
    stage.store.put(ObjectKey("c/x/1"), b"12345", Create())
    stage.store.delete(ObjectKey("b/1"))
    assert stage.keys() == ["a/1", "a/2", "a/3", "c/x/1"]
    assert stage.keys("a/", start="a/2") == ["a/2", "a/3"]
    assert list(stage.store.list_dirs("")) == ["a", "b", "c"]
    assert [stage.store.get(ObjectKey(f"a/{n}")).body for n in (1, 2, 3)] == [b"a/1", b"new", b"other"]
    assert stage.store.get(ObjectKey("a/2"), start=1, length=1).body == b"e"
    with stage.store.open(ObjectKey("a/3")) as (info, chunks):
        assert (info.size, b"".join(chunks)) == (5, b"other")
    assert stage.store.head(ObjectKey("c/x/1")).size == 5
    for ask in (stage.store.get, stage.store.head):
        with pytest.raises(ObjectNotFound):
            ask(ObjectKey("b/1"))
    assert {info.key.text: stage.real.get(info.key).body for info in stage.real.list("")} == {
        name: name.encode() for name in ("a/1", "a/3", "b/1")
    }


def test_conditions_hold_among_what_was_written(stage: Stage) -> None:
    """A key is created once, and swapped only by its ETag; where something may lie already, that is asked."""
    key = ObjectKey("a/2")
    first = stage.store.put(key, b"one", Create())
    with pytest.raises(ObjectExists):
        stage.store.put(key, b"two", Create())
    stage.store.put(key, b"two", IfMatch(first.etag))
    with pytest.raises(PreconditionFailed):
        stage.store.put(key, b"three", IfMatch(first.etag))
    stage.store.delete_many([key])
    with pytest.raises(PreconditionFailed):
        stage.store.put(key, b"three", IfMatch(first.etag))
    stage.store.put(key, b"four", Create())
    stage.doubtful.add("b/1")
    with pytest.raises(ObjectExists):
        stage.store.put(ObjectKey("b/1"), b"x", Create())


def test_requests_are_those_that_would_be_sent(stage: Stage) -> None:
    """Each write is a request with its bytes, a large one in parts; reads of what was written count as reads."""
    stage.store.put(ObjectKey("a/2"), b"12345", Create())
    stage.store.get(ObjectKey("a/2"))
    stage.store.get(ObjectKey("a/1"))
    stage.store.put_stream(ObjectKey("c/1"), io.BytesIO(b"x" * (PART_BYTES + 1)))
    stage.store.delete_many([ObjectKey("a/1"), ObjectKey("a/3")])
    list(stage.store.list(""))
    kinds = (RequestKind.PUT, RequestKind.GET, RequestKind.MULTIPART, RequestKind.DELETE, RequestKind.LIST)
    assert [stage.count(kind) for kind in kinds] == [3, 2, 2, 1, 1]
    counts = stage.counter.snapshot()
    assert (counts.bytes_up, counts.bytes_down) == (5 + PART_BYTES + 1, 5 + 3)


@pytest.mark.parametrize(
    ("size", "reads", "writes"),
    [
        (0, 1, 1),
        (FIRST_BYTES, 1, 1),
        (FIRST_BYTES + 1, 2, 1),
        (8 << 20, 2, 3),
        ((8 << 20) - 1, 2, 1),
        (128 << 20, 1 + -(-(124 << 20) // (8 << 20)), 2 + 8),
    ],
)
def test_large_objects_cost_what_s3_takes(size: int, reads: int, writes: int) -> None:
    """Ranges and parts are counted as they are cut."""
    assert (count_reads(size), count_writes(size)) == (reads, writes)
