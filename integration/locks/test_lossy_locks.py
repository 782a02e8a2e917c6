"""Locks in a bucket over a wire that loses things: who holds is always known, and nobody waits for himself.

What OpenTofu (#4405, #4437) and others met: a client or a proxy repeats a put that had succeeded, and takes the refusal
of the second for somebody else's lock. Each step of a lease is done with each fault at each of its requests.
"""

from __future__ import annotations

import itertools
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from integration.locks.lock_wire import KEY, LockWire, Script
from swampsync.backends.s3_quoting import detect_etag_quoting
from swampsync.backends.s3_settings import ETagQuoting
from swampsync.errors import LeaseLost, Unavailable
from swampsync.layout import ObjectKey
from swampsync.locks.lease import Lease, Sight
from swampsync.locks.object_store import ObjectLeaseStore
from swampsync.testing.lossy_wire import Fault, LossyWire, SeededPlan
from swampsync.testing.s3_side_channel import S3Server

AFTER = [Fault.DROP_ANSWER, Fault.CUT, Fault.BUSY_AFTER, Fault.DUPLICATE]
BEFORE = [Fault.DROP_REQUEST, Fault.BUSY]
WEIGHTS = {
    Fault.DROP_ANSWER: 0.1,
    Fault.DROP_REQUEST: 0.05,
    Fault.BUSY_AFTER: 0.05,
    Fault.DUPLICATE: 0.1,
    Fault.CUT: 0.05,
}
THREADS, ROUNDS, SEED = 3, 8, 21


@pytest.fixture
def lock(s3_server: S3Server, s3_bucket: str) -> Iterator[LockWire]:
    script = Script()
    with LossyWire.before(s3_server.endpoint, script) as wire:
        yield LockWire(s3_server, s3_bucket, wire, script, prefix=f"wire-{uuid.uuid4().hex[:8]}")


@dataclass(frozen=True)
class Step:
    """One step of a lease: what is there before, the step itself over the wire, and what is true afterwards."""

    prepare: Callable[[LockWire], Lease | None]
    do: Callable[[LockWire, ObjectLeaseStore, Lease | None], object]
    check: Callable[[LockWire, Lease | None, object], None]


def nothing(_lock: LockWire) -> None:
    return None


def released(lock: LockWire) -> None:
    lock.others.release(lock.bench.take(lock.others, KEY), is_valid=True)


def held(lock: LockWire) -> Lease:
    return lock.bench.take(lock.others, KEY)


def acquire(lock: LockWire, store: ObjectLeaseStore, _before: Lease | None) -> object:
    return store.try_acquire(KEY, lock.bench.record())


def take_over(lock: LockWire, store: ObjectLeaseStore, _before: Lease | None) -> object:
    sight = lock.others.inspect(KEY)
    assert sight is not None
    return store.take_over(sight, lock.bench.record())


def renew(lock: LockWire, store: ObjectLeaseStore, before: Lease | None) -> object:
    assert before is not None
    lock.clock.advance(1)
    return store.renew(before, lock.now())


def release(_lock: LockWire, store: ObjectLeaseStore, before: Lease | None) -> object:
    assert before is not None
    return store.release(before, is_valid=True)


def remove(lock: LockWire, store: ObjectLeaseStore, _before: Lease | None) -> object:
    sight = lock.others.inspect(KEY)
    assert sight is not None
    return store.remove(sight)


def abandon(_lock: LockWire, store: ObjectLeaseStore, before: Lease | None) -> object:
    assert before is not None
    store.abandon(KEY, before.nonce)
    return True


def is_ours(lock: LockWire, before: Lease | None, got: object) -> None:
    """The lease is ours, and goes on with one request for each step."""
    is_known(lock, before, got)
    assert lock.sent() == ["PUT", "PUT"]


def is_known(lock: LockWire, before: Lease | None, got: object) -> None:
    """Everybody is told that the lease is ours, whoever had it before too; it is renewed and given back."""
    assert isinstance(got, Lease)
    assert lock.record().nonce == got.nonce
    assert not lock.record().is_released
    refused = lock.others.try_acquire(KEY, lock.bench.record())
    assert isinstance(refused, Sight)
    assert refused.nonce == got.nonce
    if before is not None and before.nonce != got.nonce:
        with pytest.raises(LeaseLost):
            lock.others.renew(before, lock.now())
    lock.script.begin()
    renewed = lock.ours.renew(got, lock.now())
    assert lock.ours.release(renewed, is_valid=True)
    is_free(lock, None, got=True)


def is_free(lock: LockWire, before: Lease | None, got: object) -> None:
    """The step says that it has done it, and whoever comes next has the lock at once."""
    assert got is True
    assert lock.record().is_released
    if before is not None:
        with pytest.raises(LeaseLost):
            lock.others.renew(before, lock.now())
    successor = lock.bench.take(lock.others, KEY)
    assert lock.others.release(successor, is_valid=True)


