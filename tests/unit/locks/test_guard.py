from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from swampsync.backends.memory import MemoryStore
from swampsync.clock import Thread, spawn_daemon
from swampsync.disk import DiskEntry, LocalDisk
from swampsync.errors import LeaseLost, LockHeld, LockTimeout
from swampsync.layout import Layout
from swampsync.locks.bucket_guard import BucketGuard
from swampsync.locks.directory_guard import DirectoryGuard
from swampsync.locks.guard import LockGuard
from swampsync.locks.parent import NO_PARENT, NONCE_VARIABLE, PID_VARIABLE, ParentHolder
from swampsync.locks.status import HOLDER_CHANGED, NOTHING_HELD
from swampsync.locks.timing import LockTiming
from swampsync.maintenance.racing import race
from swampsync.namespace import SOLO, Namespace
from swampsync.testing.lease_bench import LeaseBench, StillClock
from swampsync.testing.manual_clock import ManualClock
from swampsync.testing.swapless import Swapless
from tests.unit.locks.swamp_file_lock import SwampRepo
from tests.unit.locks.test_object_store import WeakStore

MODEL = ("@a/b", "683cc951-709e-43d0-afee-c4859dba39a6")
OTHER = ("command/shell", "11111111-709e-43d0-afee-c4859dba39a6")
INFRA, TEAM = Namespace.parse("infra"), Namespace.parse("team")


class CountingDisk(LocalDisk):
    """Remembers which directories were read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def scandir(self, path: str) -> list[DiskEntry]:
        self.read.append(path)
        return super().scandir(path)


class World:
    """One shared directory, one host, several processes."""

    def __init__(self, base: Path, clock: ManualClock | None = None) -> None:
        self.base = base
        self.clock = clock or ManualClock()
        self.bench = LeaseBench(self.clock)
        self.disk = CountingDisk()

    def layout(self, namespace: Namespace) -> Layout:
        return Layout(str(self.base.parent / "repo"), str(self.base), namespace)

    def guard(self, namespace: Namespace = INFRA, *, parent: ParentHolder = NO_PARENT) -> DirectoryGuard:
        return DirectoryGuard(self.layout(namespace), self.disk, self.bench.parts(parent=parent))

    def swamp(self, namespace: Namespace = INFRA) -> SwampRepo:
        holder = self.bench.processes.start(3_000)
        return SwampRepo(self.layout(namespace), self.clock, self.bench.processes, pid=holder.pid)

    def locks(self) -> list[str]:
        return sorted(str(path.relative_to(self.base)) for path in self.base.rglob("*.lock"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    base = tmp_path / "shared"
    base.mkdir()
    return World(base)


NAMESPACES = pytest.mark.parametrize("namespace", [SOLO, INFRA], ids=["solo", "namespaced"])


# --- where locks lie -------------------------------------------------------------------------------------


def test_namespaced_locks_lie_where_swamp_has_them(world: World) -> None:
    """The structural lock in `.locks`, a model's in its directory below the namespace."""
    guard = world.guard()
    with guard.model_lock([MODEL], command="data put"):
        assert world.locks() == [f"infra/data/{MODEL[0]}/{MODEL[1]}/.lock"]
    with guard.structural_lock(command="data gc"):
        assert world.locks() == [".locks/infra.lock"]
    assert world.locks() == []


@pytest.mark.holds("I9")
def test_solo_locks_lie_where_swamp_has_them(world: World) -> None:
    """At the root, and there is never a `.locks`."""
    guard = world.guard(SOLO)
    with guard.model_lock([MODEL], command="data put"):
        assert world.locks() == [f"data/{MODEL[0]}/{MODEL[1]}/.lock"]
    with guard.structural_lock(command="data gc"):
        assert world.locks() == [".datastore.lock"]
    assert not (world.base / ".locks").exists()


@pytest.mark.holds("I8")
def test_looking_at_locks_creates_nothing(world: World) -> None:
    """`lock status` and `lock release` on a fresh datastore leave it empty."""
    for namespace in (SOLO, INFRA):
        guard = world.guard(namespace)
        assert guard.status() == []
        assert guard.release().reason == NOTHING_HELD
        assert guard.release(MODEL).reason == NOTHING_HELD
    assert list(world.base.iterdir()) == []


