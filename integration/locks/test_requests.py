"""What a lock in a bucket costs in requests, counted on the wire between a command and a real server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.locks.lock_wire import KEY, LockWire, Script
from swampsync.backends.s3_settings import ETagQuoting
from swampsync.errors import LockHeld
from swampsync.locks.lease import Lease
from swampsync.testing.lossy_wire import LossyWire
from swampsync.testing.s3_side_channel import S3Server


@pytest.fixture
def lock(s3_server: S3Server, s3_bucket: str) -> Iterator[LockWire]:
    script = Script()
    with LossyWire.before(s3_server.endpoint, script) as wire:
        yield LockWire(s3_server, s3_bucket, wire, script, prefix=f"requests-{uuid.uuid4().hex[:8]}")


def test_structural_lock_costs_two_requests_to_take_and_one_to_release(lock: LockWire, tmp_path: Path) -> None:
    """A look and a put; then one put: for the first holder ever, and for everybody after a release."""
    guard = lock.guard(tmp_path)
    for _ in range(3):
        lock.script.begin()
        with guard.structural_lock(command="data gc") as held:
            assert lock.sent() == ["GET", "PUT"]
            held.check()
            assert lock.sent() == ["GET", "PUT"]
            assert {sent.target.rpartition(".locks/")[2] for sent in lock.wire.sent} == {"infra.lock"}
        assert lock.sent() == ["GET", "PUT", "PUT"]
        assert lock.record().is_released


def test_heartbeat_costs_one_request(lock: LockWire, tmp_path: Path) -> None:
    """Each beat is one put, however many went before."""
    with lock.guard(tmp_path).structural_lock(command="data gc") as held:
        (kept,) = held.leases
        for beat in range(1, 4):
            lock.script.begin()
            assert kept.beat()
            assert (lock.sent(), lock.record().beat) == (["PUT"], beat)


def test_try_in_vain_puts_nothing(lock: LockWire, tmp_path: Path) -> None:
    """Who finds the lock held and does not wait has only looked: at the lock, and for anything left of itself."""
    lock.bench.take(lock.others, KEY)
    lock.script.begin()
    with pytest.raises(LockHeld), lock.guard(tmp_path).structural_lock(command="data gc", wait_seconds=0):
        pass
    assert lock.sent() == ["GET", "GET"]


def test_takeover_costs_two_requests(lock: LockWire) -> None:
    """A holder that is dead is found by a look, and its lock swapped for ours by one put."""
    holder = lock.bench.processes.start(99)
    lock.bench.take(lock.others, KEY, holder)
    lock.bench.processes.kill(holder)
    keeper = lock.bench.keeper(lock.ours)
    lock.script.begin()
    with keeper.acquire(KEY, command="data gc"):
        assert lock.sent() == ["GET", "PUT"]


def test_form_of_etags_costs_two_requests_once_where_nobody_has_found_it_out(
    s3_server: S3Server, s3_bucket: str
) -> None:
    """On a server that wants ETags bare, the first swap of a process that was not told asks twice more."""
    script = Script()
    with LossyWire.before(s3_server.endpoint, script) as wire:
        prefix = f"requests-{uuid.uuid4().hex[:8]}"
        lock = LockWire(s3_server, s3_bucket, wire, script, prefix=prefix, quoting=ETagQuoting.AUTO)
        lease = lock.bench.take(lock.ours, KEY)
        sent = []
        for _ in range(2):
            lock.script.begin()
            assert lock.ours.release(lease, is_valid=True)
            sent.append(lock.sent())
            got = lock.ours.try_acquire(KEY, lock.bench.record())
            assert isinstance(got, Lease)
            lease = got
    assert sent == [["PUT", "HEAD", "PUT"] if s3_server.name == "rgw" else ["PUT"], ["PUT"]]
