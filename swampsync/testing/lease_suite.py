"""The conformance suite of `swampsync.locks.store.LeaseStore`: one test an outcome.

A store's test file is short:

    class TestMyLeases(LeaseSuite):
        @pytest.fixture
        def store(self, clock: ManualClock) -> LeaseStore: ...   # fresh and empty
        key = "…"                                                # of one lock
        def raw_put(self, store, body): ...                      # behind the store's back
        def raw_remove(self, store): ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import pytest

from swampsync.clock import format_timestamp, spawn_daemon
from swampsync.errors import LeaseLost, LockHeld, LockTimeout
from swampsync.locks.lease import Lease, LockRecord, Sight, TornRecord
from swampsync.locks.status import HOLDER_CHANGED, NOTHING_HELD, break_lock
from swampsync.locks.store import LeaseStore
from swampsync.maintenance.racing import race
from swampsync.testing.lease_bench import LeaseBench, StillClock, close
from swampsync.testing.manual_clock import ManualClock

CONTENDERS = 10


class LeaseSuiteBase(ABC):
    """How a store's test file tells the suite about its store."""

    key: ClassVar[str] = ".locks/infra.lock"
    is_verified: ClassVar[bool] = True
    """Whether `verify` looks at the lock, as it must where the lock is safety."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Time that only the test moves."""
        return ManualClock()

    @pytest.fixture
    def bench(self, clock: ManualClock) -> LeaseBench:
        """Processes that want locks."""
        return LeaseBench(clock)

    @abstractmethod
    def raw_put(self, store: LeaseStore, body: bytes) -> None:
        """Write the lock behind the store's back."""

    @abstractmethod
    def raw_remove(self, store: LeaseStore) -> None:
        """Remove the lock behind the store's back."""

    def see(self, store: LeaseStore) -> Sight:
        """Look at the lock, which must be there."""
        sight = store.inspect(self.key)
        assert sight is not None
        return sight


