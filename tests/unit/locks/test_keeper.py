from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest

from swampsync.clock import spawn_daemon
from swampsync.errors import InvalidInput, LeaseLost, LockHeld, LockTimeout, Unavailable
from swampsync.locks.directory import DirectoryLeaseStore
from swampsync.locks.keeper import LeaseKeeper
from swampsync.locks.lease import Lease, LockRecord, Sight
from swampsync.locks.parent import ParentHolder
from swampsync.locks.timing import LockTiming
from swampsync.locks.waiting import LockWait, Waiting, describe_holder, find_age, release_command
from swampsync.maintenance.racing import race
from swampsync.testing.lease_bench import FakeProcesses, LeaseBench, StillClock, close
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.memory_disk import MemoryDisk

KEY = "/shared/.locks/infra.lock"


class World:
    def __init__(self, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock()
        self.disk = MemoryDisk(self.clock)
        self.bench = LeaseBench(self.clock)
        self.store = DirectoryLeaseStore(self.disk, clock=self.clock, new_id=self.bench.new_id)

    def keeper(self) -> LeaseKeeper:
        return self.bench.keeper(self.store)

    def threaded_keeper(self) -> LeaseKeeper:
        return LeaseKeeper(self.store, replace(self.bench.parts(), spawn=spawn_daemon))

    def lock_elsewhere(self) -> Lease:
        """Leave a lock of a process on another host, which never renews it."""
        processes = FakeProcesses(hostname="build-8", boot_id="boot-8")
        return self.bench.take(self.store, KEY, processes.start(3940))


@pytest.fixture
def world() -> World:
    return World()


# --- heartbeat and loss ------------------------------------------------------------------------------------


def test_heartbeat_keeps_the_lock_from_waiters(world: World) -> None:
    """As long as the heartbeat runs, nobody takes the lock over, and `check` is content."""
    kept = world.threaded_keeper().acquire(KEY, command="data gc")
    world.clock.wait_for_sleepers(1)
    with pytest.raises(LockTimeout):
        world.keeper().acquire(KEY, command="data put", wait_seconds=300)
    kept.check()
    assert kept.release()


def test_heartbeat_ends_with_the_release(world: World) -> None:
    """No heartbeat writes after the release, however the two meet."""
    kept = world.threaded_keeper().acquire(KEY, command="data gc")
    world.clock.wait_for_sleepers(1)
    assert kept.release()
    world.clock.advance(100)
    assert kept.beat()
    assert world.store.inspect(KEY) is None
    with pytest.raises(LeaseLost, match="given back already"):
        kept.check()


@pytest.mark.parametrize("step", [86_400.0, -86_400.0])
def test_clock_step_of_a_day_loses_nothing(world: World, step: float) -> None:
    """The wall clock may step a day either way: holders keep their locks, and waiters take nothing over."""
    kept = world.threaded_keeper().acquire(KEY, command="data gc")
    world.clock.wait_for_sleepers(1)
    world.clock.step_wall(step)
    with pytest.raises(LockTimeout):
        world.keeper().acquire(KEY, command="data put", wait_seconds=45)
    world.clock.step_wall(-2 * step)
    with pytest.raises(LockTimeout):
        world.keeper().acquire(KEY, command="data put", wait_seconds=45)
    kept.check()
    assert kept.release()


@pytest.mark.parametrize("step", [86_400.0, -86_400.0])
def test_dead_holders_lock_heals_whatever_the_wall_clock_says(world: World, step: float) -> None:
    """A lock that nobody renews is taken over after one TTL of watching, also when the clocks disagree by a day."""
    close(world.lock_elsewhere())
    world.clock.step_wall(step)
    before = world.clock.uptime()
    with world.keeper().acquire(KEY, command="data gc"):
        assert 30 <= world.clock.uptime() - before < 31


def test_suspended_holder_is_lost_when_it_wakes(world: World) -> None:
    """Closing the lid for longer than the TTL stops the work at its next write."""
    kept = world.keeper().acquire(KEY, command="datastore sync")
    world.clock.suspend(3_600)
    with pytest.raises(LeaseLost) as caught:
        kept.check()
    assert caught.value.exit_status == 75
    assert caught.value.key == KEY
    assert kept.release()
    assert world.store.inspect(KEY) is None


def test_heartbeat_that_finds_the_lock_untouched_goes_on(world: World) -> None:
    """After a long sleep nobody may have taken the lock: the heartbeat renews it, and the work survives."""
    kept = world.threaded_keeper().acquire(KEY, command="datastore sync")
    world.clock.wait_for_sleepers(1)
    world.clock.suspend(3_600)
    world.clock.advance(10)
    kept.check()
    assert kept.release()


def test_stopped_holder_is_lost_after_its_successor_came(world: World) -> None:
    """A holder that was stopped for longer than the TTL, and then goes on, neither writes nor releases."""
    stopped = world.keeper().acquire(KEY, command="data gc")
    successor = world.keeper().acquire(KEY, command="data prune")
    assert world.clock.uptime() >= 30
    with pytest.raises(LeaseLost):
        stopped.beat()
    with pytest.raises(LeaseLost):
        stopped.check()
    assert not stopped.release()
    successor.check()
    assert successor.release()


def test_takeover_is_noticed_before_the_next_write(world: World) -> None:
    """`check` compares the nonce on the disk, heartbeat or not."""
    kept = world.keeper().acquire(KEY, command="data gc")
    kept.check()
    world.disk.unlink(KEY)
    close(world.bench.take(world.store, KEY))
    with pytest.raises(LeaseLost, match="taken over"):
        kept.check()
    assert kept.is_lost
    kept.release()


def test_store_that_does_not_answer_is_no_loss_yet(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat that fails is tried again, sooner; only silence up to the limit is a loss."""
    kept = world.threaded_keeper().acquire(KEY, command="data gc")
    tries: list[float] = []

    def renew(*_arguments: object) -> Lease:
        tries.append(world.clock.uptime())
        raise Unavailable("no answer")

    monkeypatch.setattr(world.store, "renew", renew)
    world.clock.wait_for_sleepers(1)
    world.clock.advance(14)
    assert [round(t - 1_000) for t in tries] == [10, 12, 14]
    kept.check()
    monkeypatch.undo()
    world.clock.advance(2)
    kept.check()
    world.clock.advance(100)
    kept.check()
    assert kept.release()


def test_release_that_fails_is_not_the_works_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is done; a lock that cannot be given back expires by itself."""
    kept = world.keeper().acquire(KEY, command="data gc")
    file = kept._lease.file
    assert file is not None

    def fail(*_arguments: object, **_named: object) -> bool:
        raise Unavailable("no answer")

    monkeypatch.setattr(world.store, "release", fail)
    assert not kept.release()
    file.close()


# --- waiting ---------------------------------------------------------------------------------------------


def test_timeout_reads_like_swamps(world: World) -> None:
    """Key, holder, pid and time as swamp words it; the hint has age, command and the way out."""
    world.bench.timing = LockTiming(wait_seconds=2.002)
    close(world.lock_elsewhere())
    with pytest.raises(LockTimeout) as caught:
        world.keeper().acquire(KEY, command="data put")
    assert str(caught.value) == f'Lock "{KEY}" held by ana@build-8 (pid 3940) — timed out after 2002ms'
    assert caught.value.exit_status == 75
    assert caught.value.code == "lock_timeout"
    hint = caught.value.hint or ""
    assert "acquired 2002ms ago" in hint
    assert "data gc" in hint
    assert hint.endswith(f"swamp datastore lock release --force --key {KEY}")


def test_waiter_is_told_once_whom_it_waits_for(world: World) -> None:
    """One line for each lock, before the first pause, however often it is looked at."""
    close(world.lock_elsewhere())
    with world.keeper().acquire(KEY, command="data put"):
        pass
    (wait,) = world.bench.waits
    assert str(wait) == f'waiting for lock "{KEY}" held by "ana@build-8" (pid 3940, data gc, acquired 0ms ago)'
    assert wait.record is not None


def test_free_lock_tells_nobody(world: World) -> None:
    """Who does not wait is not told about waiting."""
    with world.keeper().acquire(KEY, command="data put"):
        pass
    assert world.bench.waits == []
    assert world.clock.slept == []


def test_no_wait_is_one_try(world: World) -> None:
    """With nothing to wait, a held lock is an error at once, without a pause or a line."""
    close(world.lock_elsewhere())
    with pytest.raises(LockHeld):
        world.keeper().acquire(KEY, command="data put", wait_seconds=0)
    assert world.clock.slept == []
    assert world.bench.waits == []


def test_deadline_holds_when_a_stale_lock_cannot_be_removed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A takeover that fails every time does not keep us for ever: the deadline comes first in every round."""
    close(world.lock_elsewhere())
    monkeypatch.setattr(world.store, "take_over", lambda *_arguments: None)
    before = world.clock.uptime()
    with pytest.raises(LockTimeout):
        world.keeper().acquire(KEY, command="data put", wait_seconds=60)
    assert 60 <= world.clock.uptime() - before < 60.3


def test_pauses_grow_and_are_spread(world: World) -> None:
    """Each pause is up to twice the one before, with jitter, up to the longest; the last ends at the deadline."""
    close(world.lock_elsewhere())
    with pytest.raises(LockTimeout):
        world.keeper().acquire(KEY, command="data put", wait_seconds=10)
    pauses = world.clock.slept
    assert 0.0075 <= pauses[0] <= 0.0125
    assert 0.015 <= pauses[1] <= 0.025
    assert max(pauses) <= 0.25
    assert sum(pauses) == pytest.approx(10)
    assert len(set(pauses)) > len(pauses) / 2


def test_pauses_stay_short_while_the_lock_moves_on(world: World) -> None:
    """Where holders come and go quickly, waiters keep close."""
    waiting = world.keeper().make_waiting()
    for _ in range(20):
        lease = world.bench.take(world.store, KEY)
        sight = world.store.inspect(KEY)
        assert sight is not None
        waiting.pause(sight)
        assert world.store.release(lease, is_valid=True)
    assert max(world.clock.slept) <= 0.0125


@pytest.mark.parametrize(("filesystem", "is_glanced_at"), [("ext4", True), ("nfs4", False)])
def test_most_looks_at_a_lock_on_a_local_disk_are_glances(
    world: World, monkeypatch: pytest.MonkeyPatch, filesystem: str, *, is_glanced_at: bool
) -> None:
    """A waiter reads the lock about ten times a second; on a network's disk it looks as often as it tries, no more."""
    monkeypatch.setattr(world.disk, "filesystem_type", lambda _path: filesystem)
    close(world.lock_elsewhere())
    looks: list[float] = []
    inspect = world.store.inspect

    def watch(key: str) -> Sight | None:
        looks.append(world.clock.uptime())
        return inspect(key)

    monkeypatch.setattr(world.store, "inspect", watch)
    with pytest.raises(LockTimeout):
        world.keeper().acquire(KEY, command="data put", wait_seconds=1)
    pauses = len(world.clock.slept)
    assert (len(looks) < pauses) == is_glanced_at
    assert max(later - earlier for earlier, later in itertools.pairwise(looks)) <= 0.4
    assert world.clock.slept[0] <= (0.00625 if is_glanced_at else 0.0125)


def test_lock_that_moves_on_is_followed_by_glances(world: World) -> None:
    """While holders come and go, a waiter stays close without reading whose the lock is."""
    close(world.lock_elsewhere())
    waiting = world.keeper().make_waiting()
    sight = world.store.inspect(KEY)
    assert sight is not None
    hands = iter([1, 1, 2, 3, 3, 4, 5, 5, 5, None])
    waiting.pause(sight, glance=lambda _key: next(hands))
    assert len(world.clock.slept) == 9
    assert max(world.clock.slept[:7]) <= 0.0125
    assert max(world.clock.slept) <= 0.025


def test_lock_that_becomes_free_is_tried_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first glance that finds nothing ends the pause."""
    monkeypatch.setattr(world.disk, "filesystem_type", lambda _path: "ext4")
    lease = world.lock_elsewhere()
    waiting = world.keeper().make_waiting()
    sight = world.store.inspect(KEY)
    assert sight is not None
    assert world.store.glance(KEY) is not None
    assert world.store.release(lease, is_valid=True)
    assert world.store.glance(KEY) is None
    waiting.pause(sight, glance=world.store.glance)
    assert len(world.clock.slept) == 1


def test_one_allowance_serves_several_locks(world: World) -> None:
    """Who needs many locks waits for all of them together no longer than for one."""
    keeper = world.keeper()
    close(world.lock_elsewhere())
    waiting = keeper.make_waiting(20)
    world.clock.advance(15)
    before = world.clock.uptime()
    with pytest.raises(LockTimeout):
        keeper.acquire(KEY, command="data put", waiting=waiting)
    assert world.clock.uptime() - before == pytest.approx(5)


@pytest.mark.parametrize(
    ("key", "pasted"),
    [
        (".locks/infra.lock", ".locks/infra.lock"),
        ("/base/.datastore.lock", "/base/.datastore.lock"),
        ("/my base/infra/data/@a/b/1/.lock", "'/my base/infra/data/@a/b/1/.lock'"),
    ],
)
def test_hint_names_the_command_that_breaks_the_lock(key: str, pasted: str) -> None:
    """The command can be pasted, whatever the lock guards and wherever it lies."""
    assert release_command(key) == f"swamp datastore lock release --force --key {pasted}"


def test_torn_lock_is_described_without_a_holder(world: World) -> None:
    """Nobody can be named, and the line says what will happen."""
    assert "heals" in describe_holder(None, None)
    assert str(LockWait(KEY, None, None)).startswith(f'waiting for lock "{KEY}" held by nobody')
    assert find_age(None, world.clock.now()) is None


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-01T00:00:00"])
def test_age_of_nonsense_is_unknown(world: World, text: str) -> None:
    """A time that cannot be read is no time; one in the future is no negative age."""
    record = LockRecord("h", "h", 1, text, 1, "n")
    assert find_age(record, world.clock.now()) is None
    assert find_age(replace(record, acquired_at="2099-01-01T00:00:00.000Z"), world.clock.now()) == 0


# --- nesting ---------------------------------------------------------------------------------------------


def test_same_thread_taking_a_lock_twice_is_an_error_at_once(world: World) -> None:
    """Who holds a lock would wait for itself."""
    keeper = world.keeper()
    with keeper.acquire(KEY, command="data put"):
        before = world.clock.uptime()
        with pytest.raises(LockHeld, match="wait for itself"):
            keeper.acquire(KEY, command="data put")
        assert world.clock.uptime() == before
    with keeper.acquire(KEY, command="data put"):
        pass


def test_two_threads_of_one_process_wait_for_each_other() -> None:
    """Threads are as different as processes: both get the lock, one after the other."""
    keeper = World(StillClock()).keeper()
    inside: list[int] = []

    def work(number: int) -> None:
        with keeper.acquire(KEY, command="data put"):
            inside.append(number)
            assert inside == [number]
            inside.clear()

    assert race(8, work, spawner=spawn_daemon) == [None] * 8
    assert keeper.leases() == ()


def test_child_that_wants_its_parents_lock_is_told_at_once(world: World) -> None:
    """The parent waits for the child: neither would ever go on."""
    parent = world.keeper().acquire(KEY, command="exec")
    child = LeaseKeeper(world.store, world.bench.parts(parent=ParentHolder(4711, frozenset({parent.nonce}))))
    before = world.clock.uptime()
    with pytest.raises(LockHeld, match="the command that started this one"):
        child.acquire(KEY, command="data put")
    assert world.clock.uptime() == before
    assert parent.release()


def test_exception_in_the_block_releases(world: World) -> None:
    """Every way out of the block gives the lock back."""
    for error in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error), world.keeper().acquire(KEY, command="data put"):
            raise error
        assert world.store.inspect(KEY) is None


# --- timing ----------------------------------------------------------------------------------------------


def test_loss_is_declared_one_and_a_half_heartbeats_early() -> None:
    """With the defaults: 15 s of silence, half of the TTL."""
    assert LockTiming().lost_after_seconds == 15


@pytest.mark.parametrize("heartbeat", [0.0, -1.0, 12.0, 30.0])
def test_heartbeat_must_fit_the_ttl(heartbeat: float) -> None:
    """A holder that would lose its lease between two heartbeats is refused."""
    with pytest.raises(InvalidInput):
        LockTiming(ttl_seconds=30, heartbeat_seconds=heartbeat)


def test_wait_below_the_ttl_is_worth_a_warning() -> None:
    """A crashed holder elsewhere cannot be outwaited then; not waiting at all is a choice."""
    assert "shorter than their TTL" in (LockTiming(wait_seconds=2).find_wait_problem() or "")
    assert LockTiming().find_wait_problem() is None
    assert LockTiming(wait_seconds=0).find_wait_problem() is None


def test_waiting_measures_from_its_start(world: World) -> None:
    """Nothing is over before anything was tried."""
    waiting = Waiting(world.clock, rng=random.Random(0), timing=LockTiming(), wait_seconds=0)
    waiting.check_deadline(None)


def test_signal_handler_may_release_in_the_middle_of_a_release(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that gives the lock back does not wait for the very code that it has interrupted."""
    keeper = world.keeper()
    kept = keeper.acquire(KEY, command="data put")
    release = world.store.release

    def interrupted(lease: Lease, *, is_valid: bool) -> bool:
        assert not kept.release()
        return release(lease, is_valid=is_valid)

    monkeypatch.setattr(world.store, "release", interrupted)
    assert kept.release()
    assert world.store.inspect(KEY) is None
