from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from swampsync.backends.memory import MemoryStore
from swampsync.errors import LeaseLost, LockHeld
from swampsync.locks.bucket_guard import BucketGuard
from swampsync.locks.guard import LockGuard
from swampsync.locks.lease import Holder
from swampsync.locks.parent import NONCE_VARIABLE, ParentHolder
from swampsync.namespace import Namespace
from tests.unit.locks.test_guard import INFRA, MODEL, NAMESPACES, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    base = tmp_path / "shared"
    base.mkdir()
    return World(base)


def child_of(world: World, *parents: LockGuard, namespace: Namespace = INFRA) -> LockGuard:
    """Start a child of the last one, which is a child of the one before it, and so on."""
    variables: dict[str, str] = {}
    for parent in parents:
        variables |= parent.child_environment()
    return world.guard(namespace, parent=ParentHolder.parse(variables))


@NAMESPACES
def test_structural_child_of_a_structural_command_passes(world: World, namespace: Namespace) -> None:
    """`swamp exec --lock -- swamp data gc` works: the child passes its parent's lock and leaves it there."""
    parent = world.guard(namespace)
    with parent.structural_lock(command="exec") as outer:
        child = child_of(world, parent, namespace=namespace)
        with child.structural_lock(command="data gc", wait_seconds=0) as held:
            held.check()
            assert [s.record.command for s in parent.status() if s.record] == ["exec", "data gc"]
        outer.check()
        (state,) = parent.status()
        assert state.record is not None
        assert state.record.nonce == outer.leases[0].nonce
    assert world.clock.slept == []
    assert [p for p in world.base.rglob("*") if p.is_file()] == []


@NAMESPACES
def test_strangers_wait_for_the_parent_and_for_its_child(world: World, namespace: Namespace) -> None:
    """A child that passes opens no door for anybody else."""
    parent = world.guard(namespace)
    with parent.structural_lock(command="exec"):
        child = child_of(world, parent, namespace=namespace)
        with child.structural_lock(command="data gc", wait_seconds=0):
            stranger = world.guard(namespace)
            with pytest.raises(LockHeld), stranger.structural_lock(command="data gc", wait_seconds=0):
                pass
            with pytest.raises(LockHeld), stranger.model_lock([MODEL], command="data put", wait_seconds=0):
                pass


@NAMESPACES
def test_children_of_one_parent_keep_each_other_out(world: World, namespace: Namespace) -> None:
    """Two children that a script starts at once are no different from two commands."""
    parent = world.guard(namespace)
    with parent.structural_lock(command="exec"):
        first, second = (child_of(world, parent, namespace=namespace) for _ in range(2))
        with first.structural_lock(command="data gc", wait_seconds=0):
            with pytest.raises(LockHeld), second.structural_lock(command="data prune", wait_seconds=0):
                pass
            with pytest.raises(LockHeld), second.model_lock([MODEL], command="data put", wait_seconds=0):
                pass
        with (
            second.model_lock([MODEL], command="data put", wait_seconds=0),
            pytest.raises(LockHeld),
            first.structural_lock(command="data gc", wait_seconds=0),
        ):
            pass


def test_childs_child_passes_both(world: World) -> None:
    """`swamp exec --lock` inside `swamp exec --lock` is nothing special."""
    grandparent = world.guard()
    with grandparent.structural_lock(command="exec"):
        parent = child_of(world, grandparent)
        with parent.structural_lock(command="exec", wait_seconds=0):
            child = child_of(world, grandparent, parent)
            with child.structural_lock(command="data gc", wait_seconds=0) as held:
                held.check()
                assert len(held.parents) == 2
            with child.model_lock([MODEL], command="data put", wait_seconds=0):
                pass
    assert world.clock.slept == []


def test_child_notices_that_its_parents_lock_was_broken(world: World) -> None:
    """The parent's loss stops the child before its next write."""
    parent = world.guard()
    with parent.structural_lock(command="exec"):
        child = child_of(world, parent)
        with child.structural_lock(command="data gc", wait_seconds=0) as held:
            held.check()
            assert parent.release().is_released
            with pytest.raises(LeaseLost, match="taken over or removed"):
                held.check()
            with (
                world.guard().structural_lock(command="data gc", wait_seconds=0),
                pytest.raises(LeaseLost, match="taken over or removed"),
            ):
                held.check()


