"""Locks of a datastore on a directory, where the lock is what safety rests on.

Structural commands and writers of models keep each other out by looking twice. A writer looks at the structural lock
before and after it takes its model's lock, and gives the latter back if the former is held. A structural command
waits for the model locks, takes its lock, and waits for the model locks again: a writer that had passed its second
look before the lock was taken has its own lock by then, and is seen. swamp does the same.

A child of a structural command passes its parent's lock. What keeps such children out of each other's way is one more
lock beside it, `infra.lock.child`, with which all of the above begins anew; a child's children have one of their own.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final

from swampsync.disk import Disk
from swampsync.errors import LockHeld
from swampsync.layout import Layout
from swampsync.locks.directory import DirectoryLeaseStore
from swampsync.locks.found_locks import CHILD_SUFFIX, find_lock_path, find_locks
from swampsync.locks.guard import HeldLocks
from swampsync.locks.keeper import KeeperParts, LeaseKeeper
from swampsync.locks.kept import KeptLease
from swampsync.locks.model_walk import find_model_locks, walk_model_directories
from swampsync.locks.parent import ParentLock, child_environment
from swampsync.locks.status import LockState, ReleaseOutcome, break_lock, find_by_nonce, list_locks
from swampsync.locks.waiting import Waiting

DEFINITION_TTL_SECONDS: Final = 5.0
DEFINITION_WAIT_SECONDS: Final = 10.0


class DirectoryGuard:
    """A `LockGuard` for a datastore on a directory, where locks are safety.

    Args:
        layout: Whose locks.
        disk: Where they are.
        parts: See `KeeperParts`.
    """

    def __init__(self, layout: Layout, disk: Disk, parts: KeeperParts) -> None:
        self._layout = layout
        self._disk = disk
        self._parts = parts
        self._store = DirectoryLeaseStore(
            disk,
            clock=parts.clock,
            new_id=parts.new_id,
            claim_ttl_seconds=parts.timing.ttl_seconds,
            holder=parts.holder,
            processes=parts.processes,
        )
        self._keeper = LeaseKeeper(self._store, parts)
        self._watcher = self._keeper.make_watcher()
        short = replace(parts.timing, ttl_seconds=DEFINITION_TTL_SECONDS, heartbeat_seconds=DEFINITION_TTL_SECONDS / 3)
        self._definitions = LeaseKeeper(self._store, replace(parts, timing=short))

    @contextmanager
    def model_lock(
        self, models: Iterable[tuple[str, str]], *, command: str, wait_seconds: float | None = None
    ) -> Iterator[HeldLocks]:
        """Hold models' locks while nobody holds the structural one."""
        models = tuple(models)
        waiting = self._keeper.make_waiting(wait_seconds)
        watcher = self._keeper.make_watcher()
        while True:
            for path in self._structural_paths():
                self._keeper.wait_until_free(path, waiting=waiting, watcher=watcher)
            with ExitStack() as stack:
                leases = tuple(stack.enter_context(lease) for lease in self.take_models(models, command, waiting))
                sight = self._store.inspect(self._structural_paths()[-1])
                if sight is None or self._keeper.is_ours(sight):
                    yield HeldLocks(leases)
                    return
            # A structural command came between the two looks; it now waits for the locks we have just given back.

    def take_models(self, models: Iterable[tuple[str, str]], command: str, waiting: Waiting) -> Iterator[KeptLease]:
        """Take models' locks one after the other, in an order that is the same for everybody."""
        for path in sorted({self._model_path(model) for model in models}):
            yield self._keeper.acquire(path, command=command, waiting=waiting)

    @contextmanager
    def structural_lock(self, *, command: str, wait_seconds: float | None = None) -> Iterator[HeldLocks]:
        """Hold the structural lock while nobody holds a model's."""
        waiting = self._keeper.make_waiting(wait_seconds)
        self._drain(waiting)
        with self.take_structural(command, waiting) as held:
            self._drain(waiting)
            yield held

    @contextmanager
    def take_structural(self, command: str, waiting: Waiting) -> Iterator[HeldLocks]:
        """Take the structural lock, or the one for children of its holder if that is our parent; models may be held."""
        *passed, path = self._structural_paths()
        parts = self._parts
        parents = tuple(ParentLock(self._store, key, parts.parent, parts.processes) for key in passed)
        with self._keeper.acquire(path, command=command, waiting=waiting) as lease:
            yield HeldLocks((lease,), parents)

    @contextmanager
    def definition_lock(self, name: str, *, command: str) -> Iterator[HeldLocks]:
        """Hold the lock that guards the creation of an automatic definition."""
        path = self._layout.definition_lock_path(name)
        with self._definitions.acquire(path, command=command, wait_seconds=DEFINITION_WAIT_SECONDS) as lease:
            yield HeldLocks((lease,))

    def status(self) -> list[LockState]:
        """Look at the locks that somebody has."""
        parts = self._parts
        locks = find_locks(self._disk, self._layout)
        return list_locks(self._store, locks, processes=parts.processes, clock=parts.clock, watcher=self._watcher)

    def release(
        self, model: tuple[str, str] | None = None, *, key: str | None = None, nonce: str | None = None
    ) -> ReleaseOutcome:
        """Break a lock."""
        path = self._structural_path() if model is None else self._model_path(model)
        if key is not None:
            path = find_lock_path(self._layout, key)
        elif model is None and nonce is not None:
            path = self.find_by_nonce(nonce) or path
        return break_lock(self._store, path, nonce=nonce)

    def find_by_nonce(self, nonce: str) -> str | None:
        """Find the path of the lock that has a nonce, whatever it guards."""
        found = find_by_nonce(self._store, find_locks(self._disk, self._layout), nonce)
        return None if found is None else found.path

    def child_environment(self) -> dict[str, str]:
        """Return the variables for a child."""
        return child_environment(self._keeper.leases(), self._parts.parent)

    def leases(self) -> tuple[KeptLease, ...]:
        """Return what all threads of this process hold."""
        return self._keeper.leases()

    def sweep(self) -> int:
        """Remove what processes that died in the middle of taking a lock left behind more than a day ago."""
        directories = [
            posixpath.dirname(self._structural_path()),
            posixpath.dirname(self._layout.definition_lock_path("any")),
        ]
        directories.extend(path for _, path in walk_model_directories(self._disk, self._data_path()))
        return sum(self._store.sweep(d) for d in directories)

    def _structural_path(self) -> str:
        return self._layout.lock_path(self._layout.structural_lock_key())

    def _structural_paths(self) -> list[str]:
        """Name the structural locks that our parents hold for us, and last the one that counts for us."""
        paths = [self._structural_path()]
        while True:
            sight = self._store.inspect(paths[-1])
            if sight is None or not self._keeper.is_parents(sight):
                return paths
            paths.append(paths[-1] + CHILD_SUFFIX)

    def _model_path(self, model: tuple[str, str]) -> str:
        return self._layout.lock_path(self._layout.model_lock_key(*model))

    def _data_path(self) -> str:
        return self._layout.datastore_path("data")

    def _drain(self, waiting: Waiting) -> None:
        watcher = self._keeper.make_watcher()
        for _, path in find_model_locks(self._disk, self._data_path()):
            if self._keeper.holds(path):
                raise LockHeld(
                    f"lock `{path}` is held by this very command, which would wait for itself",
                    hint="take the structural lock before, or instead of, a model's",
                    key=path,
                )
            self._keeper.wait_until_free(path, waiting=waiting, watcher=watcher)