class StoreTests(LeaseSuiteBase):
    """The mechanism: every step is atomic, and says who won."""

    def test_acquire_new_lock_is_held(self, store: LeaseStore, bench: LeaseBench) -> None:
        """Taking a free lock writes our record."""
        record = bench.record()
        lease = store.try_acquire(self.key, record)
        assert isinstance(lease, Lease)
        assert self.see(store).nonce == record.nonce == lease.nonce
        assert store.release(lease, is_valid=True)

    def test_acquire_active_names_the_holder(self, store: LeaseStore, bench: LeaseBench) -> None:
        """A lock that is held is not taken, and the answer says by whom."""
        lease = bench.take(store, self.key)
        found = store.try_acquire(self.key, bench.record())
        assert isinstance(found, Sight)
        assert isinstance(found.record, LockRecord)
        assert (found.record.holder, found.record.pid) == (lease.record.holder, lease.record.pid)
        close(lease)

    def test_acquire_with_our_nonce_is_adopted(self, store: LeaseStore, bench: LeaseBench) -> None:
        """A lock that carries our nonce is ours: an earlier try won, and its answer was lost."""
        first = bench.take(store, self.key)
        close(first)
        again = store.try_acquire(self.key, first.record)
        assert isinstance(again, Lease)
        assert store.renew(again, format_timestamp(bench.clock.now())).nonce == first.nonce
        assert store.release(again, is_valid=True)

    def test_inspect_free_lock_finds_nothing(self, store: LeaseStore, bench: LeaseBench) -> None:
        """A lock that was never taken, or was given back, is held by nobody."""
        assert store.inspect(self.key) is None
        assert store.release(bench.take(store, self.key), is_valid=True)
        assert store.inspect(self.key) is None

    @pytest.mark.holds("I3")
    def test_concurrent_acquisition_has_one_winner(self, store: LeaseStore, bench: LeaseBench) -> None:
        """Of ten that want a free lock at the same moment one gets it."""
        records = [bench.record() for _ in range(CONTENDERS)]
        results = race(CONTENDERS, lambda n: store.try_acquire(self.key, records[n]), spawner=spawn_daemon)
        winners = [result for result in results if isinstance(result, Lease)]
        assert len(winners) == 1, results
        assert all(isinstance(result, Lease | Sight) for result in results)
        assert self.see(store).nonce == winners[0].nonce
        close(*winners)

    def test_takeover_of_judged_lock_succeeds(self, store: LeaseStore, bench: LeaseBench) -> None:
        """A lock that still is as it was judged is taken over."""
        dead = bench.take(store, self.key)
        close(dead)
        lease = store.take_over(self.see(store), bench.record())
        assert lease is not None
        assert self.see(store).nonce == lease.nonce != dead.nonce
        assert store.release(lease, is_valid=True)

    def test_takeover_after_a_heartbeat_fails(self, store: LeaseStore, clock: ManualClock, bench: LeaseBench) -> None:
        """A heartbeat between the judgement and the takeover saves the holder."""
        lease = bench.take(store, self.key)
        judged = self.see(store)
        clock.advance(10)
        lease = store.renew(lease, format_timestamp(clock.now()))
        assert store.take_over(judged, bench.record()) is None
        assert store.release(lease, is_valid=True)

    def test_takeover_of_released_and_retaken_lock_fails(self, store: LeaseStore, bench: LeaseBench) -> None:
        """Who has judged a former holder does not get the lock of the present one."""
        first = bench.take(store, self.key)
        judged = self.see(store)
        assert store.release(first, is_valid=True)
        second = bench.take(store, self.key)
        assert store.take_over(judged, bench.record()) is None
        assert self.see(store).nonce == second.nonce
        close(second)

    @pytest.mark.holds("I3")
    def test_takeover_race_has_one_winner(self, store: LeaseStore, bench: LeaseBench) -> None:
        """Of ten that judged one lock stale and take it over at the same moment, at most one gets it."""
        close(bench.take(store, self.key))
        judged = self.see(store)
        records = [bench.record() for _ in range(CONTENDERS)]
        results = race(CONTENDERS, lambda n: store.take_over(judged, records[n]), spawner=spawn_daemon)
        winners = [result for result in results if isinstance(result, Lease)]
        assert [r for r in results if isinstance(r, BaseException)] == []
        assert len(winners) == 1
        assert self.see(store).nonce == winners[0].nonce
        close(*winners)

    def test_renew_shows_that_the_holder_lives(self, store: LeaseStore, clock: ManualClock, bench: LeaseBench) -> None:
        """Every heartbeat changes what others see, and keeps the nonce."""
        lease = bench.take(store, self.key)
        marks = {self.see(store).mark}
        for _ in range(3):
            clock.advance(10)
            lease = store.renew(lease, format_timestamp(clock.now()))
            sight = self.see(store)
            assert isinstance(sight.record, LockRecord)
            assert sight.record.acquired_at == format_timestamp(clock.now())
            assert sight.nonce == lease.nonce
            marks.add(sight.mark)
        assert len(marks) == 4
        assert store.release(lease, is_valid=True)

    def test_renew_after_takeover_is_lost(self, store: LeaseStore, bench: LeaseBench) -> None:
        """A paused holder's heartbeat does not touch the lock of its successor."""
        paused = bench.take(store, self.key)
        successor = store.take_over(self.see(store), bench.record())
        assert successor is not None
        before = self.see(store)
        with pytest.raises(LeaseLost):
            store.renew(paused, format_timestamp(bench.clock.now()))
        assert self.see(store).mark == before.mark
        close(paused, successor)

    def test_renew_after_removal_is_lost(self, store: LeaseStore, bench: LeaseBench) -> None:
        """A lock that somebody has removed does not come back by a heartbeat."""
        lease = bench.take(store, self.key)
        self.raw_remove(store)
        with pytest.raises(LeaseLost):
            store.renew(lease, format_timestamp(bench.clock.now()))
        assert store.inspect(self.key) is None
        close(lease)

    def test_verify_finds_a_takeover(self, store: LeaseStore, bench: LeaseBench) -> None:
        """Where the lock is safety, a takeover is noticed before the next write; elsewhere nothing is asked."""
        lease = bench.take(store, self.key)
        store.verify(lease)
        self.raw_put(store, bench.record().format())
        if self.is_verified:
            with pytest.raises(LeaseLost):
                store.verify(lease)
        else:
            store.verify(lease)
        close(lease)

    def test_release_stale_nonce_keeps_successor(self, store: LeaseStore, bench: LeaseBench) -> None:
        """A holder that was taken over does not release its successor's lock."""
        for is_valid in (True, False):
            paused = bench.take(store, self.key)
            successor = store.take_over(self.see(store), bench.record())
            assert successor is not None
            assert not store.release(paused, is_valid=is_valid)
            assert self.see(store).nonce == successor.nonce
            assert store.release(successor, is_valid=True)

    def test_release_of_removed_lock_is_harmless(self, store: LeaseStore, bench: LeaseBench) -> None:
        """Giving back what is not there any more says so, and changes nothing."""
        for is_valid in (True, False):
            lease = bench.take(store, self.key)
            self.raw_remove(store)
            assert not store.release(lease, is_valid=is_valid)
            assert store.inspect(self.key) is None

    def test_release_of_expired_lease_frees_our_own_lock(self, store: LeaseStore, bench: LeaseBench) -> None:
        """A lease that expired without anybody taking it over is still given back."""
        assert store.release(bench.take(store, self.key), is_valid=False)
        assert store.inspect(self.key) is None

    def test_acquire_after_release_is_held(self, store: LeaseStore, bench: LeaseBench) -> None:
        """A lock that was given back can be taken at once, again and again."""
        for _ in range(5):
            assert store.release(bench.take(store, self.key), is_valid=True)

    def test_abandon_frees_only_our_own_lock(self, store: LeaseStore, bench: LeaseBench) -> None:
        """What an interrupted acquisition may have left is found by its nonce, and only that."""
        lease = bench.take(store, self.key)
        store.abandon(self.key, bench.new_id())
        assert self.see(store).nonce == lease.nonce
        store.abandon(self.key, lease.nonce)
        assert store.inspect(self.key) is None
        store.abandon(self.key, lease.nonce)
        close(lease)

    @pytest.mark.parametrize("body", [b"", b'{\n  "holder": "ana', b"null", b"\xff\xfe", b"[]"])
    def test_torn_lock_is_seen_and_blocks(self, store: LeaseStore, bench: LeaseBench, body: bytes) -> None:
        """An empty or cut lock is in the way, and everybody can see it; it can be taken over once it is judged."""
        self.raw_put(store, body)
        found = store.try_acquire(self.key, bench.record())
        assert isinstance(found, Sight)
        assert found.record == TornRecord(body)
        lease = store.take_over(found, bench.record())
        assert lease is not None
        assert store.release(lease, is_valid=True)