STEPS = {
    "acquire": Step(nothing, acquire, is_ours),
    "acquire-released": Step(released, acquire, is_ours),
    "takeover": Step(held, take_over, is_ours),
    "renew": Step(held, renew, is_ours),
    "release": Step(held, release, is_free),
    "remove": Step(held, remove, is_free),
    "abandon": Step(held, abandon, is_free),
}


@pytest.mark.parametrize("fault", [*AFTER, *BEFORE])
def test_step_with_a_fault_at_any_request_is_done(lock: LockWire, fault: Fault) -> None:
    """Each step succeeds in spite of one fault at any of its requests, and everybody knows who holds the lock."""
    met = dict.fromkeys(STEPS, 0)
    for name, step in STEPS.items():
        for at in itertools.count():
            lock.clear()
            before = step.prepare(lock)
            lock.script.begin([Fault.NONE] * at + [fault])
            got = step.do(lock, lock.ours, before)
            if lock.script.number <= at:
                break
            met[name] += 1
            step.check(lock, before, got)
    # The last request that could be hit was the step's last one.
    assert met == {
        "acquire": 2,
        "acquire-released": 2,
        "takeover": 1,
        "renew": 1,
        "release": 1,
        "remove": 2,
        "abandon": 2,
    }


@pytest.mark.parametrize("fault", [*AFTER, *BEFORE])
def test_first_swap_finds_its_form_in_spite_of_a_fault(s3_server: S3Server, s3_bucket: str, fault: Fault) -> None:
    """Where nobody has found out how the server wants ETags, the first swap does, and a fault at any request is met."""
    script = Script()
    prefix = f"wire-{uuid.uuid4().hex[:8]}"
    with LossyWire.before(s3_server.endpoint, script) as wire:
        for at in itertools.count():
            lock = LockWire(s3_server, s3_bucket, wire, script, prefix=prefix, quoting=ETagQuoting.AUTO)
            lock.clear()
            before = held(lock)
            lock.script.begin([Fault.NONE] * at + [fault])
            got = take_over(lock, lock.ours, before)
            if lock.script.number <= at:
                break
            is_known(lock, before, got)
    wants_bare = detect_etag_quoting(lock.aside, ObjectKey("scratch")) is ETagQuoting.BARE
    assert at == (3 if wants_bare else 1)


@pytest.mark.parametrize("fault", [*AFTER, *BEFORE])
def test_step_that_nobody_repeats_is_done_or_says_that_it_is_not(lock: LockWire, fault: Fault) -> None:
    """Without repetitions a step is done, or fails having changed nothing; done again it succeeds. No third thing."""
    failed = set()
    for name, step in STEPS.items():
        if name == "abandon":
            continue  # tells nobody
        for at in itertools.count():
            lock.clear()
            before = step.prepare(lock)
            sight = lock.others.inspect_all(KEY)
            lock.script.begin([Fault.NONE] * at + [fault])
            try:
                got = step.do(lock, lock.hasty, before)
            except Unavailable:
                assert lock.others.inspect_all(KEY) == sight, f"{name}, request {at}: it was done after all"
                failed.add((name, lock.sent()[-1]))
                got = step.do(lock, lock.hasty, before)
            if lock.script.number <= at:
                break
            step.check(lock, before, got)
    # Reads fail by any fault but a repetition. Of puts only those fail that never arrived.
    methods = {method for _, method in failed}
    assert methods == (set() if fault is Fault.DUPLICATE else {"GET"}), failed


def test_answers_lost_to_put_and_look_leave_a_lock_that_its_process_adopts(lock: LockWire) -> None:
    """Where the look after a lost put is lost too, nobody knows; the same nonce finds its own lock and goes on."""
    record = lock.bench.record()
    lock.script.begin([Fault.NONE, Fault.DROP_ANSWER, Fault.DROP_ANSWER])
    with pytest.raises(Unavailable):
        lock.hasty.try_acquire(KEY, record)
    assert lock.record().nonce == record.nonce
    got = lock.hasty.try_acquire(KEY, record)
    is_ours(lock, None, got)


def test_acquisition_that_gives_up_leaves_no_lock(lock: LockWire, tmp_path: Path) -> None:
    """A command whose put arrived and whose answers are lost takes its lock back, and the next one has it at once."""
    guard = lock.guard(tmp_path)
    keeper = lock.bench.keeper(lock.hasty)
    lock.script.begin([Fault.NONE, Fault.DROP_ANSWER, Fault.DROP_ANSWER])
    with pytest.raises(Unavailable):
        keeper.acquire(KEY, command="data gc", wait_seconds=0)
    assert lock.sent() == ["GET", "PUT", "GET", "GET", "PUT"]
    assert lock.record().is_released
    with keeper.acquire(KEY, command="data gc", wait_seconds=0):
        pass
    with guard.structural_lock(command="data gc", wait_seconds=0):
        assert not lock.record().is_released


