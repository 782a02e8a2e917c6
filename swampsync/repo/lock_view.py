"""Who holds which lock of the namespace; nothing here ever waits for one."""

from __future__ import annotations

from swampsync.locks.status import LockState, ReleaseOutcome
from swampsync.repo.parts import Parts


class LockView:
    """Looks at locks and breaks them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def status(self) -> list[LockState]:
        """List the locks that somebody has: see `LockGuard.status`."""
        return self._parts.guard.status()

    def release(
        self, model: tuple[str, str] | None = None, *, key: str | None = None, nonce: str | None = None
    ) -> ReleaseOutcome:
        """Break a lock: a model's, the one that a key names, the one that has a nonce, or else the structural one.

        Raises:
            InvalidInput: The key names no lock of this datastore.
        """
        return self._parts.guard.release(model, key=key, nonce=nonce)
