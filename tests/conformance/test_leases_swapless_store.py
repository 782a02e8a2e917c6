"""Locks on a store without compare-and-swap keep every promise of `LeaseStore` but one, which is named here."""

from __future__ import annotations

import pytest

from swampsync.backends.base import ObjectStore, Overwrite
from swampsync.clock import format_timestamp, spawn_daemon
from swampsync.errors import LeaseLost
from swampsync.layout import ObjectKey
from swampsync.locks.lease import Lease
from swampsync.locks.object_store import ObjectLeaseStore
from swampsync.locks.store import LeaseStore
from swampsync.maintenance.racing import race
from swampsync.testing.lease_bench import LeaseBench
from swampsync.testing.lease_suite import CONTENDERS, LeaseSuite
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.swapless import Swapless


class WeakSuite(LeaseSuite):
    is_verified = False
    is_declared: bool
    bucket: ObjectStore

    @pytest.fixture
    def store(self, clock: ManualClock) -> ObjectLeaseStore:
        self.bucket = Swapless(clock, is_declared=self.is_declared)
        return ObjectLeaseStore(self.bucket)

    def raw_put(self, store: LeaseStore, body: bytes) -> None:
        self.bucket.put(ObjectKey.parse(self.key), body, Overwrite())

    def raw_remove(self, store: LeaseStore) -> None:
        self.bucket.delete(ObjectKey.parse(self.key))

    def test_takeover_race_has_one_winner(self, store: LeaseStore, bench: LeaseBench) -> None:
        """What cannot hold: several may be told that they took a stale lock over; the next heartbeat leaves one."""
        bench.take(store, self.key)
        judged = self.see(store)
        records = [bench.record() for _ in range(CONTENDERS)]
        results = race(CONTENDERS, lambda n: store.take_over(judged, records[n]), spawner=spawn_daemon)
        assert [r for r in results if isinstance(r, BaseException)] == []
        survivors = []
        for believer in [result for result in results if isinstance(result, Lease)]:
            try:
                survivors.append(store.renew(believer, format_timestamp(bench.clock.now())))
            except LeaseLost:
                continue
        assert [lease.nonce for lease in survivors] == [self.see(store).nonce]


class TestDeclaredSwaplessLeases(WeakSuite):
    is_declared = True


class TestUndeclaredSwaplessLeases(WeakSuite):
    is_declared = False
