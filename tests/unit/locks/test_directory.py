from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from swampsync.clock import format_timestamp
from swampsync.disk import Disk, LocalDisk, WriteMode
from swampsync.errors import LeaseLost
from swampsync.locks.directory import DirectoryLeaseStore
from swampsync.locks.lease import Lease, Sight, TornRecord, parse_record
from swampsync.testing.lease_bench import LeaseBench, close
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.memory_disk import MemoryDisk, PowerFailure
from tests.unit.locks.disks import ForgetfulDisk, HookedDisk, LinklessDisk

DIRECTORY = "/shared/.locks"
KEY = f"{DIRECTORY}/infra.lock"


class World:
    """A shared directory and processes that lock in it."""

    def __init__(self, make_disk: type[MemoryDisk] = MemoryDisk) -> None:
        self.clock = ManualClock()
        self.disk = make_disk(self.clock)
        self.bench = LeaseBench(self.clock)

    def store(self) -> DirectoryLeaseStore:
        """Make the store of one more process."""
        return DirectoryLeaseStore(
            self.disk,
            clock=self.clock,
            new_id=self.bench.new_id,
            holder=self.bench.processes.start(9_000 + len(self.bench.processes.starts)),
            processes=self.bench.processes,
        )

    def names(self) -> set[str]:
        """What lies in the directory of the locks."""
        return {entry.name for entry in self.disk.scandir(DIRECTORY)}

    def sight(self) -> Sight:
        """Look at the lock."""
        sight = self.store().inspect(KEY)
        assert sight is not None
        return sight

    def stale_lock(self) -> Sight:
        """Leave the lock of a holder that will never come back."""
        close(self.bench.take(self.store(), KEY))
        return self.sight()


def write(disk: Disk, path: str, body: bytes = b"") -> None:
    with disk.open_write(path, WriteMode.TRUNCATE) as file:
        file.write(body)


@pytest.fixture
def world() -> World:
    return World()


def test_heartbeat_rewrites_only_the_time(world: World) -> None:
    """The file keeps its inode, its length and every other byte; swamp reads it whole at any moment."""
    store = world.store()
    lease = world.bench.take(store, KEY)
    before, inode = world.disk.read_bytes(KEY), world.disk.stat(KEY).inode
    world.clock.advance(10)
    store.renew(lease, format_timestamp(world.clock.now()))
    after = world.disk.read_bytes(KEY)
    assert world.disk.stat(KEY).inode == inode
    assert len(after) == len(before)
    changed = {k for k, v in json.loads(after).items() if json.loads(before)[k] != v}
    assert changed == {"acquiredAt"}
    close(lease)


def test_heartbeat_to_a_file_that_was_replaced_is_lost(world: World) -> None:
    """Somebody who copies a tree and moves it into place has taken our lock with it."""
    store = world.store()
    lease = world.bench.take(store, KEY)
    write(world.disk, f"{KEY}.copy", world.disk.read_bytes(KEY))
    world.disk.rename(f"{KEY}.copy", KEY)
    with pytest.raises(LeaseLost):
        store.renew(lease, format_timestamp(world.clock.now()))
    close(lease)


