"""The process that started us: a child does not wait for a lock that its parent holds while it waits for the child."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from swampsync.errors import LeaseLost
from swampsync.locks.identity import ProcessState, ProcessTable, find_process_state
from swampsync.locks.kept import KeptLease
from swampsync.locks.lease import LockRecord
from swampsync.locks.store import LeaseStore

PID_VARIABLE: Final = "SWAMP_LOCK_HOLDER_PID"
NONCE_VARIABLE: Final = "SWAMP_LOCK_NONCE"


@dataclass(frozen=True, slots=True)
class ParentHolder:
    """What the environment tells of a parent that holds locks.

    Args:
        pid: Of the parent; swamp sets it too. `None` if there is none.
        nonces: Of the parent's locks; only we set them.
    """

    pid: int | None = None
    nonces: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, variables: Mapping[str, str]) -> ParentHolder:
        """Read the two variables; what cannot be understood counts as unset."""
        text = variables.get(PID_VARIABLE, "")
        pid = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None
        return cls(pid or None, frozenset(n for n in variables.get(NONCE_VARIABLE, "").split(",") if n))

    def holds(self, record: LockRecord, processes: ProcessTable) -> bool:
        """Whether the parent holds this lock.

        A nonce proves it. A pid alone is believed only of files that tell no boot, which are swamp's, and only on
        the same host: swamp's children know their parent by nothing else.
        """
        if record.nonce and record.nonce in self.nonces:
            return True
        return (
            self.pid is not None
            and not record.boot_id
            and record.pid == self.pid
            and record.hostname == processes.hostname
        )


NO_PARENT: Final = ParentHolder()


@dataclass(frozen=True, slots=True)
class ParentLock:
    """A lock that our parent holds for us: we neither renew it nor give it back, but it must stay our parent's.

    Args:
        store: Where it lives.
        key: Of the lock.
        parent: Who holds it.
        processes: Tells whether the parent still runs.
    """

    store: LeaseStore
    key: str
    parent: ParentHolder
    processes: ProcessTable

    def check(self) -> None:
        """Make sure that the parent still holds the lock, and lives.

        Raises:
            LeaseLost: It does not.
        """
        sight = self.store.inspect(self.key)
        record = None if sight is None else sight.record
        if isinstance(record, LockRecord) and self.parent.holds(record, self.processes):
            if find_process_state(record, self.processes) is not ProcessState.GONE:
                return
            problem = "whose holder, the command that started this one, has ended"
        else:
            problem = "which the command that started this one held, was taken over or removed"
        raise LeaseLost(
            f"lock `{self.key}`, {problem}", hint="nothing was written since; run the command again", key=self.key
        )


def child_environment(leases: KeptLease | Iterable[KeptLease], parent: ParentHolder = NO_PARENT) -> dict[str, str]:
    """Return the variables for a program that we start, and wait for, while we hold leases.

    Args:
        leases: What we hold.
        parent: Who holds locks for us, and so for our children.
    """
    held = (leases,) if isinstance(leases, KeptLease) else tuple(leases)
    if not held:
        return {}
    nonces = [*(lease.nonce for lease in held), *sorted(parent.nonces)]
    return {PID_VARIABLE: str(held[0].record.pid), NONCE_VARIABLE: ",".join(nonces)}