@pytest.mark.holds("I4")
def test_locks_of_one_namespace_touch_no_other(world: World) -> None:
    """Every file that is made lies in the namespace, or is its lock."""
    with world.guard().structural_lock(command="data gc"):
        pass
    with world.guard().model_lock([MODEL], command="data put"), world.guard().definition_lock("x", command="data put"):
        tops = {path.name for path in world.base.iterdir()}
    assert tops == {".locks", "infra"}


# --- who waits for whom ----------------------------------------------------------------------------------


def test_two_writers_of_one_model_wait(world: World) -> None:
    """The second is refused while the first writes."""
    with (
        world.guard().model_lock([MODEL], command="data put"),
        pytest.raises(LockHeld),
        world.guard().model_lock([MODEL], command="data put", wait_seconds=0),
    ):
        pass


def test_writers_of_two_models_do_not_wait(world: World) -> None:
    """A model's lock is only the model's."""
    with (
        world.guard().model_lock([MODEL], command="data put"),
        world.guard().model_lock([OTHER], command="data put", wait_seconds=0),
    ):
        assert len(world.locks()) == 2
    assert world.clock.slept == []


@NAMESPACES
def test_writer_waits_for_a_structural_command(world: World, namespace: Namespace) -> None:
    """Nobody writes while the namespace is being cleaned."""
    with (
        world.guard(namespace).structural_lock(command="data gc"),
        pytest.raises(LockHeld),
        world.guard(namespace).model_lock([MODEL], command="data put", wait_seconds=0),
    ):
        pass
    assert world.locks() == []


@NAMESPACES
def test_structural_command_waits_for_a_writer(world: World, namespace: Namespace) -> None:
    """Nobody cleans while somebody writes, also where the model's type is nested and scoped."""
    with (
        world.guard(namespace).model_lock([MODEL], command="data put"),
        pytest.raises(LockHeld) as caught,
        world.guard(namespace).structural_lock(command="data gc", wait_seconds=0),
    ):
        pass
    lock = world.layout(namespace).lock_path(world.layout(namespace).model_lock_key(*MODEL))
    assert (caught.value.hint or "").endswith(f"swamp datastore lock release --force --key {lock}")


def test_two_structural_commands_wait(world: World) -> None:
    """Only one has the namespace."""
    with (
        world.guard().structural_lock(command="data gc"),
        pytest.raises(LockHeld),
        world.guard().structural_lock(command="data prune", wait_seconds=0),
    ):
        pass


def test_two_namespaces_never_wait_for_each_other(world: World) -> None:
    """Structural commands and writers of different namespaces, and of none, run side by side."""
    with (
        world.guard(INFRA).structural_lock(command="data gc"),
        world.guard(TEAM).structural_lock(command="data gc", wait_seconds=0),
        world.guard(SOLO).structural_lock(command="data gc", wait_seconds=0),
    ):
        pass
    with (
        world.guard(INFRA).model_lock([MODEL], command="data put"),
        world.guard(TEAM).structural_lock(command="data gc", wait_seconds=0),
        world.guard(SOLO).structural_lock(command="data gc", wait_seconds=0),
    ):
        pass
    assert world.clock.slept == []