def test_process_that_lost_its_server_meets_its_own_lock_and_outwaits_it(lock: LockWire) -> None:
    """The server is gone right after it acted: the lock stays, and the same process has it again after one TTL."""
    keeper = lock.bench.keeper(lock.hasty)
    lock.script.begin([Fault.NONE, Fault.DROP_ANSWER, *[Fault.DROP_REQUEST] * 3])
    with pytest.raises(Unavailable):
        keeper.acquire(KEY, command="data gc")
    left = lock.record()
    assert not left.is_released
    lock.script.begin()
    before = lock.clock.uptime()
    with keeper.acquire(KEY, command="data gc") as kept:
        assert kept.nonce != left.nonce
    waited = lock.clock.uptime() - before
    assert lock.bench.timing.ttl_seconds <= waited < lock.bench.timing.ttl_seconds + 2
    assert lock.record().is_released


# --- somebody else, between the act and the look -----------------------------------------------------------------


def test_release_whose_answer_was_lost_spares_whoever_came_next(lock: LockWire) -> None:
    """The release has arrived, somebody else takes the lock, and only then we look: the lock is theirs."""
    lease = held(lock)
    took: list[Lease] = []
    lock.script.begin([Fault.DROP_ANSWER], r1=lambda: took.append(held(lock)))
    lock.ours.release(lease, is_valid=True)
    assert lock.record().nonce == took[0].nonce
    assert lock.others.release(lock.others.renew(took[0], lock.now()), is_valid=True)


def test_acquisition_that_was_broken_before_we_looked_is_not_ours(lock: LockWire) -> None:
    """Our put has arrived, somebody breaks the lock and takes it, and only then we look: we are told who holds it."""
    took: list[Lease] = []

    def break_and_take() -> None:
        sight = lock.others.inspect(KEY)
        assert sight is not None
        assert lock.others.remove(sight)
        took.append(held(lock))

    lock.script.begin([Fault.NONE, Fault.DROP_ANSWER], r2=break_and_take)
    got = lock.ours.try_acquire(KEY, lock.bench.record())
    assert isinstance(got, Sight)
    assert got.nonce == took[0].nonce == lock.record().nonce


def test_renewal_that_was_overtaken_before_we_looked_is_a_loss(lock: LockWire) -> None:
    """Our heartbeat has arrived, the lock is taken over all the same, and only then we look: it is lost."""
    lease = held(lock)
    took: list[Lease] = []

    def overtake() -> None:
        sight = lock.others.inspect(KEY)
        assert sight is not None
        took.append(lock.bench.take_over(lock.others, sight))

    lock.script.begin([Fault.DROP_ANSWER], r1=overtake)
    with pytest.raises(LeaseLost):
        lock.ours.renew(lease, lock.now())
    assert not lock.ours.release(lease, is_valid=True)
    assert lock.record().nonce == took[0].nonce


def test_takeover_that_was_lost_before_it_arrived_has_another_winner(lock: LockWire) -> None:
    """Our swap never arrives, somebody else's does, and only then ours is repeated: we are told that we lost."""
    held(lock)
    judged = lock.others.inspect(KEY)
    assert judged is not None
    took: list[Lease] = []
    lock.script.begin([Fault.DROP_REQUEST], r1=lambda: took.append(lock.bench.take_over(lock.others, judged)))
    assert lock.ours.take_over(judged, lock.bench.record()) is None
    assert lock.record().nonce == took[0].nonce


# --- many at once ------------------------------------------------------------------------------------------------


def test_crowd_over_a_bad_wire_holds_one_at_a_time(s3_server: S3Server, s3_bucket: str) -> None:
    """Threads that take turns over a wire with every fault: never two inside, all get their turns, the lock is free."""
    inside: list[str] = []
    together: list[list[str]] = []
    turns = dict.fromkeys(range(THREADS), 0)
    mutex = threading.Lock()
    with LossyWire.before(s3_server.endpoint, SeededPlan(random.Random(SEED), WEIGHTS)) as wire:
        prefix = f"crowd-{uuid.uuid4().hex[:8]}"
        locks = [LockWire(s3_server, s3_bucket, wire, Script(), prefix=prefix) for _ in range(THREADS)]

        def take_turns(number: int) -> None:
            lock = locks[number]
            while turns[number] < ROUNDS:
                record = locks[0].bench.record()
                got = lock.ours.try_acquire(KEY, record)
                if not isinstance(got, Lease):
                    continue
                with mutex:
                    inside.append(got.nonce)
                    together.append(list(inside))
                got = lock.ours.renew(got, lock.now())
                with mutex:
                    inside.remove(got.nonce)
                # Where the answer was lost and somebody has the lock before we look, this says that it was not ours.
                lock.ours.release(got, is_valid=True)
                turns[number] += 1

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(take_turns, range(THREADS)))
    assert [names for names in together if len(names) > 1] == []
    assert list(turns.values()) == [ROUNDS] * THREADS
    assert {sent.fault for sent in wire.sent} == {*WEIGHTS, Fault.NONE}
    assert locks[0].record().is_released
