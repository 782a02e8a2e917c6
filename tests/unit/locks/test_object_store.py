from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from swampsync.backends.base import Capabilities, NotSupported, PutMode, PutResult
from swampsync.backends.memory import MemoryStore
from swampsync.clock import Clock, format_timestamp
from swampsync.errors import LeaseLost, Unavailable
from swampsync.layout import ObjectKey
from swampsync.locks.lease import Lease, Sight
from swampsync.locks.object_store import ObjectLeaseStore
from swampsync.testing.faulty_store import Fault, Faulty, fault_at
from swampsync.testing.lease_bench import LeaseBench
from swampsync.testing.manual_clock import ManualClock

KEY = ".locks/infra.lock"


class WeakStore(MemoryStore):
    """A store without compare-and-swap."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(create_only=True, compare_and_swap=False)

    def put(self, key: ObjectKey, body: bytes, mode: PutMode) -> PutResult:
        if type(mode).__name__ == "IfMatch":
            raise NotSupported("no If-Match here")
        return super().put(key, body, mode)


class BareStore(MemoryStore):
    """A store without any condition."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(create_only=False, compare_and_swap=False)


class World:
    def __init__(self, make: Callable[[Clock], MemoryStore] = MemoryStore) -> None:
        self.clock = ManualClock()
        self.bench = LeaseBench(self.clock)
        self.bucket = make(self.clock)
        self.faulty = Faulty(self.bucket)
        self.store = ObjectLeaseStore(self.faulty)

    def now(self) -> str:
        return format_timestamp(self.clock.now())

    def see(self) -> Sight:
        sight = ObjectLeaseStore(self.bucket).inspect(KEY)
        assert sight is not None
        return sight


@pytest.fixture
def world() -> World:
    return World()


def test_take_needs_two_requests_and_release_one(world: World) -> None:
    """One to look and one to take; one to give back; both for a new object and for a released one."""
    for _ in range(2):
        lease = world.bench.take(world.store, KEY)
        assert [call.method for call in world.faulty.calls] == ["get", "put"]
        world.faulty.calls.clear()
        assert world.store.release(lease, is_valid=True)
        assert [call.method for call in world.faulty.calls] == ["put"]
        world.faulty.calls.clear()


def test_heartbeat_needs_one_request(world: World) -> None:
    """Renewing is one swap, and asking before a write is none."""
    lease = world.bench.take(world.store, KEY)
    world.faulty.calls.clear()
    lease = world.store.renew(lease, world.now())
    world.store.verify(lease)
    assert [call.method for call in world.faulty.calls] == ["put"]


def test_released_lock_stays_as_an_object(world: World) -> None:
    """Stores ignore conditions on DELETE, so release swaps in a record that is expired and says so."""
    lease = world.bench.take(world.store, KEY)
    assert world.store.release(lease, is_valid=True)
    document = json.loads(world.bucket.get(ObjectKey(KEY)).body)
    assert (document["released"], document["ttlMs"], document["nonce"]) == (True, 0, lease.nonce)
    assert world.store.inspect(KEY) is None


def test_no_two_bodies_are_equal(world: World) -> None:
    """An ETag is a digest: renewed within one millisecond, a lock still has another body each time."""
    lease = world.bench.take(world.store, KEY)
    etags = {lease.etag}
    for _ in range(3):
        lease = world.store.renew(lease, world.now())
        etags.add(lease.etag)
    judged = world.see()
    assert len(etags) == 4
    world.store.renew(lease, world.now())
    assert world.store.take_over(judged, world.bench.record()) is None


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.DUPLICATE])
def test_acquire_whose_answer_was_lost_is_held(world: World, fault: Fault) -> None:
    """A client or proxy that repeats the put gets 412 against its own lock: read, compare the nonce, and go on."""
    world.faulty.plan = fault_at(1, fault)
    lease = world.bench.take(world.store, KEY)
    assert world.see().nonce == lease.nonce
    assert world.store.renew(lease, world.now()).nonce == lease.nonce


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.DUPLICATE])
def test_takeover_whose_answer_was_lost_is_held(world: World, fault: Fault) -> None:
    """The same over a record that was there."""
    world.bench.take(world.store, KEY)
    judged = world.see()
    world.faulty.plan = fault_at(len(world.faulty.calls), fault)
    lease = world.store.take_over(judged, world.bench.record())
    assert lease is not None
    assert world.see().nonce == lease.nonce


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.DUPLICATE])
def test_heartbeat_whose_answer_was_lost_is_no_loss(world: World, fault: Fault) -> None:
    """A renewal that arrived, as far as anybody can know, did arrive."""
    lease = world.bench.take(world.store, KEY)
    world.faulty.plan = fault_at(len(world.faulty.calls), fault)
    lease = world.store.renew(lease, world.now())
    lease = world.store.renew(lease, world.now())
    assert world.store.release(lease, is_valid=True)


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.DUPLICATE])
def test_release_whose_answer_was_lost_is_done(world: World, fault: Fault) -> None:
    """A release that arrived frees the lock for the next one, and says that it was ours."""
    lease = world.bench.take(world.store, KEY)
    world.faulty.plan = fault_at(len(world.faulty.calls), fault)
    assert world.store.release(lease, is_valid=True)
    assert world.store.inspect(KEY) is None


