"""Who holds which lock of the namespace; nothing here ever waits for one."""

from __future__ import annotations

from swampsync.locks.status import LockState, ReleaseOutcome
from swampsync.repo.parts import Parts


class LockView:
    """Looks at locks and breaks them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def status(self) -> list[LockState]:
        """List the locks that somebody has: models first, the structural lock last."""
        return self._parts.guard.status()

    def release(self, model: tuple[str, str] | None = None, *, nonce: str | None = None) -> ReleaseOutcome:
        """Break a model's lock, or the structural one; refused if `nonce` is given and the holder has changed."""
        return self._parts.guard.release(model, nonce=nonce)
