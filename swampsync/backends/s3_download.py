"""A large object read in ranges, several at a time, given out in order or put to their places.

One connection to a store far away carries some 50 MB/s whatever the line; several carry what the line does.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Final, Generic, NamedTuple, TypeVar

from swampsync.backends.base import GetResult, ObjectInfo
from swampsync.backends.places import Places
from swampsync.backends.s3_pieces import FIRST_BYTES, choose_range_bytes
from swampsync.backends.s3_sharing import Sharing
from swampsync.errors import InvalidInput, Unavailable

T = TypeVar("T")

# A range that is given out in order is held until its turn, in the chunks it came in, never put together: what is on
# its way takes its own size and no more.
_WINDOW_BYTES: Final = 48 << 20
_RANGES_AT_A_TIME: Final = 6
# Those that are put to their places take little memory; more of them cost CPU time and were no faster.
_PLACED_AT_A_TIME: Final = 4

_AGAIN: Final = "run the command again"


@dataclass(frozen=True, slots=True)
class RangeChunks:
    """A range that begins to come.

    Args:
        info: What the answer says of the whole object.
        chunks: The bytes, as they come or as they came.
    """

    info: ObjectInfo
    chunks: Iterable[bytes]


Fetch = Callable[[int, int], RangeChunks]


def read_ranges(
    first: GetResult, fetch: Fetch, new_pool: Callable[[int], Executor], sharing: Sharing
) -> Generator[bytes]:
    """Yield the body of an object of which the first `FIRST_BYTES` were read.

    Args:
        first: The first range, and what it says of the whole.
        fetch: Begins to read the range of a start and a length.
        new_pool: Makes an executor of so many threads; it is used only for what more than one range takes.
        sharing: Among all large transfers under way: how many of the ranges may be on their way.

    Raises:
        Unavailable: The object was replaced meanwhile, or a range came short.
    """
    info = first.info
    _check_first(first)
    if info.size <= FIRST_BYTES:
        yield first.body
        return

    def hold(start: int, length: int) -> deque[bytes]:
        return deque(_whole_range(fetch, info, start, length))

    at_a_time = min(_RANGES_AT_A_TIME, _WINDOW_BYTES // choose_range_bytes(info.size))
    with sharing.joined(), _running(info.size, hold, new_pool(at_a_time)) as ranges:
        ranges.begin(sharing.share_of(at_a_time))
        yield first.body
        while ranges.under_way:
            chunks = ranges.under_way.popleft().future.result()
            ranges.begin(sharing.share_of(at_a_time) - len(ranges.under_way))
            while chunks:
                yield chunks.popleft()


def place_ranges(
    first: GetResult, fetch: Fetch, target: Places, new_pool: Callable[[int], Executor], sharing: Sharing
) -> Generator[int]:
    """Put the body of an object to its places, each chunk when it comes; yield how much of the beginning is there.

    The threads that fetch also write: what comes is written while the processor's cache holds it, and is gone.

    Args:
        first: The first range, and what it says of the whole.
        fetch: Begins to read the range of a start and a length.
        target: Takes the bytes.
        new_pool: As for `read_ranges`.
        sharing: As for `read_ranges`.

    Raises:
        Unavailable: The object was replaced meanwhile, or a range came short.
    """
    info = first.info
    _check_first(first)
    if first.body:
        target.write_at(0, first.body)
        yield len(first.body)
    if info.size <= FIRST_BYTES:
        return
    stopped = threading.Event()

    def place(start: int, length: int) -> None:
        at = start
        for chunk in _whole_range(fetch, info, start, length):
            if stopped.is_set():
                return
            target.write_at(at, chunk)
            at += len(chunk)

    with sharing.joined(), _running(info.size, place, new_pool(_PLACED_AT_A_TIME)) as ranges:
        try:
            while True:
                # Some wait for a thread, so that none waits for whoever takes the news.
                ranges.begin(sharing.share_of(_PLACED_AT_A_TIME) * 3 // 2 - ranges.count_running())
                if not ranges.under_way:
                    return
                done = 0
                for ended in ranges.take_ended():
                    ended.future.result()
                    done = ended.start + ended.length
                if done:
                    yield done
        finally:
            stopped.set()


class _UnderWay(NamedTuple, Generic[T]):
    """A range that is on its way, or was."""

    start: int
    length: int
    future: Future[T]


class _Ranges(Generic[T]):
    """The ranges of an object behind `FIRST_BYTES`, begun in order."""

    def __init__(self, size: int, act: Callable[[int, int], T], pool: Executor) -> None:
        self.under_way: deque[_UnderWay[T]] = deque()
        self._size = size
        self._range_bytes = choose_range_bytes(size)
        self._starts = iter(range(FIRST_BYTES, size, self._range_bytes))
        self._act = act
        self._pool = pool

    def begin(self, count: int) -> None:
        """Begin so many further ranges, or all that are left."""
        for start in islice(self._starts, max(0, count)):
            length = min(self._range_bytes, self._size - start)
            self.under_way.append(_UnderWay(start, length, self._pool.submit(self._act, start, length)))

    def count_running(self) -> int:
        """Count those that have not ended."""
        return sum(not one.future.done() for one in self.under_way)

    def take_ended(self) -> Iterator[_UnderWay[T]]:
        """Wait until a range ends, and take from the first on those that have; one that failed comes at once."""
        ended, _ = wait([one.future for one in self.under_way if not one.future.done()], return_when=FIRST_COMPLETED)
        for future in ended:
            future.result()
        while self.under_way and self.under_way[0].future.done():
            yield self.under_way.popleft()


@contextmanager
def _running(size: int, act: Callable[[int, int], T], pool: Executor) -> Generator[_Ranges[T]]:
    """Give the ranges of an object, and go only when none of them is on its way any more."""
    with pool:
        ranges = _Ranges(size, act, pool)
        try:
            yield ranges
        finally:
            for one in ranges.under_way:
                one.future.cancel()


def _whole_range(fetch: Fetch, info: ObjectInfo, start: int, length: int) -> Iterator[bytes]:
    """Yield a range's chunks, which must be of the object's first state, and as many bytes as were asked for."""
    try:
        part = fetch(start, length)
    except InvalidInput as error:
        raise _replaced(info) from error  # the range begins behind its end now
    if (part.info.etag, part.info.size) != (info.etag, info.size):
        raise _replaced(info)
    came = 0
    for chunk in part.chunks:
        came += len(chunk)
        if came > length:
            break
        yield chunk
    if came != length:
        raise _short(info, start + came)


def _check_first(first: GetResult) -> None:
    if len(first.body) != min(FIRST_BYTES, first.info.size):
        raise _short(first.info, len(first.body))


def _short(info: ObjectInfo, at: int) -> Unavailable:
    return Unavailable(f"object `{info.key}` came short at {at}", hint=_AGAIN, key=info.key.text)


def _replaced(info: ObjectInfo) -> Unavailable:
    return Unavailable(f"object `{info.key}` was replaced while it was read", hint=_AGAIN, key=info.key.text)
