"""One process that takes a lock, or one of two, again and again and writes into its history while it holds it.

    python -m integration.locks.lock_worker '{"number": 1, "acquisitions": 200, …}'

Every write is preceded by `check`, as every writing command does, and is one line appended to the history, so that
the file system orders them. Some workers pretend to run on other hosts, with wall clocks that are days apart. A worker
that is told to `let_in` has a lock that is broken on purpose: the checker must find out.
"""

from __future__ import annotations

import json
import os
import random
import sys
import uuid
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from pathlib import Path

from integration.locks.hurting import ENTERING, Hurting
from integration.locks.lock_history import LOST, RELEASED, TAKEN, TOOK, WRITTEN, HistoryFile
from swampsync.backends.prefixed import Prefixed
from swampsync.backends.retrying import Retrying
from swampsync.backends.s3_keys import S3Keys
from swampsync.clock import SystemClock, spawn_daemon
from swampsync.disk import LocalDisk
from swampsync.errors import LeaseLost, LockTimeout, Unavailable
from swampsync.locks.directory import DirectoryLeaseStore
from swampsync.locks.identity import make_holder
from swampsync.locks.keeper import KeeperParts, LeaseKeeper
from swampsync.locks.kept import KeptLease
from swampsync.locks.lease import Lease, LockRecord, Sight
from swampsync.locks.object_store import ObjectLeaseStore
from swampsync.locks.process_table import LinuxProcessTable
from swampsync.locks.store import LeaseStore
from swampsync.locks.timing import LockTiming
from swampsync.namespace import Namespace

# Longer than a heartbeat: once in a hundred holds of every fourth worker, so that all of them together take seconds.
LONG_HOLD_SECONDS, LONG_HOLD_EVERY, LONG_HOLD_WORKERS = 0.8, 100, 4
SHORT_HOLDS, SHORT_HOLD_SECONDS = 0.4, 0.015


class SkewedClock(SystemClock):
    """The machine's clock, but for a wall clock that somebody has set wrong."""

    def __init__(self, skew_seconds: float) -> None:
        self._skew = timedelta(seconds=skew_seconds)

    def now(self) -> datetime:
        return super().now() + self._skew


class OtherHost(LinuxProcessTable):
    """This machine under another name: its pids mean nothing to the others."""

    def __init__(self, name: str) -> None:
        super().__init__(LocalDisk())
        self.__dict__["hostname"] = name
        self.__dict__["boot_id"] = name


class LeakyStore:
    """A lock that is broken on purpose: some who find it held are let in all the same, and nobody notices.

    Whoever is let in leaves the lock alone, so the real holder's checks succeed, and so do the other one's.

    Args:
        store: The lock as it should be.
        share: Of those that find the lock held at their first try, how many are let in.
        rng: Chooses them.
    """

    def __init__(self, store: LeaseStore, *, share: float, rng: random.Random) -> None:
        self._store = store
        self._share = share
        self._rng = rng
        self._let_in: dict[str, bool] = {}

    def try_acquire(self, key: str, record: LockRecord) -> Lease | Sight:
        found = self._store.try_acquire(key, record)
        if isinstance(found, Lease) or record.nonce in self._let_in:
            return found
        self._let_in[record.nonce] = self._rng.random() < self._share
        return Lease(key, record) if self._let_in[record.nonce] else found

    def glance(self, key: str) -> Hashable:
        return self._store.glance(key)

    def take_over(self, sight: Sight, record: LockRecord) -> Lease | None:
        return self._store.take_over(sight, record)

    def renew(self, lease: Lease, acquired_at: str) -> Lease:
        return lease if self._let_in.get(lease.nonce) else self._store.renew(lease, acquired_at)

    def verify(self, lease: Lease) -> None:
        if not self._let_in.get(lease.nonce):
            self._store.verify(lease)

    def release(self, lease: Lease, *, is_valid: bool) -> bool:
        return bool(self._let_in.get(lease.nonce)) or self._store.release(lease, is_valid=is_valid)

    def abandon(self, key: str, nonce: str) -> None:
        self._store.abandon(key, nonce)

    def inspect(self, key: str) -> Sight | None:
        return self._store.inspect(key)

    def remove(self, sight: Sight) -> bool:
        return self._store.remove(sight)


class Hold:
    """One acquisition, and what it writes.

    Args:
        lease: What was taken.
        history: Where to write.
        clock: Tells how long each step takes.
        pass_by: Told of every step; may be the end of this process.
    """

    def __init__(
        self, lease: KeptLease, history: HistoryFile, clock: SystemClock, pass_by: Callable[[str, str], None]
    ) -> None:
        self._lease = lease
        self._history = history
        self._clock = clock
        self._pass_by = pass_by
        self._counter = 0
        pass_by(ENTERING, lease.nonce)

    def write(self, event: str) -> None:
        """Check, write, and tell how long that took."""
        nonce, began = self._lease.nonce, self._clock.uptime()
        try:
            self._lease.check()
        except LeaseLost:
            # Told of the last line, so that nobody takes this process for a holder.
            self._history.append(LOST, nonce, self._counter - 1)
            raise
        self._history.append(event, nonce, self._counter, at=self._clock.uptime())
        self._history.append(TOOK, nonce, self._counter, seconds=self._clock.uptime() - began)
        self._counter += 1
        self._pass_by(event, nonce)