class BreakTests(LeaseSuiteBase):
    """Breaking a lock by hand: Terraform's force-unlock cases."""

    def test_force_unlock_by_nonce_frees_the_lock(self, store: LeaseStore, bench: LeaseBench) -> None:
        """A lock is broken by its nonce, and the next one gets it."""
        dead = bench.take(store, self.key)
        outcome = break_lock(store, self.key, nonce=dead.nonce)
        assert outcome.is_released
        assert outcome.previous is not None
        assert outcome.previous.holder == dead.record.holder
        assert store.release(bench.take(store, self.key), is_valid=True)
        close(dead)

    def test_force_unlock_with_wrong_nonce_is_refused(self, store: LeaseStore, bench: LeaseBench) -> None:
        """A nonce that is not the holder's breaks nothing."""
        lease = bench.take(store, self.key)
        outcome = break_lock(store, self.key, nonce="00000000-aaaa-4000-8000-000000000000")
        assert (outcome.is_released, outcome.reason) == (False, HOLDER_CHANGED)
        assert self.see(store).nonce == lease.nonce
        close(lease)

    def test_force_unlock_of_free_lock_says_so(self, store: LeaseStore, bench: LeaseBench) -> None:
        """There is nothing to break where nobody holds anything."""
        assert break_lock(store, self.key, nonce=None).reason == NOTHING_HELD
        assert store.release(bench.take(store, self.key), is_valid=True)
        assert break_lock(store, self.key, nonce=None).reason == NOTHING_HELD

    def test_force_unlock_by_force_breaks_a_torn_lock(self, store: LeaseStore, bench: LeaseBench) -> None:
        """A torn lock has no nonce, and can be broken all the same."""
        self.raw_put(store, b"")
        assert break_lock(store, self.key, nonce=None).is_released
        assert store.inspect(self.key) is None
        assert store.release(bench.take(store, self.key), is_valid=True)

    def test_remove_after_the_holder_changed_is_refused(self, store: LeaseStore, bench: LeaseBench) -> None:
        """Who confirms the breaking of one holder's lock does not break another one's."""
        first = bench.take(store, self.key)
        seen = self.see(store)
        assert store.release(first, is_valid=True)
        second = bench.take(store, self.key)
        assert not store.remove(seen)
        assert self.see(store).nonce == second.nonce
        close(second)

    def test_remove_after_a_heartbeat_succeeds(self, store: LeaseStore, clock: ManualClock, bench: LeaseBench) -> None:
        """The holder is meant, not the heartbeat."""
        lease = bench.take(store, self.key)
        seen = self.see(store)
        clock.advance(10)
        lease = store.renew(lease, format_timestamp(clock.now()))
        assert store.remove(seen)
        assert store.inspect(self.key) is None
        close(lease)

    def test_holder_whose_lock_was_broken_is_lost(self, store: LeaseStore, bench: LeaseBench) -> None:
        """Breaking a lock tells its holder at the next heartbeat."""
        kept = bench.keeper(store).acquire(self.key, command="data gc")
        assert break_lock(store, self.key, nonce=kept.nonce).is_released
        with pytest.raises(LeaseLost):
            kept.beat()
        with pytest.raises(LeaseLost):
            kept.check()
        assert not kept.release()