@pytest.mark.parametrize("step", ["write_at", "read_bytes"])
def test_stale_handle_is_a_loss_and_any_other_error_is_not(
    world: World, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network file system says ESTALE for a file that somebody has removed; a broken wire is no loss yet."""
    store = world.store()
    lease = world.bench.take(store, KEY)
    number = errno.ESTALE

    def fail(*_arguments: object) -> bytes:
        raise OSError(number, "failed", KEY)

    monkeypatch.setattr(lease.file if step == "write_at" else world.disk, step, fail)
    with pytest.raises(LeaseLost):
        store.renew(lease, format_timestamp(world.clock.now()))
    number = errno.EIO
    with pytest.raises(OSError, match="failed"):
        store.renew(lease, format_timestamp(world.clock.now()))
    close(lease)


def test_lock_directory_appears_with_the_first_lock(tmp_path: Path) -> None:
    """Looking at a lock, or for one, creates nothing."""
    clock = ManualClock()
    bench = LeaseBench(clock)
    store = DirectoryLeaseStore(LocalDisk(), clock=clock, new_id=bench.new_id)
    key = str(tmp_path / ".locks" / "infra.lock")
    assert store.inspect(key) is None
    assert not (tmp_path / ".locks").exists()
    assert store.release(bench.take(store, key), is_valid=True)
    assert (tmp_path / ".locks").is_dir()


def test_link_at_the_locks_path_is_torn(world: World) -> None:
    """A symbolic link is no lock of anybody's, wherever it leads; it blocks, and it can be removed."""
    world.disk.makedirs(DIRECTORY)
    world.disk.symlink("/nowhere", KEY)
    found = world.store().try_acquire(KEY, world.bench.record())
    assert isinstance(found, Sight)
    assert isinstance(found.record, TornRecord)
    assert world.store().remove(found)
    assert world.names() == set()


def test_lock_that_flickers_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that others take and give back as often as we look is held by somebody, and that is all we know."""
    store = world.store()
    monkeypatch.setattr(store, "_create", lambda key, record: None)
    found = store.try_acquire(KEY, world.bench.record())
    assert isinstance(found, Sight)
    assert isinstance(found.record, TornRecord)


@pytest.mark.parametrize("make_disk", [MemoryDisk, LinklessDisk, ForgetfulDisk])
def test_whole_life_of_a_lock_on_odd_file_systems(make_disk: type[MemoryDisk]) -> None:
    """Without hard links, and where answers are lost, a lock is taken, renewed, taken over and given back."""
    world = World(make_disk)
    store = world.store()
    lease = store.renew(world.bench.take(store, KEY), format_timestamp(world.clock.now()))
    other = world.store()
    successor = other.take_over(world.sight(), world.bench.record())
    assert successor is not None
    with pytest.raises(LeaseLost):
        store.verify(lease)
    assert not store.release(lease, is_valid=True)
    assert other.release(successor, is_valid=True)
    assert world.names() == set()


# --- the claim -----------------------------------------------------------------------------------------


def test_claim_of_a_live_process_keeps_others_away(world: World) -> None:
    """While one process takes a stale lock over, no other may touch it."""
    judged = world.stale_lock()
    store = world.store()
    claim = f"{DIRECTORY}/.takeover-{judged.nonce}-1"
    write(world.disk, claim)
    assert store.take_over(judged, world.bench.record()) is None
    world.clock.advance(29)
    assert store.take_over(judged, world.bench.record()) is None
    assert world.sight().nonce == judged.nonce


def test_claim_that_does_not_end_is_passed(world: World) -> None:
    """A claim that was watched for a whole TTL is its owner's no longer; all claims are cleared away then."""
    judged = world.stale_lock()
    store = world.store()
    write(world.disk, f"{DIRECTORY}/.takeover-{judged.nonce}-1")
    assert store.take_over(judged, world.bench.record()) is None
    world.clock.advance(30)
    lease = store.take_over(judged, world.bench.record())
    assert lease is not None
    assert world.names() == {"infra.lock"}
    close(lease)


def test_claim_of_a_dead_process_is_passed_at_once(world: World) -> None:
    """A claim says whose it is: nobody waits for a claimant that ran here and is gone."""
    judged = world.stale_lock()
    dead = world.bench.processes.start(99)
    record = world.bench.record(dead)
    write(world.disk, f"{DIRECTORY}/.takeover-{judged.nonce}-1", record.format())
    assert world.store().take_over(judged, world.bench.record()) is None
    world.bench.processes.kill(dead)
    lease = world.store().take_over(judged, world.bench.record())
    assert lease is not None
    close(lease)


def test_slow_claimant_puts_back_what_it_did_not_judge() -> None:
    """A claimant that was passed, and then moves its successor's lock aside, brings it back untouched."""
    world = World(HookedDisk)
    assert isinstance(world.disk, HookedDisk)
    judged = world.stale_lock()
    successors: list[Lease] = []

    def be_passed(_source: str) -> None:
        lease = world.bench.take_over(world.store(), judged)
        successors.append(lease)

    # Between the slow one's look and its rename, another process passes the claim and takes the lock.
    def pass_claim(source: str) -> None:
        world.disk.unlink(f"{DIRECTORY}/.takeover-{judged.nonce}-1")
        be_passed(source)

    world.disk.before_rename = pass_claim
    assert world.store().take_over(judged, world.bench.record()) is None
    (successor,) = successors
    assert world.sight().nonce == successor.nonce
    world.store().verify(successor)
    assert world.names() == {"infra.lock"}
    close(successor)


def test_newcomer_keeps_the_lock_while_another_one_is_put_back() -> None:
    """If the name was taken while a lock was aside, the newcomer has it, and the disturbed holder notices."""
    world = World(HookedDisk)
    assert isinstance(world.disk, HookedDisk)
    judged = world.stale_lock()
    held: list[Lease] = []

    def pass_claim(_source: str) -> None:
        world.disk.unlink(f"{DIRECTORY}/.takeover-{judged.nonce}-1")
        held.append(world.bench.take_over(world.store(), judged))

    def come_new(_target: str) -> None:
        held.append(world.bench.take(world.store(), KEY))

    world.disk.before_rename = pass_claim
    # The hook after the first rename belongs to the passer's own takeover; the slow one's comes second.
    renames = 0
    rename = world.disk.rename

    def count(source: str, target: str) -> None:
        nonlocal renames
        rename(source, target)
        renames += 1
        if renames == 2:
            come_new(target)

    world.disk.rename = count  # type: ignore[method-assign]
    assert world.store().take_over(judged, world.bench.record()) is None
    disturbed, newcomer = held
    assert world.sight().nonce == newcomer.nonce
    with pytest.raises(LeaseLost):
        world.store().verify(disturbed)
    world.store().verify(newcomer)
    close(*held)


def test_claimant_that_was_stopped_gives_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claimant that stood still for half a TTL does not touch the lock: it may have been passed."""
    judged = world.stale_lock()
    store = world.store()
    read_bytes = world.disk.read_bytes

    def stop(path: str) -> bytes:
        world.clock.suspend(16)
        return read_bytes(path)

    monkeypatch.setattr(world.disk, "read_bytes", stop)
    assert store.take_over(judged, world.bench.record()) is None
    monkeypatch.undo()
    assert world.sight().nonce == judged.nonce


def test_leftovers_are_swept_after_a_day(world: World) -> None:
    """What dead processes left is removed a day later, by the file system's own clock; locks stay."""
    lease = world.bench.take(world.store(), KEY)
    for name in (".acquire-x", ".takeover-x-1", ".stale-x-y"):
        write(world.disk, f"{DIRECTORY}/{name}")
    assert world.store().sweep(DIRECTORY) == 0
    world.clock.advance(86_401)
    write(world.disk, f"{DIRECTORY}/.acquire-young")
    assert world.store().sweep(DIRECTORY) == 3
    assert world.names() == {"infra.lock", ".acquire-young"}
    close(lease)


# --- crashes and interruptions at every operation ---------------------------------------------------------


@pytest.mark.holds("I11")
def test_process_that_dies_at_any_operation_blocks_nobody() -> None:
    """Killed anywhere between taking and giving back, or in a takeover, a process leaves a lock that heals."""
    points = 0
    for is_takeover in (False, True):
        for operations in range(1_000):
            world = World()
            judged = world.stale_lock() if is_takeover else None
            holder = world.bench.processes.start(500)
            store = DirectoryLeaseStore(
                world.disk,
                clock=world.clock,
                new_id=world.bench.new_id,
                holder=holder,
                processes=world.bench.processes,
            )
            world.disk.power_off_after(operations)
            try:
                if judged is not None:
                    store.take_over(judged, world.bench.record(holder))
                else:
                    store.release(world.bench.take(store, KEY, holder), is_valid=True)
                is_done = True
            except PowerFailure:
                is_done = False
            world.disk._machine.operations_left = None
            world.bench.processes.kill(holder)
            points += not is_done
            with world.bench.keeper(world.store()).acquire(KEY, command="data gc", wait_seconds=31):
                pass
            if is_done:
                break
    assert points > 20


@pytest.mark.holds("I11")
def test_interruption_at_any_operation_leaves_no_lock() -> None:
    """Ctrl-C anywhere in an acquisition leaves nothing behind that anybody would have to wait for."""
    for operations in range(1_000):
        world = World()
        keeper = world.bench.keeper(world.store())
        tick = world.disk._machine.tick
        left = operations

        def interrupt(tick: object = tick) -> None:
            nonlocal left
            left -= 1
            if left == -1:
                raise KeyboardInterrupt
            tick()  # type: ignore[operator]

        world.disk._machine.tick = interrupt  # type: ignore[method-assign]
        try:
            keeper.acquire(KEY, command="data gc").release()
        except KeyboardInterrupt:
            assert world.store().inspect(KEY) is None
            assert keeper.leases() == ()
        else:
            assert operations > 5
            return
    pytest.fail("it never ended")


def test_swamp_reads_our_file(world: World) -> None:
    """The first six keys are swamp's, in its order, and the rest it ignores."""
    close(world.bench.take(world.store(), KEY))
    body = world.disk.read_bytes(KEY)
    assert list(json.loads(body))[:6] == ["holder", "hostname", "pid", "acquiredAt", "ttlMs", "nonce"]
    assert not body.endswith(b"\n")
    assert parse_record(body) == world.sight().record