def work(settings: dict[str, object]) -> int:
    number = int(str(settings["number"]))
    rng = random.Random(int(str(settings["seed"])))
    clock = SkewedClock(float(str(settings["skew_seconds"])))
    # The pauses are those of commands.
    timing = LockTiming(
        ttl_seconds=float(str(settings["ttl_seconds"])),
        heartbeat_seconds=float(str(settings["heartbeat_seconds"])),
        wait_seconds=120,
    )
    if "bucket" in settings:
        timing = timing.in_bucket()
    host = str(settings["host"])
    processes = OtherHost(host) if host else LinuxProcessTable(LocalDisk())
    holder = make_holder("worker", pid=os.getpid(), processes=processes)
    parts = KeeperParts(
        clock=clock,
        spawn=spawn_daemon,
        processes=processes,
        holder=holder,
        new_id=lambda: str(uuid.uuid4()),
        rng=rng,
        timing=timing,
    )
    wanted = settings["namespaces"]
    assert isinstance(wanted, list)
    let_in = float(str(settings["let_in"]))
    locks = [Lock(settings, Namespace.parse(str(name)), parts, let_in=let_in) for name in wanted]
    hurting = Hurting(settings["hurts"])  # type: ignore[arg-type]
    # Ready; whoever starts first waits for the others, so that there is somebody to wait for.
    done = int(str(settings["done"]))

    def pass_by(step: str, nonce: str) -> None:
        hurting.pass_by(step, nonce, lock.history, acquisition=done, at=clock.uptime())

    print(done, flush=True)
    while not Path(str(settings["go"])).exists():
        clock.sleep(0.01)
    while done < int(str(settings["acquisitions"])):
        lock = rng.choice(locks)
        try:
            with lock.keeper.acquire(lock.key, command="history") as lease:
                hold = Hold(lease, lock.history, clock, pass_by)
                hold.write(TAKEN)
                hold.write(WRITTEN)
                if done % LONG_HOLD_EVERY == LONG_HOLD_EVERY // 2 and number % LONG_HOLD_WORKERS == 0:
                    clock.sleep(LONG_HOLD_SECONDS)
                elif rng.random() < SHORT_HOLDS:
                    clock.sleep(rng.uniform(0, SHORT_HOLD_SECONDS))
                hold.write(WRITTEN)
                hold.write(RELEASED)
            done += 1
        except LeaseLost:
            continue
        except (LockTimeout, Unavailable) as error:
            print(f"worker {number}: {error}", file=sys.stderr)
            clock.sleep(0.1)
            continue
        print(done, flush=True)
    return 0


class Lock:
    """One namespace's lock, and its history.

    Args:
        settings: What the worker was told.
        namespace: Whose lock.
        parts: Of the keeper.
        let_in: See `LeakyStore`.
    """

    def __init__(self, settings: dict[str, object], namespace: Namespace, parts: KeeperParts, *, let_in: float) -> None:
        self.key = f"{settings['root']}.locks/{namespace}.lock"
        path = Path(str(settings["histories"])) / f"history-{namespace}"
        self.history = HistoryFile(str(path), worker=int(str(settings["number"])), host=parts.processes.hostname)
        store = make_store(settings, namespace, parts)
        if let_in:
            store = LeakyStore(store, share=let_in, rng=parts.rng)
        self.keeper = LeaseKeeper(store, parts)


def make_store(settings: dict[str, object], namespace: Namespace, parts: KeeperParts) -> LeaseStore:
    bucket = settings.get("bucket")
    if not isinstance(bucket, dict):
        return DirectoryLeaseStore(
            LocalDisk(),
            clock=parts.clock,
            new_id=parts.new_id,
            claim_ttl_seconds=parts.timing.ttl_seconds,
            holder=parts.holder,
            processes=parts.processes,
        )
    from swampsync.testing.s3_side_channel import S3Server  # noqa: PLC0415 -- a directory needs no S3 library

    server = S3Server(bucket["name"], bucket["endpoint"], S3Keys(bucket["access_key_id"], bucket["secret"]))
    # As `swampsync.repo.remote` puts it together.
    patient = Retrying(server.store(bucket["bucket"], bucket["prefix"]), clock=parts.clock, rng=parts.rng)
    return ObjectLeaseStore(Prefixed(patient, namespace))


if __name__ == "__main__":
    sys.exit(work(json.loads(sys.argv[1])))
