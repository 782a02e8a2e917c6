"""Segments: rows as gzipped JSON lines, about 2 MiB each, written and read as streams.

A reader trusts nothing: the object must have the size and digest that its commit or checkpoint names, it may not
inflate beyond a bound, every row is checked, and their number must be the one that was named.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import orjson

from swampsync.errors import DataError, InvalidInput
from swampsync.log.commit import MAX_SEGMENT_BYTES, SegmentRef
from swampsync.log.rows import AnyRow, find_row_problem, row_from_list, row_to_list

TARGET_BYTES: Final = 2 * 1024 * 1024
MAX_PLAIN_BYTES: Final = 64 * 1024 * 1024
MAX_LINE_BYTES: Final = 8 * 1024 * 1024
_PLAIN_TARGET: Final = MAX_PLAIN_BYTES // 2
_CHUNK: Final = 256 * 1024
_GZIP: Final = 31  # zlib's number for a gzip container; without a name and time, so equal rows give equal bytes


def row_to_line(row: AnyRow) -> bytes:
    """Encode a row as a line.

    Raises:
        InvalidInput: It could not be read back: it is malformed, or too long.
    """
    problem = find_row_problem(row)
    if problem is not None:
        raise InvalidInput(f"a row of the commit {problem}")
    try:
        line = orjson.dumps(row_to_list(row), option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError as error:
        raise InvalidInput(f"a row of the commit holds what is no JSON: {error}") from error
    if len(line) > MAX_LINE_BYTES:
        raise InvalidInput(f"a row of {len(line)} bytes is too large for a segment")
    return line


def pack_segments(
    lines: Iterable[bytes], *, new_id: Callable[[], str], target_bytes: int = TARGET_BYTES
) -> Iterator[tuple[SegmentRef, bytes]]:
    """Pack lines (`row_to_line`) into segments; what is in memory is one of them.

    Args:
        lines: In an order that puts similar ones side by side, for size.
        new_id: Where a segment's name comes from.
        target_bytes: At about which compressed size the next segment begins.
    """
    packer = _Packer()
    for line in lines:
        packer.add(line)
        if packer.packed_bytes >= target_bytes or packer.plain_bytes >= _PLAIN_TARGET:
            yield packer.finish(new_id())
            packer = _Packer()
    if packer.rows:
        yield packer.finish(new_id())


class _Packer:
    """One segment in the making."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self._parts: list[bytes] = []
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self.rows = 0
        self.plain_bytes = 0
        self.packed_bytes = 0

    def add(self, line: bytes) -> None:
        self.rows += 1
        self.plain_bytes += len(line)
        self._waiting.append(line)
        self._waiting_bytes += len(line)
        if self._waiting_bytes >= _CHUNK:
            self._compress()

    def _compress(self) -> None:
        self._keep(self._deflate.compress(b"".join(self._waiting)))
        self._waiting.clear()
        self._waiting_bytes = 0

    def _keep(self, part: bytes) -> None:
        self._parts.append(part)
        self.packed_bytes += len(part)

    def finish(self, identifier: str) -> tuple[SegmentRef, bytes]:
        self._compress()
        self._keep(self._deflate.flush())
        body = b"".join(self._parts)
        return SegmentRef(identifier, self.rows, len(body), hashlib.sha256(body).hexdigest()), body


def check_segment(body: bytes, ref: SegmentRef, *, key: str) -> None:
    """Compare a segment's bytes with what names it.

    Raises:
        DataError: Size or digest differ.
    """
    if len(body) != ref.size or len(body) > MAX_SEGMENT_BYTES or hashlib.sha256(body).hexdigest() != ref.sha256:
        raise DataError(f"segment `{key}` is not the one that was written", key=key)


def unpack_fields(body: bytes, ref: SegmentRef, *, key: str) -> Iterator[list[Any]]:
    """Decode a checked segment line by line, in constant memory; the rows are not checked yet.

    Raises:
        DataError: It is no gzip, inflates too far, is no JSON, or holds another number of rows than named.
    """
    count = 0
    for lines in _inflate(body, key=key):
        try:
            # A newline cannot stand inside of JSON text other than as white space: one call decodes many lines.
            batch = orjson.loads(b"[" + lines.rstrip(b"\n").replace(b"\n", b",") + b"]")
        except orjson.JSONDecodeError as error:
            raise DataError(f"segment `{key}` holds a line that is not valid JSON", key=key) from error
        count += len(batch)
        yield from batch
    if count != ref.rows:
        raise DataError(f"segment `{key}` holds {count} rows instead of {ref.rows}", key=key)


def unpack_segment(body: bytes, ref: SegmentRef, *, key: str) -> Iterator[AnyRow]:
    """Decode a checked segment into checked rows, in constant memory.

    Raises:
        DataError: See `unpack_fields`; or a row is malformed or names an impossible path.
    """
    for fields in unpack_fields(body, ref, key=key):
        yield row_from_list(fields, key=key)


def _inflate(body: bytes, *, key: str) -> Iterator[bytes]:
    """Yield runs of whole lines."""
    inflate = zlib.decompressobj(_GZIP)
    total = 0
    rest = b""
    waiting = body
    try:
        while not inflate.eof:
            plain = inflate.decompress(waiting, _CHUNK)
            waiting = inflate.unconsumed_tail
            if not plain and not waiting:
                break
            total += len(plain)
            if total > MAX_PLAIN_BYTES or len(rest) > MAX_LINE_BYTES:
                raise DataError(f"segment `{key}` inflates to more than a segment may hold", key=key)
            head, newline, tail = plain.rpartition(b"\n")
            if newline:
                yield rest + head + newline
                rest = tail
            else:
                rest += plain
    except zlib.error as error:
        raise DataError(f"segment `{key}` is not valid gzip", key=key) from error
    if not inflate.eof or rest or inflate.unused_data:
        raise DataError(f"segment `{key}` is cut off or has something behind its end", key=key)