def test_writer_that_meets_a_structural_command_gives_its_lock_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its two looks a structural command came: the writer steps back, waits, and goes on afterwards."""
    guard = world.guard()
    structural = world.guard()
    inside: list[str] = []
    stack: Iterator[object] | None = None
    take = guard._keeper.acquire

    def come_between(*arguments: object, **named: object) -> object:
        nonlocal stack
        kept = take(*arguments, **named)  # type: ignore[arg-type]
        if stack is None:
            # It takes its lock without the first drain, as a command does that drained a moment earlier.
            lease = structural._keeper.acquire(structural._structural_path(), command="data gc")
            stack = iter([lease])
            inside.append("structural")
        return kept

    monkeypatch.setattr(guard._keeper, "acquire", come_between)
    sleep = world.clock.sleep

    def finish(seconds: float) -> None:
        nonlocal stack
        assert world.locks() == [".locks/infra.lock"], "the writer has given its lock back"
        assert stack is not None
        for lease in stack:
            lease.release()  # type: ignore[attr-defined]
        sleep(seconds)

    monkeypatch.setattr(world.clock, "sleep", finish)
    with guard.model_lock([MODEL], command="data put") as held:
        held.check()
        inside.append("writer")
    assert inside == ["structural", "writer"]


def test_second_drain_sees_a_writer_that_came_between(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that passed its second look before the structural lock was taken is waited for."""
    guard, writer = world.guard(), world.guard()
    take = guard._keeper.acquire
    key = writer._model_path(MODEL)

    def come_between(*arguments: object, **named: object) -> object:
        writer._keeper.acquire(key, command="data put")
        return take(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(guard._keeper, "acquire", come_between)
    with pytest.raises(LockTimeout) as caught, guard.structural_lock(command="data gc", wait_seconds=5):
        pytest.fail("it went in beside a writer")
    assert caught.value.key == key
    assert world.locks() == [str(Path(key).relative_to(world.base))], "the structural lock was given back"
    for lease in writer.leases():
        assert lease.release()


def test_dead_writer_does_not_stop_a_structural_command(world: World) -> None:
    """The drain removes the lock of a process that is gone, and does not step around it."""
    dead = world.guard()
    dead._keeper.acquire(dead._model_path(MODEL), command="data put")
    world.bench.processes.kill(dead._parts.holder)
    with world.guard().structural_lock(command="data gc", wait_seconds=0):
        assert world.locks() == [".locks/infra.lock"]
    assert [lease.release() for lease in dead.leases()] == [False]


@pytest.mark.parametrize("body", [b"", b'{"holder'])
def test_torn_locks_heal_for_writers_and_structural_commands(world: World, body: bytes) -> None:
    """An empty or cut lock file, of a model or structural, costs one TTL and nobody's help."""
    for path in (world.base / ".locks/infra.lock", world.base / "infra/data" / MODEL[0] / MODEL[1] / ".lock"):
        for is_structural in (True, False):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            before = world.clock.uptime()
            guard = world.guard()
            lock = (
                guard.structural_lock(command="data gc")
                if is_structural
                else guard.model_lock([MODEL], command="data put")
            )
            with lock:
                assert 30 <= world.clock.uptime() - before < 32
            assert world.locks() == []


def test_live_lock_of_another_host_is_respected(world: World) -> None:
    """A fresh lock of another host, whose pid does not exist here and whose TTL is long, is waited for."""
    path = world.base / ".locks/infra.lock"
    path.parent.mkdir()
    path.write_text(
        '{"holder": "me@otherhost", "hostname": "otherhost", "pid": 999999, '
        '"acquiredAt": "2020-01-01T00:00:00.000Z", "ttlMs": 600000, "nonce": "abc"}'
    )
    for action in (
        world.guard().structural_lock(command="data gc"),
        world.guard().model_lock([MODEL], command="data put"),
    ):
        with pytest.raises(LockTimeout, match=r"held by me@otherhost \(pid 999999\) — timed out after 6"), action:
            pytest.fail("it walked through a live lock")
    assert world.locks() == [".locks/infra.lock"]


def test_many_models_are_taken_in_one_order(world: World) -> None:
    """Duplicates count once, and the order of the arguments does not matter, so that no two wait in a circle."""
    with world.guard().model_lock([OTHER, MODEL, OTHER], command="data put") as held:
        assert [lease.key for lease in held.leases] == sorted(lease.key for lease in held.leases)
        assert len(held.leases) == 2
    crowd = World(world.base, StillClock())
    guards = [crowd.guard() for _ in range(8)]

    def work(number: int) -> None:
        models = [MODEL, OTHER] if number % 2 else [OTHER, MODEL]
        with guards[number].model_lock(models, command="data put") as held:
            held.check()

    assert race(8, work, spawner=spawn_daemon) == [None] * 8


def test_second_model_that_is_held_frees_the_first(world: World) -> None:
    """Who does not get all gives back what it has."""
    first, second = sorted([MODEL, OTHER])
    with world.guard().model_lock([second], command="data put"):
        with pytest.raises(LockHeld), world.guard().model_lock([first, second], command="data put", wait_seconds=0):
            pass
        with world.guard().model_lock([first], command="data put", wait_seconds=0):
            pass


def test_loss_of_one_lock_stops_the_work(world: World) -> None:
    """`check` looks at all of them."""
    with world.guard().model_lock([MODEL, OTHER], command="data put") as held:
        held.check()
        Path(held.leases[1].key).unlink()
        with pytest.raises(LeaseLost):
            held.check()


def test_structural_holder_may_write_models(world: World) -> None:
    """A structural command that writes a model does not wait for itself."""
    guard = world.guard()
    with guard.structural_lock(command="data gc"), guard.model_lock([MODEL], command="data gc", wait_seconds=0):
        assert len(world.locks()) == 2


def test_writer_that_asks_for_the_structural_lock_is_told_at_once(world: World) -> None:
    """It would drain for its own lock."""
    guard = world.guard()
    with (
        guard.model_lock([MODEL], command="data put"),
        pytest.raises(LockHeld, match="wait for itself"),
        guard.structural_lock(command="data gc"),
    ):
        pass
    assert world.clock.slept == []


def test_nesting_on_one_model_is_told_at_once(world: World) -> None:
    """The same holder on the same model would wait for itself."""
    guard = world.guard()
    with (
        guard.model_lock([MODEL], command="data put"),
        pytest.raises(LockHeld, match="wait for itself"),
        guard.model_lock([MODEL], command="data put"),
    ):
        pass
    assert world.clock.slept == []


def test_two_threads_on_one_model_wait(world: World) -> None:
    """One repo object used from several threads writes one model one at a time."""
    guard = World(world.base, StillClock()).guard()
    inside: list[int] = []

    def work(number: int) -> None:
        with guard.model_lock([MODEL], command="data put"):
            inside.append(number)
            assert inside == [number]
            inside.clear()

    assert race(6, work, spawner=spawn_daemon) == [None] * 6


def test_automatic_definition_is_made_by_one(world: World) -> None:
    """Its lock lies in the namespace's directory, has a short TTL, and is waited for ten seconds."""
    guard = world.guard()
    with guard.definition_lock("a/b", command="data put") as held:
        assert world.locks() == ["infra/auto-definitions/.auto-definition-create/a--b.lock"]
        assert held.leases[0].record.ttl_ms == 5_000
        other = world.guard()
        before = world.clock.uptime()
        Path(held.leases[0].key).write_bytes(Path(held.leases[0].key).read_bytes())
        with other.definition_lock("a/b", command="data put"):
            assert 5 <= world.clock.uptime() - before < 6


# --- parents and children --------------------------------------------------------------------------------


def test_child_of_a_structural_command_does_not_wait_for_it(world: World) -> None:
    """`swamp exec -- swamp data put` inside a structural command does not deadlock."""
    parent = world.guard()
    with parent.structural_lock(command="exec"):
        variables = parent.child_environment()
        assert set(variables) == {PID_VARIABLE, NONCE_VARIABLE}
        child = world.guard(parent=ParentHolder.parse(variables))
        with child.model_lock([MODEL], command="data put", wait_seconds=0):
            pass
        with pytest.raises(LockHeld), world.guard().model_lock([MODEL], command="data put", wait_seconds=0):
            pass
    assert parent.child_environment() == {}


def test_child_of_a_writer_may_clean_but_not_write_the_same_model(world: World) -> None:
    """The child's drain skips its parent's locks; the parent's own model is an error at once."""
    parent = world.guard()
    with parent.model_lock([MODEL], command="exec"):
        child = world.guard(parent=ParentHolder.parse(parent.child_environment()))
        with child.structural_lock(command="data gc", wait_seconds=0):
            pass
        with child.model_lock([OTHER], command="data put", wait_seconds=0):
            pass
        with (
            pytest.raises(LockHeld, match="the command that started this one"),
            child.model_lock([MODEL], command="data put"),
        ):
            pass
    assert world.clock.slept == []


def test_child_of_swamp_does_not_wait_for_it(world: World) -> None:
    """swamp tells its children its pid only; a pid is believed of a file without a boot, on our own host."""
    swamp = world.swamp()
    lock = swamp.try_model_lock(*MODEL)
    assert lock is not None
    variables = {PID_VARIABLE: str(swamp.pid)}
    with world.guard(parent=ParentHolder.parse(variables)).structural_lock(command="data gc", wait_seconds=0):
        pass
    with pytest.raises(LockHeld), world.guard().structural_lock(command="data gc", wait_seconds=0):
        pass
    lock.release()


@pytest.mark.parametrize("text", ["", "0", "-5", "abc", "1e3", "9" * 40, "\u0664"])
def test_nonsense_in_the_variables_counts_as_unset(text: str) -> None:
    """A parent that cannot be understood is none."""
    assert ParentHolder.parse({PID_VARIABLE: text}) == NO_PARENT
    assert ParentHolder.parse({NONCE_VARIABLE: ","}) == NO_PARENT


# --- with swamp on one host ------------------------------------------------------------------------------


@NAMESPACES
def test_swamp_keeps_out_while_we_write(world: World, namespace: Namespace) -> None:
    """Our model lock stops swamp's writer of that model and swamp's structural commands, heartbeat after heartbeat."""
    swamp = world.swamp(namespace)
    with world.guard(namespace).model_lock([MODEL], command="data put") as held:
        for _ in range(5):
            assert swamp.try_model_lock(*MODEL) is None
            assert swamp.try_structural_lock() is None
            world.clock.advance(10)
            held.leases[0].beat()
            held.check()
        other = swamp.try_model_lock(*OTHER)
        assert other is not None
        other.release()
    lock = swamp.try_structural_lock()
    assert lock is not None
    lock.release()


@NAMESPACES
def test_swamp_keeps_out_while_we_clean(world: World, namespace: Namespace) -> None:
    """Our structural lock stops all of swamp's writers and structural commands."""
    swamp = world.swamp(namespace)
    with world.guard(namespace).structural_lock(command="data gc") as held:
        for _ in range(5):
            assert swamp.try_model_lock(*MODEL) is None
            assert swamp.try_structural_lock() is None
            world.clock.advance(10)
            held.leases[0].beat()
            held.check()
    lock = swamp.try_model_lock(*MODEL)
    assert lock is not None
    lock.release()


@NAMESPACES
def test_we_keep_out_while_swamp_writes(world: World, namespace: Namespace) -> None:
    """swamp's model lock stops our writer of that model and our structural commands, as long as it beats."""
    swamp = world.swamp(namespace)
    lock = swamp.try_model_lock(*MODEL)
    assert lock is not None
    with _beating(world, lock.heartbeat):
        with pytest.raises(LockTimeout), world.guard(namespace).model_lock([MODEL], command="p", wait_seconds=100):
            pytest.fail("two writers")
        with pytest.raises(LockTimeout), world.guard(namespace).structural_lock(command="gc", wait_seconds=100):
            pytest.fail("a writer and a structural command")
        with world.guard(namespace).model_lock([OTHER], command="data put", wait_seconds=0):
            pass
    assert lock.is_held
    lock.release()
    with world.guard(namespace).structural_lock(command="data gc", wait_seconds=0):
        pass


@NAMESPACES
def test_we_keep_out_while_swamp_cleans(world: World, namespace: Namespace) -> None:
    """swamp's structural lock stops our writers and structural commands, as long as it beats."""
    swamp = world.swamp(namespace)
    lock = swamp.try_structural_lock()
    assert lock is not None
    with _beating(world, lock.heartbeat):
        with pytest.raises(LockTimeout), world.guard(namespace).model_lock([MODEL], command="p", wait_seconds=100):
            pytest.fail("a writer and a structural command")
        with pytest.raises(LockTimeout), world.guard(namespace).structural_lock(command="gc", wait_seconds=100):
            pytest.fail("two structural commands")
    lock.release()


@contextmanager
def _beating(world: World, beat: object) -> Iterator[None]:
    """Let a heartbeat happen every ten seconds while we wait."""
    sleep = world.clock.sleep
    due = world.clock.uptime() + 10

    def sleep_and_beat(seconds: float) -> None:
        nonlocal due
        sleep(seconds)
        while world.clock.uptime() >= due:
            beat()  # type: ignore[operator]
            due += 10

    world.clock.sleep = sleep_and_beat  # type: ignore[method-assign]
    yield
    world.clock.sleep = sleep  # type: ignore[method-assign]


@NAMESPACES
def test_crashed_swamps_locks_heal(world: World, namespace: Namespace) -> None:
    """A swamp that died leaves locks that we take over after one TTL of watching."""
    swamp = world.swamp(namespace)
    assert swamp.try_model_lock(*MODEL) is not None
    before = world.clock.uptime()
    with world.guard(namespace).structural_lock(command="data gc"):
        assert 30 <= world.clock.uptime() - before < 32


@pytest.mark.parametrize("kind", ["structural", "model"])
def test_takeover_by_swamp_is_noticed_before_our_next_write(world: World, kind: str) -> None:
    """On another host swamp takes our pid for a dead one of its own and steals the lock: our next write stops."""
    guard = world.guard()
    lock = guard.structural_lock(command="gc") if kind == "structural" else guard.model_lock([MODEL], command="put")
    with lock as held:
        held.check()
        elsewhere = LeaseBench(world.clock).processes
        thief = SwampRepo(world.layout(INFRA), world.clock, elsewhere, pid=elsewhere.start(1).pid)
        stolen = thief.lock(held.leases[0].key.removeprefix(f"{world.base}/"))
        assert stolen.try_acquire()
        with pytest.raises(LeaseLost):
            held.check()
        with pytest.raises(LeaseLost):
            held.leases[0].beat()
    assert stolen.read() is not None, "our release left the thief's lock alone"
    stolen.heartbeat()
    assert stolen.is_held


def test_release_by_swamp_of_a_lock_we_took_over_is_noticed(world: World) -> None:
    """swamp unlinks on release without looking; a swamp that was stopped past its TTL removes our lock so."""
    stopped = world.swamp().try_structural_lock()
    assert stopped is not None
    with world.guard().structural_lock(command="data gc") as held:
        held.check()
        stopped.release()
        with pytest.raises(LeaseLost):
            held.check()


# --- the drain -------------------------------------------------------------------------------------------


def test_drain_reads_directories_down_to_models_only(world: World) -> None:
    """Reads types and names of models of its own namespace; no artifact, no version, no other namespace."""
    for namespace in ("infra", "team"):
        for model_type, model_id in (MODEL, OTHER):
            for version in range(20):
                path = world.base / namespace / "data" / model_type / model_id / "state" / str(version)
                path.mkdir(parents=True)
                (path / "raw").write_bytes(b"x")
    world.disk.read.clear()
    with world.guard().structural_lock(command="data gc"):
        pass
    read = {str(Path(path).relative_to(world.base)) for path in world.disk.read}
    assert read == {"infra/data", "infra/data/@a", "infra/data/@a/b", "infra/data/command", "infra/data/command/shell"}


def test_drain_finds_models_whose_ids_are_no_uuids(world: World) -> None:
    """People plant trees by hand; a directory with a lock in it is a model, whatever it is called."""
    odd = ("a", "my-model")
    with world.guard().model_lock([odd], command="data put"):
        (world.base / "infra/data/a/other/state").mkdir(parents=True)
        (world.base / "infra/data/a/other/state/latest").write_text("1")
        with pytest.raises(LockHeld), world.guard().structural_lock(command="data gc", wait_seconds=0):
            pass


def test_sweep_removes_old_leftovers_of_models(world: World) -> None:
    """What was killed beside a model's data, a definition or the structural lock goes a day later."""
    paths = [
        world.base / "infra/data" / MODEL[0] / MODEL[1] / ".acquire-x",
        world.base / "infra/auto-definitions/.auto-definition-create/.takeover-x-1",
        world.base / ".locks/.stale-x",
    ]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    guard = world.guard()
    assert guard.sweep() == 0
    for path in paths:
        os.utime(path, ns=(1, 1))
    assert guard.sweep() == 3
    assert not any(path.exists() for path in paths)


# --- status and release ----------------------------------------------------------------------------------


def test_status_lists_models_first(world: World) -> None:
    """Key, scope, state, holder, command and ages of everything that is held in the namespace."""
    guard = world.guard()
    with guard.structural_lock(command="data gc"), guard.model_lock([MODEL], command="data put"):
        world.clock.advance(7)
        guard._keeper.leases()[0].beat()
        world.clock.advance(2)
        model, structural = guard.status()
        assert (model.key, model.scope) == (f"infra/data/{MODEL[0]}/{MODEL[1]}/.lock", "/".join(MODEL))
        assert (structural.key, structural.scope, structural.state) == (".locks/infra.lock", "", "held")
        assert structural.record is not None
        assert (structural.record.command, structural.is_alive) == ("data gc", True)
        assert structural.age_seconds == pytest.approx(9)
        assert structural.heartbeat_age_seconds == pytest.approx(2)
        assert world.guard(TEAM).status() == []


def test_status_tells_what_is_gone_torn_and_unknown(world: World) -> None:
    """A dead process shows as expired, an empty file as torn, and a silent stranger as held with its age."""
    guard = world.guard()
    kept = guard._keeper.acquire(guard._structural_path(), command="data gc")
    world.bench.processes.kill(guard._parts.holder)
    (state,) = guard.status()
    assert (state.state, state.is_alive) == ("expired", False)
    kept.release()
    path = world.base / ".locks/infra.lock"
    path.write_bytes(b"")
    (state,) = guard.status()
    assert (state.state, state.record, state.is_alive) == ("torn", None, None)
    path.write_text(
        '{"holder": "me@otherhost", "hostname": "otherhost", "pid": 1, '
        '"acquiredAt": "2020-01-01T00:00:00.000Z", "ttlMs": 30000, "nonce": "abc"}'
    )
    (state,) = guard.status()
    assert (state.state, state.is_alive) == ("held", None)
    world.clock.advance(31)
    (state,) = guard.status()
    assert (state.state, state.is_alive) == ("expired", None), "it was watched for its TTL"
    assert world.guard().status()[0].state == "held"
    path.write_text(path.read_text().replace("otherhost", "build-7"))
    (state,) = guard.status()
    assert (state.state, state.is_alive) == ("expired", None)


def test_release_is_refused_when_the_holder_has_changed(world: World) -> None:
    """A nonce from an older `lock status` breaks nothing."""
    guard = world.guard()
    with guard.model_lock([MODEL], command="data put") as held:
        outcome = guard.release(MODEL, nonce="old")
        assert (outcome.is_released, outcome.reason) == (False, HOLDER_CHANGED)
        held.check()
        outcome = guard.release(MODEL, nonce=held.leases[0].nonce)
        assert outcome.is_released
        assert outcome.previous is not None
        assert outcome.previous.nonce == held.leases[0].nonce
        with pytest.raises(LeaseLost):
            held.check()


# --- in a bucket -----------------------------------------------------------------------------------------


def test_bucket_guard_locks_the_namespace_in_the_bucket_and_models_in_the_copy(world: World) -> None:
    """The structural lock is an object; a model's lock lies in the local copy; neither waits for the other."""
    bucket = MemoryStore(world.clock)
    guards = [BucketGuard(world.layout(INFRA), world.disk, bucket, world.bench.parts()) for _ in range(2)]
    guard: LockGuard = guards[0]
    assert not guards[0].is_weak
    with guard.structural_lock(command="data gc"), guards[1].model_lock([MODEL], command="data put", wait_seconds=0):
        assert [info.key.text for info in bucket.list("")] == [".locks/infra.lock"]
        assert world.locks() == [f"infra/data/{MODEL[0]}/{MODEL[1]}/.lock"]
        assert [state.scope for state in guards[1].status()] == ["/".join(MODEL), ""]
        assert len(guards[1].child_environment()) == 2
        with pytest.raises(LockHeld), guards[1].structural_lock(command="data prune", wait_seconds=0):
            pass
        with pytest.raises(LockHeld), guard.model_lock([MODEL], command="data put", wait_seconds=0):
            pass
        assert guards[1].release(nonce="old").reason == HOLDER_CHANGED
    assert guard.status() == []
    assert guard.release().reason == NOTHING_HELD
    with guard.definition_lock("x", command="data put"):
        assert world.locks() == ["infra/auto-definitions/.auto-definition-create/x.lock"]
    assert guards[0].sweep() == 0


def test_bucket_without_compare_and_swap_is_never_silent(world: World) -> None:
    """Whoever takes the structural lock there is told what it is worth; a store that keeps its word says nothing."""
    told: list[str] = []
    parts = replace(world.bench.parts(), on_notice=told.append)
    with BucketGuard(world.layout(INFRA), world.disk, MemoryStore(world.clock), parts).structural_lock(command="gc"):
        assert told == []
    guard = BucketGuard(world.layout(INFRA), world.disk, WeakStore(world.clock), parts)
    assert guard.is_weak
    guard.status()
    assert told == []
    with guard.structural_lock(command="gc"):
        pass
    assert len(told) == 1
    assert "cannot compare and swap" in told[0]


def test_bucket_that_turns_out_to_lack_compare_and_swap_is_told_once(world: World) -> None:
    """A new lock needs no swap, so it is found out when the lock is given back; it is free then, whatever happened."""
    told: list[str] = []
    parts = replace(world.bench.parts(), on_notice=told.append)
    bucket = Swapless(world.clock)
    guard = BucketGuard(world.layout(INFRA), world.disk, bucket, parts)

    def fail() -> None:
        with guard.structural_lock(command="gc"):
            assert told == []
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert len(told) == 1
    assert "cannot compare and swap" in told[0]
    with guard.structural_lock(command="gc", wait_seconds=0):
        pass
    assert len(told) == 1
    assert list(bucket.list("")) == []


def test_wait_below_the_ttl_is_told_to_whoever_takes_a_lock(world: World) -> None:
    """Not to those who only look, and not of the automatic definition's lock, which has a short TTL of its own."""
    told: list[str] = []
    world.bench.timing = LockTiming(wait_seconds=5)
    guard = DirectoryGuard(world.layout(INFRA), world.disk, replace(world.bench.parts(), on_notice=told.append))
    guard.status()
    guard.release()
    with guard.definition_lock("x", command="data put"):
        assert told == []
    with guard.model_lock([MODEL], command="data put"):
        assert len(told) == 1
        assert "SWAMP_LOCK_TIMEOUT_MS" in told[0]
    with guard.structural_lock(command="data gc", wait_seconds=0):
        assert len(told) == 1


def test_guard_whose_heartbeat_runs_outlives_its_ttl(world: World) -> None:
    """The threads that are really started keep a lock for as long as the work takes, and end with it."""
    ended: list[threading.Event] = []

    def spawn(target: Callable[[], None], *, name: str) -> Thread:
        assert name == "swampsync-heartbeat"
        ended.append(threading.Event())

        def run(end: threading.Event = ended[-1]) -> None:
            target()
            end.set()

        return spawn_daemon(run, name=name)

    parts = replace(world.bench.parts(), spawn=spawn)
    guard = DirectoryGuard(world.layout(INFRA), world.disk, parts)
    with guard.structural_lock(command="data gc") as held:
        world.clock.wait_for_sleepers(1)
        world.clock.advance(300)
        held.check()
        with pytest.raises(LockTimeout), world.guard().structural_lock(command="data gc", wait_seconds=50):
            pass
        held.check()
        assert [end.is_set() for end in ended] == [False]
    assert [end.is_set() for end in ended] == [True]  # releasing waits for the thread
    assert world.locks() == []
