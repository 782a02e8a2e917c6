"""What tests of leases need: holders, a process table without processes, threads that are never started."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from swampsync.clock import Clock, Thread, format_timestamp
from swampsync.locks.keeper import KeeperParts, LeaseKeeper
from swampsync.locks.lease import Holder, Lease, LockRecord, Sight, make_record
from swampsync.locks.parent import NO_PARENT, ParentHolder
from swampsync.locks.store import LeaseStore
from swampsync.locks.timing import LockTiming
from swampsync.locks.waiting import LockWait
from swampsync.testing.manual_clock import ManualClock


@dataclass
class FakeProcesses:
    """A process table that says what a test wants.

    Args:
        starts: Running processes and when they started.
        hostname: See `ProcessTable`.
        boot_id: See `ProcessTable`.
        pid_namespace: See `ProcessTable`.
    """

    starts: dict[int, int | None] = field(default_factory=dict)
    hostname: str = "build-7"
    boot_id: str = "boot-1"
    pid_namespace: str = "pid:[1]"

    def is_running(self, pid: int) -> bool:
        """Whether the pid is in the table."""
        return pid in self.starts

    def start_of(self, pid: int) -> int | None:
        """What the table says."""
        return self.starts.get(pid)

    def start(self, pid: int, *, start: int = 100) -> Holder:
        """Start a process and describe it as a holder."""
        self.starts[pid] = start
        return Holder(f"ana@{self.hostname}", self.hostname, pid, self.boot_id, self.pid_namespace, start)

    def kill(self, holder: Holder) -> None:
        """End a process."""
        del self.starts[holder.pid]


class IdleThread:
    """A thread that was not started."""

    def join(self, timeout: float | None = None) -> None:
        """Return at once."""


@dataclass
class IdleSpawner:
    """Collects what was to run in threads; a test calls `KeptLease.beat` itself."""

    targets: list[tuple[str, Callable[[], None]]] = field(default_factory=list)

    def __call__(self, target: Callable[[], None], *, name: str) -> Thread:
        """Remember the target."""
        self.targets.append((name, target))
        return IdleThread()


class StillClock(ManualClock):
    """A clock that does not move: sleepers only let others run. For threads that race, where time must not."""

    def sleep(self, seconds: float) -> None:
        """Let other threads run."""
        self.slept.append(seconds)
        threading.Event().wait(0.000_2)


class LeaseBench:
    """Several processes on one host that want locks of one store.

    Args:
        clock: The clock of all of them.
        processes: The host's processes.
        timing: Of all of them.
    """

    def __init__(
        self, clock: Clock, *, processes: FakeProcesses | None = None, timing: LockTiming | None = None
    ) -> None:
        self.clock = clock
        self.processes = processes or FakeProcesses()
        self.timing = timing or LockTiming()
        self.waits: list[LockWait] = []
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        """Make a nonce that tells when it was made."""
        return f"00000000-0000-4000-8000-{next(self._numbers):012d}"

    def record(self, holder: Holder | None = None, *, nonce: str = "", command: str = "data gc") -> LockRecord:
        """Make the record of a holder that takes a lock now."""
        return make_record(
            holder or self.processes.start(4_000 + next(self._numbers)),
            nonce=nonce or self.new_id(),
            command=command,
            acquired_at=format_timestamp(self.clock.now()),
            ttl_seconds=self.timing.ttl_seconds,
        )

    def parts(
        self,
        holder: Holder | None = None,
        *,
        parent: ParentHolder = NO_PARENT,
        on_wait: Callable[[LockWait], None] | None = None,
        processes: FakeProcesses | None = None,
    ) -> KeeperParts:
        """Make the parts of a process's keepers."""
        return KeeperParts(
            clock=self.clock,
            spawn=IdleSpawner(),
            processes=processes or self.processes,
            holder=holder or self.processes.start(4_000 + next(self._numbers)),
            new_id=self.new_id,
            rng=random.Random(0),
            timing=self.timing,
            on_wait=on_wait or self.waits.append,
            parent=parent,
        )

    def keeper(self, store: LeaseStore, holder: Holder | None = None) -> LeaseKeeper:
        """Make the keeper of another process."""
        return LeaseKeeper(store, self.parts(holder))

    def take(self, store: LeaseStore, key: str, holder: Holder | None = None) -> Lease:
        """Take a free lock without keeping it alive."""
        lease = store.try_acquire(key, self.record(holder))
        assert isinstance(lease, Lease), f"`{key}` is not free: {lease}"
        return lease

    def take_over(self, store: LeaseStore, sight: Sight) -> Lease:
        """Take a judged lock over without keeping it alive."""
        lease = store.take_over(sight, self.record())
        assert lease is not None, f"`{sight.key}` could not be taken over"
        return lease


def close(*leases: Lease | None) -> None:
    """Free what leases hold open, without giving their locks back, as a process does that dies."""
    for lease in leases:
        if lease is not None and lease.file is not None:
            lease.file.close()
