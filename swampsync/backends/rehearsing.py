"""A store on which nothing is written: what would be is counted, and found again.

Reads go to the real store. So a rehearsal runs the same code as the act, and counts the requests that the act would
send: those that it sends itself, and those that it keeps to itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from heapq import merge
from typing import BinaryIO

from swampsync.backends.base import (
    Capabilities,
    Create,
    ETag,
    GetResult,
    IfMatch,
    ObjectExists,
    ObjectInfo,
    ObjectNotFound,
    ObjectStore,
    PreconditionFailed,
    PutMode,
    PutResult,
    RequestKind,
    RequestObserver,
)
from swampsync.backends.checks import digest_etag
from swampsync.backends.costs import TransferCosts
from swampsync.backends.places import Places, place_chunks
from swampsync.clock import Clock
from swampsync.errors import SwampsyncError
from swampsync.layout import ObjectKey

_CHUNK = 1 << 20
_Written = tuple[ObjectInfo, bytes | None]


class Rehearsing:
    """Reads a store; keeps what is written, and tells an observer the requests that it stands for.

    Args:
        store: What is read; it counts for itself.
        observer: Told what is not sent.
        clock: Dates what is written.
        costs: Of large objects.
        keeps_body: Says of which objects the bytes are kept, because they are read again; of others only the size is.
        exists: Says whether a key that is to be created is taken already.
    """

    def __init__(
        self,
        store: ObjectStore,
        observer: RequestObserver,
        *,
        clock: Clock,
        costs: TransferCosts,
        keeps_body: Callable[[ObjectKey], bool],
        exists: Callable[[ObjectKey], bool],
    ) -> None:
        self._store = store
        self._tell = observer
        self._clock = clock
        self._costs = costs
        self._keeps_body = keeps_body
        self._exists = exists
        self._lock = threading.Lock()
        self._written: dict[str, _Written | None] = {}  # `None` for what was removed

    @property
    def capabilities(self) -> Capabilities:
        """What the store declares it can do."""
        return self._store.capabilities

    # --- reading -----------------------------------------------------------------------------------

    def get(self, key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
        """Read an object."""
        if key.text not in self._written:
            return self._store.get(key, start=start, length=length)
        info, body = self._find(key, RequestKind.GET)
        assert body is not None, f"only the size of `{key}` was kept"
        part = body[start:] if length is None else body[start : start + length]
        self._tell(RequestKind.GET, 0, len(part))
        return GetResult(info, part)

    @contextmanager
    def open(self, key: ObjectKey) -> Iterator[tuple[ObjectInfo, Iterator[bytes]]]:
        """Read an object as chunks."""
        if key.text in self._written:
            found = self.get(key)
            yield found.info, iter((found.body,))
            return
        with self._store.open(key) as (info, chunks):
            yield info, chunks

    @contextmanager
    def download(self, key: ObjectKey, target: Places) -> Iterator[tuple[ObjectInfo, Iterator[int]]]:
        """Read an object to its places."""
        if key.text in self._written:
            found = self.get(key)
            yield found.info, place_chunks((found.body,), target)
            return
        with self._store.download(key, target) as opened:
            yield opened

    def head(self, key: ObjectKey) -> ObjectInfo:
        """Describe an object."""
        if key.text not in self._written:
            return self._store.head(key)
        info, _ = self._find(key, RequestKind.HEAD)
        self._tell(RequestKind.HEAD, 0, 0)
        return info

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        """List objects."""
        with self._lock:
            written = dict(self._written)
        ours = [found[0] for text, found in written.items() if found and text.startswith(prefix)]
        ours = sorted((i for i in ours if start is None or _order(i) >= start.encode()), key=_order)
        theirs = (info for info in self._store.list(prefix, start=start) if info.key.text not in written)
        yield from merge(theirs, ours, key=_order)

    def list_dirs(self, prefix: str) -> Iterable[str]:
        """Name directories; also one of which everything was removed here."""
        with self._lock:
            written = [text for text, found in self._written.items() if found is not None]
        ours = {text[len(prefix) :].partition("/")[0] for text in written if "/" in text[len(prefix) :]}
        mine = {name for name in ours if any(text.startswith(f"{prefix}{name}/") for text in written)}
        return sorted(mine.union(self._store.list_dirs(prefix)), key=str.encode)

    def _find(self, key: ObjectKey, kind: RequestKind) -> _Written:
        found = self._written[key.text]
        if found is None:
            self._tell(kind, 0, 0)
            raise ObjectNotFound(f"there is no object `{key}`", key=key.text)
        return found

    # --- writing -----------------------------------------------------------------------------------

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        """Keep an object."""
        self._tell(RequestKind.PUT, len(body), 0)
        is_known = key.text in self._written
        known = self._written.get(key.text)
        if isinstance(mode, Create) and (known is not None or (not is_known and self._exists(key))):
            raise ObjectExists(f"`{key}` exists already", key=key.text)
        if isinstance(mode, IfMatch) and is_known and (known is None or known[0].etag != mode.etag):
            raise PreconditionFailed(f"`{key}` was changed", key=key.text)
        etag = digest_etag(body)
        self._keep(key, len(body), etag, body if self._keeps_body(key) else None)
        return PutResult(etag)

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        """Read a stream to its end, and keep how long it was."""
        size = 0
        while chunk := body.read(_CHUNK):
            size += len(chunk)
        requests = self._costs.of_stream_up(size)
        if requests > 1:  # beginning and end carry nothing
            self._tell(RequestKind.MULTIPART, 0, 0)
            self._tell(RequestKind.MULTIPART, 0, 0)
        for number in range(1 if requests == 1 else requests - 2):
            self._tell(RequestKind.PUT, 0 if number else size, 0)
        etag = ETag(f"rehearsed-{len(self._written)}")
        self._keep(key, size, etag, None)
        return PutResult(etag)

    def delete(self, key: ObjectKey) -> None:
        """Note that an object goes."""
        self._tell(RequestKind.DELETE, 0, 0)
        with self._lock:
            self._written[key.text] = None

    def delete_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SwampsyncError]:
        """Note that objects go."""
        for _ in range(0, len(keys), self.capabilities.max_delete_many):
            self._tell(RequestKind.DELETE, 0, 0)
        with self._lock:
            self._written.update(dict.fromkeys((key.text for key in keys), None))
        return {}

    def _keep(self, key: ObjectKey, size: int, etag: ETag, body: bytes | None) -> None:
        with self._lock:
            self._written[key.text] = (ObjectInfo(key, size, etag, self._clock.now()), body)


def _order(info: ObjectInfo) -> bytes:
    return info.key.text.encode()
