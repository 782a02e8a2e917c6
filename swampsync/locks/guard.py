"""The LockGuard interface: which locks a command takes, in which order, and whom it waits for."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from swampsync.locks.kept import KeptLease
from swampsync.locks.parent import ParentLock
from swampsync.locks.status import LockState, ReleaseOutcome


@dataclass(frozen=True, slots=True)
class HeldLocks:
    """The leases a command works under.

    Args:
        leases: Structural or of models, in the order of their keys.
        parents: Structural ones that the process that started us holds for us.
    """

    leases: tuple[KeptLease, ...]
    parents: tuple[ParentLock, ...] = ()

    def check(self) -> None:
        """Make sure that all of them are still ours; before every write.

        Raises:
            LeaseLost: One is not.
        """
        for parent in self.parents:
            parent.check()
        for lease in self.leases:
            lease.check()


class LockGuard(Protocol):
    """The locks of one namespace."""

    def model_lock(
        self, models: Iterable[tuple[str, str]], *, command: str, wait_seconds: float | None = None
    ) -> AbstractContextManager[HeldLocks]:
        """Hold the locks of models, each a type and an id, for writing into them.

        Raises:
            LockTimeout: Somebody else held one, or the structural lock, for too long.
            LockHeld: Somebody holds one and we do not wait; or we hold it ourselves already.
        """
        ...

    def structural_lock(self, *, command: str, wait_seconds: float | None = None) -> AbstractContextManager[HeldLocks]:
        """Hold the namespace for a structural command.

        Raises:
            LockTimeout: Somebody else held it, or a model's lock, for too long.
            LockHeld: Somebody holds it and we do not wait; or we hold it ourselves already.
        """
        ...

    def definition_lock(self, name: str, *, command: str) -> AbstractContextManager[HeldLocks]:
        """Hold the lock that guards the creation of an automatic definition.

        Raises:
            LockTimeout: Somebody else held it for too long.
        """
        ...

    def status(self) -> list[LockState]:
        """Look at the locks that somebody has: models first, then definitions, the structural lock, its children's."""
        ...

    def release(
        self, model: tuple[str, str] | None = None, *, key: str | None = None, nonce: str | None = None
    ) -> ReleaseOutcome:
        """Break a lock, whoever has it.

        Args:
            model: Break this model's; without any of the three the structural one.
            key: Break the one that `status` or an error names so, also one of another namespace.
            nonce: Refuse if the holder has changed; without a model and a key, of all that `status` shows the one that
                has it.

        Raises:
            InvalidInput: `key` names no lock of this datastore.
        """
        ...

    def child_environment(self) -> dict[str, str]:
        """Return the variables for a program that we start, and wait for, while this process holds locks."""
        ...

    def sweep(self) -> int:
        """Remove what processes that died in the middle of taking a lock left a day ago; return how many files."""
        ...
