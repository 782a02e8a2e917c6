"""A store in memory: the interface's executable specification.

Small enough to be read beside `swampsync.backends.base`. The ETag is the MD5 of the body, as on S3, so that what
goes wrong there with equal bodies goes wrong here too.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final

from swampsync.backends.base import (
    Capabilities,
    Create,
    ETag,
    GetResult,
    IfMatch,
    ObjectExists,
    ObjectInfo,
    ObjectNotFound,
    Overwrite,
    PreconditionFailed,
    PutMode,
    PutResult,
)
from swampsync.backends.checks import (
    check_conditional_size,
    check_directory_prefix,
    check_range,
    digest_etag,
    range_behind_end,
)
from swampsync.backends.places import Places, place_chunks
from swampsync.clock import Clock
from swampsync.errors import SwampsyncError
from swampsync.layout import ObjectKey

PAGE_KEYS: Final = 1_000
CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Object:
    body: bytes
    etag: ETag
    modified_at: datetime


class MemoryStore:
    """Objects in a dictionary.

    Args:
        clock: Tells `modified_at`.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._objects: dict[str, _Object] = {}
        # Python orders strings by code points, which is the order of their UTF-8 bytes.
        self._order: list[str] = []

    @property
    def capabilities(self) -> Capabilities:
        """Everything."""
        return Capabilities(create_only=True, compare_and_swap=True)

    def get(self, key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
        """Read an object or a range of it."""
        check_range(key, start, length)
        found = self._find(key)
        if start and start >= len(found.body):
            raise range_behind_end(key, start, len(found.body))
        end = None if length is None else start + length
        return GetResult(_describe(key.text, found), found.body[start:end])

    @contextmanager
    def open(self, key: ObjectKey) -> Iterator[tuple[ObjectInfo, Iterator[bytes]]]:
        """Read an object as chunks."""
        found = self._find(key)
        body = found.body
        yield _describe(key.text, found), (body[at : at + CHUNK_BYTES] for at in range(0, len(body), CHUNK_BYTES))

    @contextmanager
    def download(self, key: ObjectKey, target: Places) -> Iterator[tuple[ObjectInfo, Iterator[int]]]:
        """Read an object to its places, which is in order here."""
        with self.open(key) as (info, chunks), closing(place_chunks(chunks, target)) as extents:
            yield info, extents

    def head(self, key: ObjectKey) -> ObjectInfo:
        """Describe an object."""
        return _describe(key.text, self._find(key))

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        """Write an object."""
        check_conditional_size(key, len(body), mode)
        new = _Object(bytes(body), digest_etag(body), self._clock.now())
        with self._lock:
            old = self._objects.get(key.text)
            match mode:
                case Create() if old is not None:
                    raise ObjectExists(f"object `{key}` exists already", key=key.text)
                case IfMatch(etag) if old is None or old.etag != etag:
                    raise PreconditionFailed(f"object `{key}` is not what it was", key=key.text)
                case _:
                    if old is None:
                        insort(self._order, key.text)
                    self._objects[key.text] = new
        return PutResult(new.etag)

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        """Write an object from a file; it becomes visible when its last byte was read."""
        chunks = []
        while chunk := body.read(CHUNK_BYTES):
            chunks.append(chunk)
        return self.put(key, b"".join(chunks), Overwrite())

    def delete(self, key: ObjectKey) -> None:
        """Remove an object if it is there."""
        with self._lock:
            if self._objects.pop(key.text, None) is not None:
                del self._order[bisect_left(self._order, key.text)]

    def delete_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SwampsyncError]:
        """Remove many objects; it cannot fail here."""
        for key in keys:
            self.delete(key)
        return {}

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        """List objects; each page of 1,000 shows the state when it is asked for, as on S3."""
        after = max(prefix, start or "")
        while True:
            with self._lock:
                at = bisect_left(self._order, after)
                page = [(k, self._objects[k]) for k in self._order[at : at + PAGE_KEYS] if k.startswith(prefix)]
            for text, found in page:
                yield _describe(text, found)
            if len(page) < PAGE_KEYS:
                return
            after = page[-1][0] + "\0"

    def list_dirs(self, prefix: str) -> Iterable[str]:
        """Name what lies between `prefix` and the next slash."""
        check_directory_prefix(prefix)
        with self._lock:
            rests = [k[len(prefix) :] for k in self._order[bisect_left(self._order, prefix) :] if k.startswith(prefix)]
        return sorted({rest.partition("/")[0] for rest in rests if "/" in rest})

    def _find(self, key: ObjectKey) -> _Object:
        with self._lock:
            found = self._objects.get(key.text)
        if found is None:
            raise ObjectNotFound(f"no object `{key}`", key=key.text)
        return found


def _describe(text: str, found: _Object) -> ObjectInfo:
    return ObjectInfo(ObjectKey(text), len(found.body), found.etag, found.modified_at)
