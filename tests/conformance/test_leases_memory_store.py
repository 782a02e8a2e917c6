"""Locks in a bucket keep every promise of `LeaseStore`, on the store in memory."""

from __future__ import annotations

import pytest

from swampsync.backends.base import ObjectStore, Overwrite
from swampsync.backends.memory import MemoryStore
from swampsync.layout import ObjectKey
from swampsync.locks.object_store import ObjectLeaseStore
from swampsync.locks.store import LeaseStore
from swampsync.testing.lease_suite import LeaseSuite
from swampsync.testing.manual_clock import ManualClock


class TestMemoryStoreLeases(LeaseSuite):
    is_verified = False
    bucket: ObjectStore

    @pytest.fixture
    def store(self, clock: ManualClock) -> ObjectLeaseStore:
        self.bucket = MemoryStore(clock)
        return ObjectLeaseStore(self.bucket)

    def raw_put(self, store: LeaseStore, body: bytes) -> None:
        self.bucket.put(ObjectKey.parse(self.key), body, Overwrite())

    def raw_remove(self, store: LeaseStore) -> None:
        self.bucket.delete(ObjectKey.parse(self.key))
