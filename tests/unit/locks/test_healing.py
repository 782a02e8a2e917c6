"""How soon a lock heals whose holder was killed on another machine: with the pauses of commands, whenever it died."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from swampsync.backends.memory import MemoryStore
from swampsync.clock import format_timestamp
from swampsync.layout import Layout
from swampsync.locks.bucket_guard import BucketGuard
from swampsync.locks.directory import DirectoryLeaseStore
from swampsync.locks.directory_guard import DirectoryGuard
from swampsync.locks.guard import LockGuard
from swampsync.locks.keeper import KeeperParts
from swampsync.locks.lease import Lease
from swampsync.locks.object_store import ObjectLeaseStore
from swampsync.locks.store import LeaseStore
from swampsync.locks.timing import LockTiming
from swampsync.namespace import Namespace
from swampsync.testing.lease_bench import FakeProcesses, LeaseBench, close
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.memory_disk import MemoryDisk

LAYOUT = Layout("/repo", "/shared", Namespace.parse("infra"))
HEALS_WITHIN_SECONDS = 2.0
Made = tuple[LeaseStore, str, Callable[[KeeperParts], LockGuard]]


class BeatingClock(ManualClock):
    """A clock while whose sleepers sleep another machine's holder tells that it lives, until it is killed."""

    def start(self, store: LeaseStore, lease: Lease, *, heartbeat_seconds: float, kill_at: float) -> None:
        self.store, self.lease, self.heartbeat_seconds, self.kill_at = store, lease, heartbeat_seconds, kill_at
        self.due = self.uptime() + heartbeat_seconds

    def sleep(self, seconds: float) -> None:
        end = self.uptime() + seconds
        while self.due <= min(end, self.kill_at):
            super().sleep(max(0.0, self.due - self.uptime()))
            self.lease = self.store.renew(self.lease, format_timestamp(self.now()))
            self.due += self.heartbeat_seconds
        super().sleep(max(0.0, end - self.uptime()))


def on_directory(clock: ManualClock, bench: LeaseBench) -> Made:
    disk = MemoryDisk(clock)
    disk.makedirs("/shared/.locks")
    store = DirectoryLeaseStore(disk, clock=clock, new_id=bench.new_id, claim_ttl_seconds=bench.timing.ttl_seconds)
    return store, "/shared/.locks/infra.lock", lambda parts: DirectoryGuard(LAYOUT, disk, parts)


def in_bucket(clock: ManualClock, bench: LeaseBench) -> Made:
    memory = MemoryStore(clock)
    return (
        ObjectLeaseStore(memory),
        ".locks/infra.lock",
        lambda parts: BucketGuard(LAYOUT, MemoryDisk(clock), memory, parts),
    )


@pytest.mark.parametrize(("ttl_seconds", "heartbeat_seconds"), [(2.0, 0.5), (30.0, 10.0)])
@pytest.mark.parametrize("make", [on_directory, in_bucket])
def test_every_kill_heals_within_the_ttl_and_two_seconds(
    make: Callable[[ManualClock, LeaseBench], Made], ttl_seconds: float, heartbeat_seconds: float
) -> None:
    """Counted from the kill, and never before a TTL has passed since the last heartbeat."""
    for seed in range(100 if make is in_bucket else 12):
        rng = random.Random(seed)
        clock = BeatingClock()
        timing = LockTiming(ttl_seconds=ttl_seconds, heartbeat_seconds=heartbeat_seconds, wait_seconds=200)
        bench = LeaseBench(clock, timing=timing)
        store, key, make_guard = make(clock, bench)
        lease = bench.take(store, key, FakeProcesses(hostname="build-8", boot_id="boot-8").start(1))
        # The waiter has waited for a while by then, so that its pauses are the longest.
        kill_at = clock.uptime() + 5.0 + rng.uniform(0.0, heartbeat_seconds)
        clock.start(store, lease, heartbeat_seconds=heartbeat_seconds, kill_at=kill_at)
        guard = make_guard(replace(bench.parts(), rng=rng))
        with guard.structural_lock(command="data gc"):
            last_beat_at = clock.due - heartbeat_seconds
            assert clock.uptime() - kill_at <= ttl_seconds + HEALS_WITHIN_SECONDS, f"seed {seed}"
            assert clock.uptime() - last_beat_at >= ttl_seconds, f"seed {seed}"
        close(clock.lease)
