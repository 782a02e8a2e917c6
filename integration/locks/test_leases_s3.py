"""Locks in a bucket keep every promise of `LeaseStore` on real servers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swampsync.backends.base import Overwrite
from swampsync.backends.s3 import S3Store
from swampsync.layout import ObjectKey
from swampsync.locks.object_store import ObjectLeaseStore
from swampsync.locks.store import LeaseStore
from swampsync.testing.lease_suite import LeaseSuite


class TestS3Leases(LeaseSuite):
    is_verified = False
    bucket: S3Store

    @pytest.fixture
    def store(self, s3_store: Callable[..., S3Store]) -> ObjectLeaseStore:
        self.bucket = s3_store()
        return ObjectLeaseStore(self.bucket)

    def raw_put(self, store: LeaseStore, body: bytes) -> None:
        self.bucket.put(ObjectKey.parse(self.key), body, Overwrite())

    def raw_remove(self, store: LeaseStore) -> None:
        self.bucket.delete(ObjectKey.parse(self.key))
