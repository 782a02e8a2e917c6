"""The process that started us: a child does not wait for a lock that its parent holds while it waits for the child."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from swampsync.locks.identity import ProcessTable
from swampsync.locks.kept import KeptLease
from swampsync.locks.lease import LockRecord

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


def child_environment(leases: KeptLease | Iterable[KeptLease]) -> dict[str, str]:
    """Return the variables for a program that we start, and wait for, while we hold leases."""
    held = (leases,) if isinstance(leases, KeptLease) else tuple(leases)
    if not held:
        return {}
    return {PID_VARIABLE: str(held[0].record.pid), NONCE_VARIABLE: ",".join(lease.nonce for lease in held)}
