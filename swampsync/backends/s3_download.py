"""A large object read in ranges, several at a time, given out in order.

One connection to a store far away carries some 50 MB/s whatever the line; several carry what the line does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Final

from swampsync.backends.base import GetResult, ObjectInfo
from swampsync.backends.s3_sharing import Sharing
from swampsync.errors import InvalidInput, Unavailable

FIRST_BYTES: Final = 4 << 20
_LARGEST_RANGE: Final = 16 << 20
# A range is held in the chunks it came in, never put together: what is on its way takes its own size and no more.
_WINDOW_BYTES: Final = 48 << 20
_RANGES_AT_A_TIME: Final = 6


@dataclass(frozen=True, slots=True)
class RangeChunks:
    """A range as it came.

    Args:
        info: What the answer says of the whole object.
        chunks: The bytes.
    """

    info: ObjectInfo
    chunks: Sequence[bytes]


def choose_range_bytes(size: int) -> int:
    """Say how large the ranges of an object are: larger ones cost less each, but there must be enough for all threads.

    Args:
        size: The object's size in bytes.
    """
    sixteenth = -(-size // (16 * FIRST_BYTES)) * FIRST_BYTES
    return min(max(sixteenth, FIRST_BYTES), _LARGEST_RANGE)


def count_reads(size: int) -> int:
    """Say how many requests it takes to read an object of a size in ranges."""
    if size <= FIRST_BYTES:
        return 1
    return 1 + -(-(size - FIRST_BYTES) // choose_range_bytes(size))


def read_ranges(
    first: GetResult,
    fetch: Callable[[int, int], RangeChunks],
    new_pool: Callable[[int], Executor],
    sharing: Sharing,
) -> Generator[bytes]:
    """Yield the body of an object of which the first `FIRST_BYTES` were read.

    Args:
        first: The first range, and what it says of the whole.
        fetch: Reads the range of a start and a length.
        new_pool: Makes an executor of so many threads; it is used only for what more than one range takes.
        sharing: Among all large transfers under way: how many of the ranges may be on their way.

    Raises:
        Unavailable: The object was replaced meanwhile, or a range came short.
    """
    info = first.info
    _check(RangeChunks(info, (first.body,)), info, 0, min(FIRST_BYTES, info.size))
    if info.size <= FIRST_BYTES:
        yield first.body
        return
    range_bytes = choose_range_bytes(info.size)
    at_a_time = min(_RANGES_AT_A_TIME, _WINDOW_BYTES // range_bytes)
    starts = iter(range(FIRST_BYTES, info.size, range_bytes))
    with sharing.joined(), new_pool(at_a_time) as pool:
        under_way: deque[tuple[int, int, Future[RangeChunks]]] = deque()

        def begin() -> None:
            while len(under_way) < sharing.share_of(at_a_time) and (start := next(starts, None)) is not None:
                length = min(range_bytes, info.size - start)
                under_way.append((start, length, pool.submit(fetch, start, length)))

        try:
            begin()
            yield first.body
            while under_way:
                start, length, future = under_way.popleft()
                try:
                    part = future.result()
                except InvalidInput as error:
                    raise _replaced(info) from error  # the range begins behind its end now
                del future  # it holds the chunks
                _check(part, info, start, length)
                chunks = deque(part.chunks)
                del part  # so that each chunk is gone when it was given out
                begin()
                while chunks:
                    yield chunks.popleft()
        finally:
            for _, _, future in under_way:
                future.cancel()


def _check(part: RangeChunks, info: ObjectInfo, start: int, length: int) -> None:
    if (part.info.etag, part.info.size) != (info.etag, info.size):
        raise _replaced(info)
    came = sum(len(chunk) for chunk in part.chunks)
    if came != length:
        raise Unavailable(f"object `{info.key}` came short at {start + came}", key=info.key.text)


def _replaced(info: ObjectInfo) -> Unavailable:
    return Unavailable(f"object `{info.key}` was replaced while it was read", key=info.key.text)
