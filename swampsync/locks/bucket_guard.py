"""Locks of a datastore in a bucket, where the log is what safety rests on and the structural lock is courtesy.

Model locks lie in the clone's local copy: they keep processes of one clone from writing one artifact at once. Nobody
drains anything: a structural command that meets a push is refused by the log, and plans again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from swampsync.backends.base import ObjectStore
from swampsync.disk import Disk
from swampsync.layout import Layout
from swampsync.locks.directory_guard import DirectoryGuard
from swampsync.locks.found_locks import FoundLock, Guarded, is_structural_key
from swampsync.locks.guard import HeldLocks
from swampsync.locks.keeper import KeeperParts, LeaseKeeper
from swampsync.locks.object_store import ObjectLeaseStore
from swampsync.locks.parent import ParentLock, child_environment
from swampsync.locks.status import LockState, ReleaseOutcome, break_lock, list_locks


class BucketGuard:
    """A `LockGuard` for a datastore in a bucket.

    Args:
        layout: Of the local copy; the lock's key in the bucket is the same as on a directory.
        disk: Where the local copy is.
        store: The bucket.
        parts: See `KeeperParts`.
    """

    def __init__(self, layout: Layout, disk: Disk, store: ObjectStore, parts: KeeperParts) -> None:
        self._layout = layout
        self._parts = parts
        self._copy = DirectoryGuard(layout, disk, parts)
        self._store = ObjectLeaseStore(store)
        self._is_weakness_told = False
        self._keeper = LeaseKeeper(self._store, replace(parts, timing=parts.timing.in_bucket()))
        self._watcher = self._keeper.make_watcher()

    @property
    def is_weak(self) -> bool:
        """Whether the bucket is known to lack compare-and-swap, so that a lock is create-only and expiry."""
        return self._store.is_weak

    @contextmanager
    def model_lock(
        self, models: Iterable[tuple[str, str]], *, command: str, wait_seconds: float | None = None
    ) -> Iterator[HeldLocks]:
        """Hold models' locks in the local copy."""
        waiting = self._keeper.make_waiting(wait_seconds)
        with ExitStack() as stack:
            leases = [stack.enter_context(lease) for lease in self._copy.take_models(models, command, waiting)]
            yield HeldLocks(tuple(leases))

    @contextmanager
    def structural_lock(self, *, command: str, wait_seconds: float | None = None) -> Iterator[HeldLocks]:
        """Hold the structural lock in the bucket."""
        key = self._layout.structural_lock_key()
        if self._is_held_by_parent(key):
            # Our parent's children are on this machine: a lock in the copy keeps them out of each other's way.
            passed = ParentLock(self._store, key, self._parts.parent, self._parts.processes)
            with self._copy.take_structural(command, self._keeper.make_waiting(wait_seconds)) as held:
                yield HeldLocks(held.leases, (passed, *held.parents))
            return
        try:
            with self._keeper.acquire(key, command=command, wait_seconds=wait_seconds) as lease:
                self._tell_weakness(key)
                yield HeldLocks((lease,))
        finally:
            # A new lock needs no swap: then a heartbeat or the release is what the bucket refuses first.
            self._tell_weakness(key)

    def _tell_weakness(self, key: str) -> None:
        if self._store.is_weak and not self._is_weakness_told and self._parts.on_notice is not None:
            self._is_weakness_told = True
            self._parts.on_notice(
                f"the bucket cannot compare and swap: two may take lock `{key}` over at once when its holder died"
            )

    @contextmanager
    def definition_lock(self, name: str, *, command: str) -> Iterator[HeldLocks]:
        """Hold the lock that guards the creation of an automatic definition, in the local copy."""
        with self._copy.definition_lock(name, command=command) as held:
            yield held

    def status(self) -> list[LockState]:
        """Look at the locks that somebody has: those of this clone, then the structural one in the bucket."""
        key = self._layout.structural_lock_key()
        parts = self._parts
        structural = list_locks(
            self._store,
            [FoundLock(key, key, Guarded.STRUCTURAL)],
            processes=parts.processes,
            clock=parts.clock,
            watcher=self._watcher,
        )
        return [self._name_in_copy(state) for state in self._copy.status()] + structural

    def _name_in_copy(self, state: LockState) -> LockState:
        if state.guarded not in {Guarded.STRUCTURAL, Guarded.CHILD}:
            return state
        # What is structural in the copy is for children of the holder; the bucket's lock has the short name.
        return replace(state, key=self._layout.lock_path(state.key), guarded=Guarded.CHILD)

    def release(
        self, model: tuple[str, str] | None = None, *, key: str | None = None, nonce: str | None = None
    ) -> ReleaseOutcome:
        """Break a lock."""
        if key is not None and not is_structural_key(key):
            return self._copy.release(key=key, nonce=nonce)
        if model is not None:
            return self._copy.release(model, nonce=nonce)
        path = None if key is not None or nonce is None else self._copy.find_by_nonce(nonce)
        if path is not None:
            return self._copy.release(key=path, nonce=nonce)
        return break_lock(self._store, key or self._layout.structural_lock_key(), nonce=nonce)

    def child_environment(self) -> dict[str, str]:
        """Return the variables for a child."""
        return child_environment((*self._keeper.leases(), *self._copy.leases()), self._parts.parent)

    def sweep(self) -> int:
        """Remove what processes that died in the middle of taking a lock left in the local copy."""
        return self._copy.sweep()

    def _is_held_by_parent(self, key: str) -> bool:
        if not self._parts.parent.nonces:
            return False  # nothing is asked of the bucket where there is no parent
        sight = self._store.inspect(key)
        return sight is not None and self._keeper.is_parents(sight)
