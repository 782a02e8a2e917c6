"""A stream cut into parts."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, Final

from swampsync.backends.s3_pieces import choose_part_bytes

# Four parts on their way and one being read.
PARTS_AT_A_TIME: Final = 4
# What is read at a time fits a processor's cache: it is digested, and copied into its part, while it is there.
_PIECE_BYTES: Final = 1 << 20


class Parts:
    """The parts of a stream, read piece by piece when they are asked for.

    An error of the stream is kept, so that it can be told from one of the network.
    """

    def __init__(self, first: bytes, body: BinaryIO, part_bytes: int) -> None:
        self.part_bytes = part_bytes
        self.sent = 0
        self.error: BaseException | None = None
        self._first: bytes | None = first or None
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = self._first
        self._first = None
        if piece is None:
            try:
                piece = self._body.read(_PIECE_BYTES)
            except BaseException as error:
                self.error = error
                raise
        if not piece:
            raise StopIteration
        self.sent += len(piece)
        return piece


def read_parts(body: BinaryIO) -> tuple[bytes, Parts | None]:
    """Read a stream that fits one part; of a larger one give back how to read its parts.

    Returns:
        The whole body and `None`, or nothing and its parts.
    """
    size = _remaining(body)
    part_bytes = choose_part_bytes(size)
    if size is not None and size >= part_bytes:
        return b"", Parts(b"", body, part_bytes)
    first = _read(body, part_bytes)
    if len(first) < part_bytes:
        return first, None
    return b"", Parts(first, body, part_bytes)


def read_whole_parts(body: BinaryIO) -> Iterator[bytes]:
    """Read a stream part by part, each whole; of an empty one there is one part."""
    part_bytes = choose_part_bytes(_remaining(body))
    part = _read(body, part_bytes)
    yield part
    while len(part) == part_bytes and (part := _read(body, part_bytes)):
        yield part


def _remaining(body: BinaryIO) -> int | None:
    if not body.seekable():
        return None
    at = body.tell()
    size = body.seek(0, io.SEEK_END) - at
    body.seek(at)
    return size


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
