"""Processes on two hosts, with everything that happens to processes and clocks, in any order."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from swampsync.backends.memory import MemoryStore
from swampsync.clock import Clock
from swampsync.errors import LeaseLost, LockHeld
from swampsync.locks.directory import DirectoryLeaseStore
from swampsync.locks.keeper import LeaseKeeper
from swampsync.locks.kept import KeptLease
from swampsync.locks.object_store import ObjectLeaseStore
from swampsync.locks.store import LeaseStore
from swampsync.testing.lease_bench import FakeProcesses, LeaseBench
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.memory_disk import MemoryDisk

PROCESSES = 3


class Trying(LeaseKeeper):
    """A keeper that goes on watching from one try to the next, as a waiter does."""

    def __init__(self, store: LeaseStore, bench: LeaseBench, host: FakeProcesses, pid: int) -> None:
        super().__init__(store, bench.parts(host.start(pid), processes=host))
        self.watcher = super().make_watcher()

    def make_watcher(self) -> object:  # type: ignore[override]
        return self.watcher


@dataclass
class Process:
    host: FakeProcesses
    pid: int
    keeper: Trying
    lease: KeptLease | None = None
    is_stopped: bool = False


class LeaseMachine(RuleBasedStateMachine):
    """A lock on a directory; `LeaseMachineInBucket` has it in a bucket."""

    key = "/shared/.locks/infra.lock"

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.bench = LeaseBench(self.clock)
        self.hosts = [FakeProcesses(hostname=f"host-{n}", boot_id=f"boot-{n}") for n in range(2)]
        self.next_pid = 100
        self.shared = self.make_shared(self.clock)
        self.processes = [self.start(self.hosts[n % 2]) for n in range(PROCESSES)]
        self.writers: list[str] = []

    def make_shared(self, clock: Clock) -> MemoryDisk | MemoryStore:
        return MemoryDisk(clock)

    def make_store(self) -> LeaseStore:
        assert isinstance(self.shared, MemoryDisk)
        return DirectoryLeaseStore(self.shared, clock=self.clock, new_id=self.bench.new_id)

    def start(self, host: FakeProcesses) -> Process:
        self.next_pid += 1
        keeper = Trying(self.make_store(), self.bench, host, self.next_pid)
        return Process(host, self.next_pid, keeper)

    number = st.integers(0, PROCESSES - 1)

    @rule(order=st.permutations(range(PROCESSES)))
    def everybody_tries(self, order: list[int]) -> None:
        for number in order:
            process = self.processes[number]
            if process.is_stopped or process.lease is not None:
                continue
            with suppress(LockHeld):
                process.lease = process.keeper.acquire(self.key, command="data gc", wait_seconds=0)
            self.write(number)

    @rule(number=number)
    def write(self, number: int) -> None:
        process = self.processes[number]
        if process.is_stopped or process.lease is None:
            return
        try:
            process.lease.check()
        except LeaseLost:
            process.lease.release()
            process.lease = None
            return
        if not self.writers or self.writers[-1] != process.lease.nonce:
            self.writers.append(process.lease.nonce)

    @rule(number=number)
    def beat(self, number: int) -> None:
        process = self.processes[number]
        if process.is_stopped or process.lease is None:
            return
        with suppress(LeaseLost):
            process.lease.beat()

    @rule(number=number)
    def give_back(self, number: int) -> None:
        process = self.processes[number]
        if not process.is_stopped and process.lease is not None:
            process.lease.release()
            process.lease = None

    @rule(number=number)
    def kill(self, number: int) -> None:
        process = self.processes[number]
        if process.lease is not None and process.lease._lease.file is not None:
            process.lease._lease.file.close()
        del process.host.starts[process.pid]
        self.processes[number] = self.start(process.host)

    @rule(number=number)
    def stop_or_go_on(self, number: int) -> None:
        self.processes[number].is_stopped = not self.processes[number].is_stopped

    @rule(order=st.permutations(range(PROCESSES)), seconds=st.sampled_from([9.0, 16.0, 31.0]))
    def wait_together(self, order: list[int], seconds: float) -> None:
        self.everybody_tries(order)
        self.clock.advance(seconds)
        self.everybody_tries(order[::-1])

    @rule(
        step=st.sampled_from([-86_400.0, -31.0, 31.0, 86_400.0]),
        sleep=st.sampled_from([0.0, 20.0, 3_600.0]),
    )
    def disturb_the_clocks(self, step: float, sleep: float) -> None:
        self.clock.step_wall(step)
        self.clock.suspend(sleep)

    @invariant()
    def holders_never_overlap(self) -> None:
        assert len(set(self.writers)) == len(self.writers), "a holder wrote again after another one had"

    def teardown(self) -> None:
        for process in self.processes:
            process.lease = None
            process.is_stopped = True
        last = self.start(self.hosts[0])
        with LeaseKeeper(last.keeper.store, last.keeper.parts).acquire(
            self.key, command="data gc", wait_seconds=40
        ) as kept:
            kept.check()


class LeaseMachineInBucket(LeaseMachine):
    key = ".locks/infra.lock"

    def make_shared(self, clock: Clock) -> MemoryDisk | MemoryStore:
        return MemoryStore(clock)

    def make_store(self) -> LeaseStore:
        assert isinstance(self.shared, MemoryStore)
        return ObjectLeaseStore(self.shared)


TestOnDirectory = LeaseMachine.TestCase
TestOnDirectory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestInBucket = LeaseMachineInBucket.TestCase
TestInBucket.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
