"""A store whose process dies: at a request that was never sent, or at one whose answer is never read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, TypeVar

from swampsync.backends.base import Capabilities, GetResult, ObjectInfo, ObjectStore, PutMode, PutResult
from swampsync.backends.places import Places
from swampsync.errors import SwampsyncError
from swampsync.layout import ObjectKey
from swampsync.testing.dying_disk import DyingDisk
from swampsync.testing.faulty_store import SimulatedCrash

T = TypeVar("T")


class DyingStore:
    """Passes everything on to another store until the process's disk is dead.

    The process has one count of lives, its disk's. A writing request takes two of them, one before it is sent and one
    before its answer is used, so that a kill falls between any two things that a process does to the world. A
    `SimulatedCrash` of a `Faulty` store below kills it too.

    Args:
        store: Where the work is done.
        disk: The process's disk, which counts.
    """

    def __init__(self, store: ObjectStore, disk: DyingDisk) -> None:
        self._store = store
        self._disk = disk

    @property
    def capabilities(self) -> Capabilities:
        """What the store declares it can do."""
        return self._store.capabilities

    def _read(self, ask: Callable[[], T]) -> T:
        with self._mortal():
            return ask()

    def _write(self, ask: Callable[[], T]) -> T:
        self._disk.spend()
        with self._mortal():
            answer = ask()
        self._disk.spend()
        return answer

    @contextmanager
    def _mortal(self) -> Iterator[None]:
        self._disk.check()
        try:
            yield
        except SimulatedCrash:
            self._disk.kill()

    def get(self, key: ObjectKey, *, start: int = 0, length: int | None = None) -> GetResult:
        """See `ObjectStore`."""
        return self._read(lambda: self._store.get(key, start=start, length=length))

    @contextmanager
    def open(self, key: ObjectKey) -> Iterator[tuple[ObjectInfo, Iterator[bytes]]]:
        """See `ObjectStore`."""
        with self._mortal(), self._store.open(key) as opened:
            yield opened

    @contextmanager
    def download(self, key: ObjectKey, target: Places) -> Iterator[tuple[ObjectInfo, Iterator[int]]]:
        """See `ObjectStore`."""
        with self._mortal(), self._store.download(key, target) as opened:
            yield opened

    def head(self, key: ObjectKey) -> ObjectInfo:
        """See `ObjectStore`."""
        return self._read(lambda: self._store.head(key))

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        """See `ObjectStore`."""
        return self._write(lambda: self._store.put(key, body, mode))

    def put_stream(self, key: ObjectKey, body: BinaryIO) -> PutResult:
        """See `ObjectStore`."""
        return self._write(lambda: self._store.put_stream(key, body))

    def delete(self, key: ObjectKey) -> None:
        """See `ObjectStore`."""
        self._write(lambda: self._store.delete(key))

    def delete_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SwampsyncError]:
        """See `ObjectStore`."""
        return self._write(lambda: self._store.delete_many(keys))

    def list(self, prefix: str, *, start: str | None = None) -> Iterator[ObjectInfo]:
        """See `ObjectStore`."""
        with self._mortal():
            yield from self._store.list(prefix, start=start)

    def list_dirs(self, prefix: str) -> Iterable[str]:
        """See `ObjectStore`."""
        return self._read(lambda: self._store.list_dirs(prefix))
