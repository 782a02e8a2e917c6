"""Locks on a directory keep every promise of `LeaseStore`, on a real disk and in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from swampsync.disk import Disk, LocalDisk, WriteMode
from swampsync.locks.directory import DirectoryLeaseStore
from swampsync.locks.store import LeaseStore
from swampsync.testing.lease_bench import LeaseBench
from swampsync.testing.lease_suite import LeaseSuite
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.memory_disk import MemoryDisk


class DirectorySuite(LeaseSuite):
    disk: Disk

    def raw_put(self, store: LeaseStore, body: bytes) -> None:
        self.disk.makedirs(os.path.dirname(self.key))
        with self.disk.open_write(f"{self.key}.new", WriteMode.TRUNCATE) as file:
            file.write(body)
        self.disk.rename(f"{self.key}.new", self.key)

    def raw_remove(self, store: LeaseStore) -> None:
        self.disk.unlink(self.key)

    @pytest.fixture(autouse=True)
    def nothing_is_left_behind(self, store: LeaseStore) -> Iterator[None]:
        yield
        try:
            names = {entry.name for entry in self.disk.scandir(os.path.dirname(self.key))}
        except FileNotFoundError:
            names = set()
        assert names <= {os.path.basename(self.key)}, "temporary files, claims and set-aside locks are gone"


class TestLocalDisk(DirectorySuite):
    @pytest.fixture
    def store(self, clock: ManualClock, bench: LeaseBench, tmp_path: Path) -> DirectoryLeaseStore:
        self.disk = LocalDisk()
        type(self).key = str(tmp_path / ".locks" / "infra.lock")
        return DirectoryLeaseStore(self.disk, clock=clock, new_id=bench.new_id)


class TestMemoryDisk(DirectorySuite):
    key = "/shared/.locks/infra.lock"

    @pytest.fixture
    def store(self, clock: ManualClock, bench: LeaseBench) -> DirectoryLeaseStore:
        self.disk = MemoryDisk(clock)
        return DirectoryLeaseStore(self.disk, clock=clock, new_id=bench.new_id)