def test_child_notices_that_its_parent_has_ended(world: World) -> None:
    """The lock of a parent that was killed may be taken over by anybody, at once."""
    holder = world.bench.processes.start(2_000)
    parent = world.guard()
    parent._keeper.parts = parent._parts = world.bench.parts(holder)
    with parent.structural_lock(command="exec"):
        child = child_of(world, parent)
        with child.structural_lock(command="data gc", wait_seconds=0) as held:
            world.bench.processes.kill(holder)
            with pytest.raises(LeaseLost, match="has ended"):
                held.check()


def test_lock_of_a_child_that_was_killed_heals_at_once(world: World) -> None:
    """The next child takes it over; strangers never look at it."""
    parent = world.guard()
    with parent.structural_lock(command="exec"):
        holder = world.bench.processes.start(2_000)
        killed = child_of(world, parent)
        path = f"{world.base}/.locks/infra.lock.child"
        killed._keeper.parts = world.bench.parts(holder)  # type: ignore[attr-defined]
        killed._keeper.acquire(path, command="data gc")  # type: ignore[attr-defined]
        world.bench.processes.kill(holder)
        with child_of(world, parent).model_lock([MODEL], command="data put", wait_seconds=0):
            pass
        assert not os.path.exists(path)
    with world.guard().structural_lock(command="data gc", wait_seconds=0):
        pass


def test_variables_of_a_child_keep_its_parents_nonces(world: World) -> None:
    """A child's child knows everybody above it."""
    grandparent = world.guard()
    with grandparent.structural_lock(command="exec") as outer:
        parent = child_of(world, grandparent)
        with parent.model_lock([MODEL], command="exec") as inner:
            nonces = parent.child_environment()[NONCE_VARIABLE].split(",")
            assert nonces == [inner.leases[0].nonce, outer.leases[0].nonce]


def bucket_guards(world: World) -> Callable[..., BucketGuard]:
    """Return what makes guards of one namespace in one bucket, each a child of those it is given."""
    bucket = MemoryStore(world.clock)

    def guard(*parents: LockGuard, holder: Holder | None = None) -> BucketGuard:
        variables: dict[str, str] = {}
        for parent in parents:
            variables |= parent.child_environment()
        parts = world.bench.parts(holder, parent=ParentHolder.parse(variables))
        return BucketGuard(world.layout(INFRA), world.disk, bucket, parts)

    return guard


def test_child_in_a_bucket_passes_and_siblings_wait(world: World) -> None:
    """In a bucket a lock in the clone's copy keeps the children of one parent apart."""
    guard = bucket_guards(world)
    parent = guard()
    with parent.structural_lock(command="exec"):
        with guard(parent).structural_lock(command="data gc", wait_seconds=0) as held:
            held.check()
            with pytest.raises(LockHeld), guard(parent).structural_lock(command="data prune", wait_seconds=0):
                pass
        with guard(parent).model_lock([MODEL], command="data put", wait_seconds=0):
            pass
        with pytest.raises(LockHeld), guard().structural_lock(command="data gc", wait_seconds=0):
            pass
    assert world.locks() == []


def test_child_in_a_bucket_notices_that_its_parents_lock_was_broken(world: World) -> None:
    """Broken or with another holder, the object is looked at before each write of the child."""
    guard = bucket_guards(world)
    parent, stranger = guard(), guard()
    with parent.structural_lock(command="exec"):
        child = guard(parent)
        with child.structural_lock(command="data gc", wait_seconds=0) as held:
            held.check()
            assert parent.release().is_released
            with pytest.raises(LeaseLost, match="taken over or removed"):
                held.check()
            with (
                stranger.structural_lock(command="data gc", wait_seconds=0),
                pytest.raises(LeaseLost, match="taken over or removed"),
            ):
                held.check()


def test_child_in_a_bucket_notices_that_its_parent_has_ended(world: World) -> None:
    """A parent that was killed has no lock any more, whatever the object says."""
    guard = bucket_guards(world)
    holder = world.bench.processes.start(2_000)
    parent = guard(holder=holder)
    with parent.structural_lock(command="exec"), guard(parent).structural_lock(command="data gc") as held:
        held.check()
        world.bench.processes.kill(holder)
        with pytest.raises(LeaseLost, match="has ended"):
            held.check()


def test_childs_child_in_a_bucket_looks_at_both(world: World) -> None:
    """The object of the first and the file of the second are looked at, whoever loses."""
    guard = bucket_guards(world)
    grandparent = guard()
    with grandparent.structural_lock(command="exec"):
        parent = guard(grandparent)
        with parent.structural_lock(command="exec", wait_seconds=0):
            child = guard(grandparent, parent)
            with child.structural_lock(command="data gc", wait_seconds=0) as held:
                held.check()
                assert grandparent.release().is_released
                with pytest.raises(LeaseLost, match="taken over or removed"):
                    held.check()
