from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from swampsync.backends.base import Capabilities, NotSupported
from swampsync.backends.memory import MemoryStore
from swampsync.clock import Clock, format_timestamp
from swampsync.errors import LeaseLost, Unavailable
from swampsync.layout import ObjectKey
from swampsync.locks.lease import Lease, Sight
from swampsync.locks.object_store import ObjectLeaseStore
from swampsync.testing.faulty_store import Fault, Faulty, fault_at
from swampsync.testing.lease_bench import LeaseBench
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.swapless import Swapless

KEY = ".locks/infra.lock"


class WeakStore(Swapless):
    """A store that declares that it has no compare-and-swap."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, is_declared=True)


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
    """What did not come from this store is not taken for a lease of it, to renew it or to give it back."""
    never_taken = Lease(KEY, world.bench.record())
    with pytest.raises(AssertionError, match="ETag"):
        world.store.renew(never_taken, world.now())
    with pytest.raises(AssertionError, match="ETag"):
        world.store.release(never_taken, is_valid=True)
    assert list(world.bucket.list("")) == []


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


def test_weak_takeover_spares_a_holder_that_has_renewed() -> None:
    """The whole record is compared, not the nonce: a heartbeat since the judgement saves the holder."""
    world = World(WeakStore)
    lease = world.bench.take(world.store, KEY)
    judged = world.see()
    world.clock.advance(10)
    lease = world.store.renew(lease, world.now())
    assert world.store.take_over(judged, world.bench.record()) is None
    assert world.see().nonce == lease.nonce
    assert world.store.release(lease, is_valid=True)


def test_weak_takeover_by_two_at_once_is_told_by_the_heartbeat() -> None:
    """The one thing that is not safe there: a second one deletes between the first one's look and its deletion."""

    class Overtaken(WeakStore):
        second: Callable[[], Lease | None] | None = None
        other: Lease | None = None

        def delete(self, key: ObjectKey) -> None:
            second, self.second = self.second, None
            if second is not None:
                self.other = second()
            super().delete(key)

    bucket = Overtaken(ManualClock())
    world = World(lambda _: bucket)
    world.bench.take(world.store, KEY)
    judged = world.see()
    bucket.second = lambda: ObjectLeaseStore(bucket).take_over(judged, world.bench.record())
    first = world.store.take_over(judged, world.bench.record())
    assert first is not None
    assert bucket.other is not None
    with pytest.raises(LeaseLost):
        world.store.renew(bucket.other, world.now())
    assert world.store.renew(first, world.now()).nonce == world.see().nonce


@pytest.mark.parametrize("step", ["renew", "release", "take_over", "remove"])
def test_refused_swap_is_found_out_once(step: str) -> None:
    """A store that lacks swaps without saying so: the step is done all the same, and no later one asks again."""
    bucket = Swapless(ManualClock())
    world = World(lambda _: bucket)
    lease = world.bench.take(world.store, KEY)
    known = [world.store.is_weak]
    match step:
        case "renew":
            lease = world.store.renew(lease, world.now())
        case "release":
            assert world.store.release(lease, is_valid=True)
        case "take_over":
            taken = world.store.take_over(world.see(), world.bench.record())
            assert taken is not None
            lease = taken
        case _:
            assert world.store.remove(world.see())
    assert [*known, world.store.is_weak] == [False, True]
    if world.store.inspect(KEY) is None:
        lease = world.bench.take(world.store, KEY)
    assert lease.is_weak
    world.faulty.calls.clear()
    assert world.store.release(world.store.renew(lease, world.now()), is_valid=True)
    assert [call.method for call in world.faulty.calls] == ["get", "put", "get", "delete"]
    assert list(bucket.list("")) == []


def test_races_lost_again_and_again_never_look_like_a_lock_that_stands_still(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who loses every race for a free lock sees another thing each time, so that it never seems expired."""
    lease = world.bench.take(world.store, KEY)
    world.store.release(lease, is_valid=True)
    monkeypatch.setattr(world.store, "take_over", lambda *_: None)
    seen = [world.store.try_acquire(KEY, world.bench.record()) for _ in range(3)]
    marks = {sight.mark for sight in seen if isinstance(sight, Sight)}
    assert len(marks) == 3


def test_store_without_create_only_is_refused() -> None:
    """Where nothing is exclusive, nothing is locked, and nobody is told otherwise."""
    with pytest.raises(NotSupported) as caught:
        ObjectLeaseStore(BareStore(ManualClock()))
    assert caught.value.hint == "swamp doctor backend"
