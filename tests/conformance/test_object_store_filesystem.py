"""The store in a directory keeps every promise of the interface, but for those it declares absent."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from swampsync.backends.base import ObjectStore
from swampsync.backends.filesystem import FilesystemStore
from swampsync.disk import LocalDisk
from swampsync.testing.object_store_suite import ObjectStoreSuite


class PinningDisk(LocalDisk):
    """A disk that does not let go of one file, as one that is mounted or immutable: root may remove any other."""

    pinned: str | None = None

    def unlink(self, path: str) -> None:
        if path == self.pinned:
            raise PermissionError(errno.EPERM, "Operation not permitted", path)
        super().unlink(path)


class TestFilesystemStore(ObjectStoreSuite):
    """The suite over `FilesystemStore`; the side channel is the operating system."""

    has_key_under_key = False
    max_segment_bytes = 255
    create_race_threads = 8
    create_race_rounds = 20

    @pytest.fixture
    def store(self, tmp_path: Path) -> FilesystemStore:
        ids = itertools.count()
        return FilesystemStore(PinningDisk(), str(tmp_path), new_id=lambda: str(next(ids)))

    @contextmanager
    def raw_pinned(self, store: ObjectStore, key: str) -> Iterator[bool]:
        assert isinstance(store, FilesystemStore)
        assert isinstance(store._disk, PinningDisk)
        store._disk.pinned = str(self._root(store) / key)
        yield True
        store._disk.pinned = None

    def raw_get(self, store: ObjectStore, key: str) -> bytes | None:
        path = self._root(store) / key
        return path.read_bytes() if path.is_file() else None

    def raw_put(self, store: ObjectStore, key: str, body: bytes) -> None:
        path = self._root(store) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def raw_keys(self, store: ObjectStore) -> set[str]:
        root = self._root(store)
        return {
            os.path.relpath(os.path.join(directory, name), root)
            for directory, _, names in os.walk(root)
            for name in names
        }

    def _root(self, store: ObjectStore) -> Path:
        assert isinstance(store, FilesystemStore)
        return Path(store._root)
