"""The LeaseStore interface: taking, renewing and giving back one lock, without waiting or deciding.

A store never sleeps, starts no thread and does not judge whether a holder lives (`swampsync.locks.staleness`); the
`LeaseKeeper` does the waiting. Every step is atomic: of two that try the same one, one wins and the other is told.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from swampsync.locks.lease import Lease, LockRecord, Sight


class LeaseStore(Protocol):
    """Where locks live.

    Keys are paths on a directory (`Layout.lock_path`) and keys in a bucket (`Layout.structural_lock_key`).
    """

    def try_acquire(self, key: str, record: LockRecord) -> Lease | Sight:
        """Take the lock if nobody has it; else return what was in the way.

        A lock that carries `record.nonce` already is ours: an earlier try had won and its answer was lost.
        """
        ...

    def glance(self, key: str) -> Hashable:
        """Look so briefly that it costs next to nothing; `None` if the lock may be free, or if there is no such look.

        Returns:
            Something that is another when the lock has changed hands or its holder has told that it lives.
        """
        ...

    def take_over(self, sight: Sight, record: LockRecord) -> Lease | None:
        """Take the lock from the holder that was judged, if the lock still is as seen; `None` if somebody else won."""
        ...

    def renew(self, lease: Lease, acquired_at: str) -> Lease:
        """Tell that the holder lives.

        Raises:
            LeaseLost: The lock has another holder, or is gone.
        """
        ...

    def verify(self, lease: Lease) -> None:
        """Compare the nonce before a write, where the lock is what safety rests on.

        Raises:
            LeaseLost: The lock has another holder, or is gone.
        """
        ...

    def release(self, lease: Lease, *, is_valid: bool) -> bool:
        """Give the lock back if it is still ours, and free what the lease holds open.

        Args:
            lease: What was taken.
            is_valid: Whether the lease has not expired by our own clock, so that nobody can be taking it over.

        Returns:
            Whether it was still ours. Also false where the answer was lost and somebody else had the lock before we
            could look: then nobody knows, and either way the lock is theirs.
        """
        ...

    def abandon(self, key: str, nonce: str) -> None:
        """Undo an acquisition that was interrupted at an unknown point."""
        ...

    def inspect(self, key: str) -> Sight | None:
        """Look at the lock; `None` if nobody has it."""
        ...

    def remove(self, sight: Sight) -> bool:
        """Break the lock if it still has the holder that was seen; a heartbeat in between does not matter.

        Returns:
            Whether it was broken; not so if the holder has changed or somebody else is taking the lock over.
        """
        ...