def test_acquire_that_never_arrived_is_unavailable(world: World) -> None:
    """Nothing is there and nobody answered: the caller may try again, with the same nonce."""
    world.faulty.plan = fault_at(1, Fault.LOST_REQUEST)
    record = world.bench.record()
    with pytest.raises(Unavailable):
        world.store.try_acquire(KEY, record)
    lease = world.store.try_acquire(KEY, record)
    assert isinstance(lease, Lease)


def test_heartbeat_that_never_arrived_is_unavailable_and_no_loss(world: World) -> None:
    """A store that does not answer is not a takeover; the next heartbeat goes on from the same record."""
    lease = world.bench.take(world.store, KEY)
    world.faulty.plan = fault_at(len(world.faulty.calls), Fault.THROTTLE)
    with pytest.raises(Unavailable):
        world.store.renew(lease, world.now())
    assert world.store.renew(lease, world.now()).nonce == lease.nonce


def test_loser_that_was_told_500_is_told_who_won(world: World) -> None:
    """Stores answer 500 to losers of a swap: the object is read, and the winner is not overwritten."""
    first = world.bench.take(world.store, KEY)
    judged = world.see()
    winner = ObjectLeaseStore(world.bucket).take_over(judged, world.bench.record())
    assert winner is not None
    world.faulty.plan = fault_at(len(world.faulty.calls), Fault.THROTTLE)
    assert world.store.take_over(judged, world.bench.record()) is None
    with pytest.raises(LeaseLost):
        world.store.renew(first, world.now())
    assert world.see().nonce == winner.nonce


def test_late_put_of_our_own_does_not_lose_the_lease(world: World) -> None:
    """An earlier heartbeat that arrives late changes the ETag under us; the nonce says that it is still our lock."""
    lease = world.bench.take(world.store, KEY)
    world.store.renew(lease, world.now())
    world.clock.advance(1)
    renewed = world.store.renew(lease, world.now())
    assert (renewed.nonce, renewed.record.beat) == (lease.nonce, 2)
    assert world.store.release(lease, is_valid=True)


def test_lease_without_an_etag_is_a_mistake(world: World) -> None:
    """What did not come from this store is not taken for a lease of it."""
    with pytest.raises(AssertionError, match="ETag"):
        world.store.renew(Lease(KEY, world.bench.record()), world.now())


# --- the weaker mode -------------------------------------------------------------------------------------


def test_weak_mode_is_never_silent() -> None:
    """Without compare-and-swap every lease says so."""
    world = World(WeakStore)
    assert world.store.is_weak
    lease = world.bench.take(world.store, KEY)
    assert lease.is_weak
    assert world.store.renew(lease, world.now()).is_weak
    assert world.bench.keeper(World(WeakStore).store).acquire(KEY, command="data gc").is_weak
    assert not World().bench.take(World().store, KEY).is_weak


def test_weak_mode_takes_renews_and_deletes() -> None:
    """Create-only and expiry: taken exclusively, renewed after a look, deleted on release."""
    world = World(WeakStore)
    lease = world.bench.take(world.store, KEY)
    assert isinstance(world.store.try_acquire(KEY, world.bench.record()), Sight)
    world.clock.advance(10)
    lease = world.store.renew(lease, world.now())
    assert world.store.release(lease, is_valid=True)
    assert list(world.bucket.list("")) == []


def test_weak_takeover_tells_the_former_holder() -> None:
    """The former holder's next heartbeat, and its release, leave the successor alone."""
    world = World(WeakStore)
    former = world.bench.take(world.store, KEY)
    successor = world.store.take_over(world.see(), world.bench.record())
    assert successor is not None
    with pytest.raises(LeaseLost):
        world.store.renew(former, world.now())
    assert not world.store.release(former, is_valid=True)
    assert world.see().nonce == successor.nonce


def test_weak_takeover_of_a_changed_lock_fails() -> None:
    """A holder that has changed since it was judged is left alone, also without compare-and-swap."""
    world = World(WeakStore)
    first = world.bench.take(world.store, KEY)
    judged = world.see()
    assert world.store.release(first, is_valid=True)
    second = world.bench.take(world.store, KEY)
    assert world.store.take_over(judged, world.bench.record()) is None
    assert world.see().nonce == second.nonce


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.DUPLICATE])
def test_weak_heartbeat_whose_answer_was_lost_is_no_loss(fault: Fault) -> None:
    """Overwriting twice does no harm; the nonce says whose it is."""
    world = World(WeakStore)
    lease = world.bench.take(world.store, KEY)
    world.faulty.plan = fault_at(len(world.faulty.calls) + 1, fault)
    assert world.store.renew(lease, world.now()).nonce == lease.nonce
    assert world.store.release(lease, is_valid=True)


def test_store_without_create_only_is_refused() -> None:
    """Where nothing is exclusive, nothing is locked, and nobody is told otherwise."""
    with pytest.raises(NotSupported) as caught:
        ObjectLeaseStore(BareStore(ManualClock()))
    assert caught.value.hint == "swamp doctor backend"