class KeeperTests(LeaseSuiteBase):
    """The policy over the store: waiting, taking over, loss."""

    def test_two_clients_take_turns(self, store: LeaseStore, bench: LeaseBench) -> None:
        """The second client is refused with the first one's name, and gets the lock when the first is done."""
        one, two = bench.keeper(store), bench.keeper(store)
        first = one.acquire(self.key, command="data gc", wait_seconds=0)
        with pytest.raises(LockHeld) as caught:
            two.acquire(self.key, command="data prune", wait_seconds=0)
        assert first.record.holder in str(caught.value)
        assert first.release()
        second = two.acquire(self.key, command="data prune", wait_seconds=0)
        assert second.nonce != first.nonce
        assert not first.release()
        with pytest.raises(LockHeld):
            one.acquire(self.key, command="data gc", wait_seconds=0)
        assert second.release()

    def test_acquire_expired_takes_over(self, store: LeaseStore, clock: ManualClock, bench: LeaseBench) -> None:
        """A lock of another host is taken over when it has not changed for its TTL while we watched."""
        bench.processes.hostname = "build-8"
        close(bench.take(store, self.key, bench.processes.start(1)))
        bench.processes.hostname = "build-7"
        started = clock.uptime()
        with bench.keeper(store).acquire(self.key, command="data gc") as kept:
            assert self.see(store).nonce == kept.nonce
        assert 30 <= clock.uptime() - started < 32

    def test_acquire_active_times_out(self, store: LeaseStore, clock: ManualClock, bench: LeaseBench) -> None:
        """A live holder is never taken over, however long we wait; the error names it."""
        keeper = bench.keeper(store)
        holder = keeper.acquire(self.key, command="data gc")
        beats = iter(range(10, 1_000, 10))
        sleep = clock.sleep
        start = clock.uptime()
        due = next(beats)

        def sleep_and_beat(seconds: float) -> None:
            nonlocal due
            sleep(seconds)
            while clock.uptime() - start >= due:
                assert holder.beat()
                due = next(beats)

        clock.sleep = sleep_and_beat  # type: ignore[method-assign]
        with pytest.raises(LockTimeout) as caught:
            bench.keeper(store).acquire(self.key, command="data put", wait_seconds=120)
        assert 120 <= clock.uptime() - start < 121
        assert caught.value.key == self.key
        message = f'Lock "{self.key}" held by {holder.record.holder} (pid {holder.record.pid}) — timed out after 120'
        assert str(caught.value).startswith(message)
        assert "swamp datastore lock release --force" in (caught.value.hint or "")
        holder.check()
        assert holder.release()

    def test_dead_process_of_our_host_is_taken_over_at_once(
        self, store: LeaseStore, clock: ManualClock, bench: LeaseBench
    ) -> None:
        """Nobody waits for a process that ran here and is gone."""
        holder = bench.processes.start(77)
        close(bench.take(store, self.key, holder))
        bench.processes.kill(holder)
        before = clock.uptime()
        with bench.keeper(store).acquire(self.key, command="data gc", wait_seconds=0):
            assert clock.uptime() == before

    def test_torn_lock_heals_after_a_ttl(self, store: LeaseStore, clock: ManualClock, bench: LeaseBench) -> None:
        """An empty lock file is nobody's, but it may be being written: it blocks for one TTL and no longer."""
        self.raw_put(store, b"")
        before = clock.uptime()
        with bench.keeper(store).acquire(self.key, command="data gc"):
            assert 30 <= clock.uptime() - before < 32

    def test_holder_that_stood_still_is_lost_before_others_may_act(
        self, store: LeaseStore, clock: ManualClock, bench: LeaseBench
    ) -> None:
        """A holder declares itself lost one and a half heartbeats before its TTL, without asking anybody."""
        kept = bench.keeper(store).acquire(self.key, command="data gc")
        clock.advance(15)
        kept.check()
        clock.suspend(0.1)
        assert kept.is_lost
        with pytest.raises(LeaseLost, match="stood still"):
            kept.check()
        assert kept.release()

    def test_every_waiter_gets_its_turn(self, store: LeaseStore) -> None:
        """Sixteen waiters all get the lock, one after the other, never two at once."""
        bench = LeaseBench(StillClock())
        inside: list[int] = []
        keepers = [bench.keeper(store) for _ in range(16)]

        def work(number: int) -> int:
            with keepers[number].acquire(self.key, command="data put"):
                inside.append(number)
                assert inside == [number]
                inside.remove(number)
            return number

        assert race(16, work, spawner=spawn_daemon) == list(range(16))
        assert store.inspect(self.key) is None


class LeaseSuite(StoreTests, BreakTests, KeeperTests):
    """Everything that a lease store promises."""
