"""A large object read in ranges, several at a time, given out in order.

One connection to a store far away carries some 50 MB/s whatever the line; several carry what the line does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future
from typing import Final

from swampsync.backends.base import GetResult, ObjectInfo
from swampsync.errors import InvalidInput, Unavailable

RANGE_BYTES: Final = 4 << 20
# Four on their way, one given out. Each is in memory up to three times: as it comes, put together, and as `bytes`.
RANGES_AT_A_TIME: Final = 4


def read_ranges(
    first: GetResult, fetch: Callable[[int, int], GetResult], new_pool: Callable[[int], Executor]
) -> Generator[bytes]:
    """Yield the body of an object of which the first range was read.

    Args:
        first: The first range, and what it says of the whole.
        fetch: Reads the range of a start and a length.
        new_pool: Makes an executor of so many threads; it is used only for what more than one range takes.

    Raises:
        Unavailable: The object was replaced meanwhile, or a range came short.
    """
    info = first.info
    yield _checked(first, info, 0)
    starts = iter(range(RANGE_BYTES, info.size, RANGE_BYTES))
    if info.size <= RANGE_BYTES:
        return
    with new_pool(RANGES_AT_A_TIME) as pool:
        under_way: deque[tuple[int, Future[GetResult]]] = deque()

        def begin() -> None:
            start = next(starts, None)
            if start is not None:
                under_way.append((start, pool.submit(fetch, start, min(RANGE_BYTES, info.size - start))))

        try:
            for _ in range(RANGES_AT_A_TIME):
                begin()
            while under_way:
                start, future = under_way.popleft()
                try:
                    part = _checked(future.result(), info, start)
                except InvalidInput as error:
                    raise _replaced(info) from error  # the range begins behind its end now
                del future  # it holds the body
                begin()
                yield part
        finally:
            for _, future in under_way:
                future.cancel()


def _checked(part: GetResult, info: ObjectInfo, start: int) -> bytes:
    if (part.info.etag, part.info.size) != (info.etag, info.size):
        raise _replaced(info)
    if len(part.body) != min(RANGE_BYTES, info.size - start):
        raise Unavailable(f"object `{info.key}` came short at {start + len(part.body)}", key=info.key.text)
    return part.body


def _replaced(info: ObjectInfo) -> Unavailable:
    return Unavailable(f"object `{info.key}` was replaced while it was read", key=info.key.text)
