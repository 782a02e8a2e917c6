"""A stream cut into parts."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, Final

PART_BYTES: Final = 8 << 20
# Four parts on their way and one being read: under 50 MiB in all.
PARTS_AT_A_TIME: Final = 4
MAX_PARTS: Final = 10_000


class Parts:
    """The parts of a stream, read when they are asked for.

    An error of the stream is kept, so that it can be told from one of the network.
    """

    def __init__(self, first: bytes, body: BinaryIO, part_bytes: int) -> None:
        self.part_bytes = part_bytes
        self.sent = 0
        self.error: BaseException | None = None
        self._first: bytes | None = first
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        part = self._first
        self._first = None
        if part is None:
            try:
                part = _read(self._body, self.part_bytes)
            except BaseException as error:
                self.error = error
                raise
        if not part:
            raise StopIteration
        self.sent += len(part)
        return part


def read_parts(body: BinaryIO) -> tuple[bytes, Parts | None]:
    """Read the first part of a stream, and give back how to read the others; `None` if there are none."""
    part_bytes = _choose_part_bytes(body)
    first = _read(body, part_bytes)
    if len(first) < part_bytes:
        return first, None
    return b"", Parts(first, body, part_bytes)


def _choose_part_bytes(body: BinaryIO) -> int:
    """Make parts larger where a large file would otherwise have more of them than S3 takes."""
    if not body.seekable():
        return 2 * PART_BYTES
    at = body.tell()
    size = body.seek(0, io.SEEK_END) - at
    body.seek(at)
    needed = -(-size // MAX_PARTS)
    return max(PART_BYTES, -(-needed // PART_BYTES) * PART_BYTES)


def _read(body: BinaryIO, size: int) -> bytes:
    """Read `size` bytes; fewer only at the end of the stream."""
    first = body.read(size)
    if not first or len(first) == size:
        return first
    pieces = [first]
    missing = size - len(first)
    while missing and (piece := body.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
