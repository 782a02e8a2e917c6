"""One process that takes a lock again and again and writes into a history while it holds it.

    python integration/locks/lock_worker.py '{"number": 1, "acquisitions": 200, …}'

Every write is preceded by `check`, as every writing command does, and is one line appended to the history, so that
the file system orders them. Some workers pretend to run on other hosts, with wall clocks that are days apart.
"""

from __future__ import annotations

import json
import os
import random
import sys
import uuid
from datetime import datetime, timedelta

from swampsync.backends.s3_keys import S3Keys
from swampsync.clock import SystemClock, spawn_daemon
from swampsync.disk import LocalDisk
from swampsync.errors import LeaseLost, LockTimeout, Unavailable
from swampsync.locks.directory import DirectoryLeaseStore
from swampsync.locks.identity import make_holder
from swampsync.locks.keeper import KeeperParts, LeaseKeeper
from swampsync.locks.kept import KeptLease
from swampsync.locks.object_store import ObjectLeaseStore
from swampsync.locks.process_table import LinuxProcessTable
from swampsync.locks.store import LeaseStore
from swampsync.locks.timing import LockTiming

STEPS = 2
LONG_HOLD_SECONDS = 0.8


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


class History:
    def __init__(self, path: str, number: int) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._number = number

    def append(self, event: str, lease: KeptLease, began: float, now: float) -> None:
        line = {"event": event, "worker": self._number, "nonce": lease.nonce, "began": began, "at": now}
        os.write(self._descriptor, json.dumps(line).encode() + b"\n")


def work(settings: dict[str, object]) -> int:
    number = int(str(settings["number"]))
    rng = random.Random(int(str(settings["seed"])))
    clock = SkewedClock(float(str(settings["skew_seconds"])))
    timing = LockTiming(
        ttl_seconds=float(str(settings["ttl_seconds"])),
        heartbeat_seconds=float(str(settings["heartbeat_seconds"])),
        wait_seconds=120,
        retry_base_seconds=0.03 if "bucket" in settings else 0.005,
        retry_max_seconds=0.2 if "bucket" in settings else 0.1,
    )
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
    keeper = LeaseKeeper(make_store(settings, parts), parts)
    history = History(str(settings["history"]), number)
    done = 0
    while done < int(str(settings["acquisitions"])):
        try:
            with keeper.acquire(str(settings["key"]), command="history") as lease:
                for step in range(STEPS):
                    began = clock.uptime()
                    lease.check()
                    history.append("write", lease, began, clock.uptime())
                    history.append("written", lease, began, clock.uptime())
                    if step == 0 and rng.random() < 0.01:
                        clock.sleep(LONG_HOLD_SECONDS)
                done += 1
        except LeaseLost:
            continue
        except (LockTimeout, Unavailable) as error:
            print(f"worker {number}: {error}", file=sys.stderr)
            clock.sleep(0.1)
            continue
        print(done, flush=True)
    return 0


def make_store(settings: dict[str, object], parts: KeeperParts) -> LeaseStore:
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
    return ObjectLeaseStore(server.store(bucket["bucket"], bucket["prefix"]))


if __name__ == "__main__":
    sys.exit(work(json.loads(sys.argv[1])))
