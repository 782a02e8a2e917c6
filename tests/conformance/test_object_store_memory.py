"""The store in memory keeps every promise of the interface."""

from __future__ import annotations

import pytest

from swampsync.backends.base import ObjectStore
from swampsync.backends.checks import digest_etag
from swampsync.backends.memory import MemoryStore, _Object
from swampsync.clock import SystemClock
from swampsync.testing.object_store_suite import ObjectStoreSuite


class TestMemoryStore(ObjectStoreSuite):
    """The suite over `MemoryStore`; the side channel is its dictionary."""

    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore(SystemClock())

    def raw_get(self, store: ObjectStore, key: str) -> bytes | None:
        assert isinstance(store, MemoryStore)
        found = store._objects.get(key)
        return None if found is None else found.body

    def raw_put(self, store: ObjectStore, key: str, body: bytes) -> None:
        assert isinstance(store, MemoryStore)
        store._objects[key] = _Object(body, digest_etag(body), SystemClock().now())
        store._order = sorted(store._objects, key=str.encode)

    def raw_keys(self, store: ObjectStore) -> set[str]:
        assert isinstance(store, MemoryStore)
        assert store._order == sorted(store._objects, key=str.encode)
        return set(store._objects)
