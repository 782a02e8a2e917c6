"""Counting requests and bytes, by kind: what a command cost.

`RequestCounter` is what counts. A store that sends requests of its own (S3) is given one as `on_request` and tells the
truth; `Counting` stands before a store that sends none (memory, a directory) and counts what S3 would have sent.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, Final, cast

from swampsync.backends.base import (
    Capabilities,
    GetResult,
    ObjectInfo,
    ObjectStore,
    PutMode,
    PutResult,
    RequestKind,
    RequestObserver,
)
from swampsync.backends.places import Places
from swampsync.backends.s3_pieces import choose_part_bytes, cut_reads, cut_writes, is_in_parts
from swampsync.errors import SwampsyncError
from swampsync.layout import ObjectKey

PAGE_KEYS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests of one kind, and the sizes of the bodies they carried."""

    requests: int = 0
    bytes_up: int = 0
    bytes_down: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.requests + other.requests, self.bytes_up + other.bytes_up, self.bytes_down + other.bytes_down)

    def __sub__(self, other: Tally) -> Tally:
        return Tally(self.requests - other.requests, self.bytes_up - other.bytes_up, self.bytes_down - other.bytes_down)


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """What was counted up to a moment; the difference of two is what happened between them."""

    by_kind: Mapping[RequestKind, Tally] = field(default_factory=dict)

    def __getitem__(self, kind: RequestKind) -> Tally:
        return self.by_kind.get(kind, Tally())

    def __sub__(self, earlier: RequestCounts) -> RequestCounts:
        tallies = {kind: self[kind] - earlier[kind] for kind in RequestKind}
        return RequestCounts({kind: tally for kind, tally in tallies.items() if tally != Tally()})

    @property
    def total(self) -> Tally:
        """All kinds together."""
        return sum(self.by_kind.values(), Tally())

    @property
    def requests(self) -> int:
        """How many requests of all kinds."""
        return self.total.requests

    @property
    def bytes_up(self) -> int:
        """How many bytes of objects were sent."""
        return self.total.bytes_up

    @property
    def bytes_down(self) -> int:
        """How many bytes of objects were received."""
        return self.total.bytes_down


class RequestCounter:
    """Counts requests; may be told of them from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[RequestKind, Tally] = {}

    def __call__(self, kind: str, bytes_up: int, bytes_down: int) -> None:
        """Count one request; it is a `RequestObserver`."""
        known = RequestKind(kind)
        with self._lock:
            self._tallies[known] = self._tallies.get(known, Tally()) + Tally(1, bytes_up, bytes_down)

    def snapshot(self) -> RequestCounts:
        """Return what was counted so far."""
        with self._lock:
            return RequestCounts(dict(self._tallies))


class Counting:
    """A store that tells an observer the requests that S3 would need for what is asked of it.

    Args:
        store: One that sends no requests of its own.
        observer: Who is told; usually a `RequestCounter`.
    """

    def __init__(self, store: ObjectStore, observer: RequestObserver) -> None:
        self._store = store
        self._tell = observer

    @property
    def capabilities(self) -> Capabilities:
        """What the store declares it can do."""
        return self._store.capabilities

    def get(self, key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
        """Read an object: one request."""
        down = 0
        try:
            result = self._store.get(key, start=start, length=length)
            down = len(result.body)
            return result
        finally:
            self._tell(RequestKind.GET, 0, down)

    @contextmanager
    def open(self, key: ObjectKey) -> Iterator[tuple[ObjectInfo, Iterator[bytes]]]:
        """Read an object as chunks: the ranges that bring as many bytes as were taken."""
        size = down = 0

        def counted(chunks: Iterator[bytes]) -> Iterator[bytes]:
            nonlocal down
            for chunk in chunks:
                down += len(chunk)
                yield chunk

        try:
            with self._store.open(key) as (info, chunks):
                size = info.size
                yield info, counted(chunks)
        finally:
            self._tell_reads(size, down)

    @contextmanager
    def download(self, key: ObjectKey, target: Places) -> Iterator[tuple[ObjectInfo, Iterator[int]]]:
        """Read an object to its places: the ranges that bring as many bytes as were told to be there."""
        size = down = 0

        def counted(extents: Iterator[int]) -> Generator[int]:
            nonlocal down
            for extent in extents:
                down = extent
                yield extent

        try:
            with self._store.download(key, target) as (info, extents), closing(counted(extents)) as told:
                size = info.size
                yield info, told
        finally:
            self._tell_reads(size, down)

    def head(self, key: ObjectKey) -> ObjectInfo:
        """Describe an object: one request."""
        self._tell(RequestKind.HEAD, 0, 0)
        return self._store.head(key)

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        """Write an object: one request."""
        self._tell(RequestKind.PUT, len(body), 0)
        return self._store.put(key, body, mode)

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        """Write a large object: one request, or begin, parts and end."""
        counted = _CountedBody(body)
        try:
            return self._store.put_stream(key, cast("BinaryIO", counted))
        finally:
            part_bytes = choose_part_bytes(counted.size if body.seekable() else None)
            for part in cut_writes(counted.size, part_bytes=part_bytes):
                self._tell(RequestKind.PUT, part, 0)
            if is_in_parts(counted.size, part_bytes=part_bytes):  # begin and end
                self._tell(RequestKind.MULTIPART, 0, 0)
                self._tell(RequestKind.MULTIPART, 0, 0)

    def delete(self, key: ObjectKey) -> None:
        """Remove an object: one request."""
        self._tell(RequestKind.DELETE, 0, 0)
        self._store.delete(key)

    def delete_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SwampsyncError]:
        """Remove many objects: one request for as many keys as the store takes at once."""
        for _ in range(0, len(keys), self.capabilities.max_delete_many):
            self._tell(RequestKind.DELETE, 0, 0)
        return self._store.delete_many(keys)

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        """List objects: one request for 1,000 of them, as they are taken."""
        self._tell(RequestKind.LIST, 0, 0)
        for number, info in enumerate(self._store.list(prefix, start=start)):
            if number and number % PAGE_KEYS == 0:
                self._tell(RequestKind.LIST, 0, 0)
            yield info

    def list_dirs(self, prefix: str) -> Iterable[str]:
        """Name directories: one request for 1,000 of them."""
        names = list(self._store.list_dirs(prefix))
        for _ in range(0, max(len(names), 1), PAGE_KEYS):
            self._tell(RequestKind.LIST, 0, 0)
        return names

    def _tell_reads(self, size: int, taken: int) -> None:
        for down in cut_reads(size, taken):
            self._tell(RequestKind.GET, 0, down)


class _CountedBody:
    """The part of a file that a store reads, counted."""

    def __init__(self, body: BinaryIO) -> None:
        self._body = body
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._body.read(size)
        self.size += len(data)
        return data
