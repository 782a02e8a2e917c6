"""A large object put to its places: ranges in any order, one state, nothing after its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from swampsync.backends.base import ETag, GetResult, ObjectInfo
from swampsync.backends.s3_download import RangeChunks, place_ranges, read_ranges
from swampsync.backends.s3_pieces import FIRST_BYTES
from swampsync.backends.s3_sharing import Sharing
from swampsync.clock import SystemClock
from swampsync.errors import InvalidInput, Unavailable
from swampsync.layout import ObjectKey

KEY = ObjectKey("infra/data/x")
SIZE = 5 * FIRST_BYTES + 123
BODY = bytes(range(256)) * (SIZE // 256 + 1)
BODY = BODY[:SIZE]
PIECE = 1 << 20
Fetch = Callable[[int, int], RangeChunks]


def info_of(etag: str = "one", size: int = SIZE) -> ObjectInfo:
    return ObjectInfo(KEY, size, ETag(etag), SystemClock().now())


FIRST = GetResult(info_of(), BODY[:FIRST_BYTES])


def pieces(start: int, length: int) -> Iterator[bytes]:
    for at in range(start, start + length, PIECE):
        yield BODY[at : min(at + PIECE, start + length)]


def whole(start: int, length: int) -> RangeChunks:
    return RangeChunks(info_of(), pieces(start, length))


class Sheet:
    """Takes bytes at their places."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.body = bytearray(SIZE)
        self.starts: list[int] = []

    def write_at(self, offset: int, data: bytes) -> None:
        with self.lock:
            self.body[offset : offset + len(data)] = data
            self.starts.append(offset)


def place(fetch: Fetch, sheet: Sheet) -> list[int]:
    return list(place_ranges(FIRST, fetch, sheet, ThreadPoolExecutor, Sharing()))


def test_later_ranges_are_written_while_the_first_is_awaited() -> None:
    """What comes early is written at once, and told of only when everything before it is in place."""
    later, sheet = threading.Event(), Sheet()

    def fetch(start: int, length: int) -> RangeChunks:
        if start == FIRST_BYTES:
            assert later.wait(30)
        elif start == 3 * FIRST_BYTES:
            return RangeChunks(info_of(), last(start, length))
        return whole(start, length)

    def last(start: int, length: int) -> Iterator[bytes]:
        yield from pieces(start, length)
        later.set()

    told = place(fetch, sheet)
    assert sheet.body == BODY
    assert sheet.starts.index(3 * FIRST_BYTES) < sheet.starts.index(FIRST_BYTES)
    assert told[0] == FIRST_BYTES
    assert told == sorted(set(told))
    assert told[-1] == SIZE


def behind_the_end(start: int, length: int) -> RangeChunks:
    raise InvalidInput(f"{start} {length}")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (lambda s, n: RangeChunks(info_of("two"), pieces(s, n)), "was replaced while it was read"),
        (lambda s, n: RangeChunks(info_of(size=SIZE + 1), pieces(s, n)), "was replaced while it was read"),
        (behind_the_end, "was replaced while it was read"),
        (lambda s, n: RangeChunks(info_of(), pieces(s, n - 1)), "came short at"),
        (lambda s, n: RangeChunks(info_of(), iter([bytes(n), b"x"])), "came short at"),
    ],
    ids=["another state", "another size", "shorter now", "short range", "long range"],
)
@pytest.mark.parametrize("at", [FIRST_BYTES, 3 * FIRST_BYTES])
def test_range_that_is_not_as_it_should_be_is_an_error(bad: Fetch, said: str, at: int) -> None:
    """A range of another state, or of another length, is `Unavailable`, in order and in place; none is written over."""

    def fetch(start: int, length: int) -> RangeChunks:
        return bad(start, length) if start == at else whole(start, length)

    sheet, told = Sheet(), 0
    with pytest.raises(Unavailable, match=said) as caught:
        for told in place_ranges(FIRST, fetch, sheet, ThreadPoolExecutor, Sharing()):  # noqa: B007 used below
            pass
    assert caught.value.key == KEY.text
    assert told <= at
    assert sheet.body[:told] == BODY[:told]
    assert sheet.body[at + FIRST_BYTES] == BODY[at + FIRST_BYTES] == 0
    with pytest.raises(Unavailable, match=said):
        list(read_ranges(FIRST, fetch, ThreadPoolExecutor, Sharing()))


def test_nothing_is_written_after_an_error() -> None:
    """When the error is out, the ranges that were on their way have stopped at their next chunk."""
    sheet, begun = Sheet(), threading.Event()

    def endless(start: int, length: int) -> Iterator[bytes]:
        for piece in pieces(start, length):
            begun.set()
            yield piece

    def fetch(start: int, length: int) -> RangeChunks:
        if start == 2 * FIRST_BYTES:
            assert begun.wait(30)
            raise Unavailable("the line is cut")
        return RangeChunks(info_of(), endless(start, length))

    with pytest.raises(Unavailable, match="the line is cut"):
        place(fetch, sheet)
    written = len(sheet.starts)
    assert not [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]
    assert len(sheet.starts) == written


def test_error_of_a_place_comes_out_unchanged() -> None:
    """A full disk is the caller's own error, whichever thread finds it."""

    class Full(Sheet):
        def write_at(self, offset: int, data: bytes) -> None:
            if offset >= 2 * FIRST_BYTES:
                raise OSError("no space left on device")
            super().write_at(offset, data)

    with pytest.raises(OSError, match="no space left on device"):
        place(whole, Full())
