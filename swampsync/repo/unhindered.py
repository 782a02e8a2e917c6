"""Looking at a log while another command of the clone syncs: what only shows something does not wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from swampsync.errors import LockHeld
from swampsync.namespace import Namespace

if TYPE_CHECKING:
    from swampsync.repo.parts import Parts


_T_co = TypeVar("_T_co", covariant=True)


class Look(Protocol[_T_co]):
    """Looks at a log, or fetches from it, under the clone's lock."""

    def __call__(self, *, check: Callable[[], None], is_waiting: bool) -> _T_co:
        """Do it; raises `LockHeld` if another command has the lock and is not to be waited for."""
        ...


def look_unless_busy(parts: Parts, namespace: Namespace, look: Look[_T_co]) -> _T_co | None:
    """Look at a log for a command that only shows something.

    Args:
        parts: Of the repo; told on notice if the look was left out.
        namespace: Whose log, for the notice.
        look: `Syncer.pull`, or what stands for it.

    Returns:
        What `look` returns; `None` if it was left out, so that what is known must do.
    """
    try:
        return look(check=parts.syncing.deadline(), is_waiting=False)
    except LockHeld:
        where = "the datastore" if namespace.is_solo else f"`{namespace}`"
        parts.on_notice(f"another command in this clone is syncing: {where} is taken as it was last looked at")
        return None
